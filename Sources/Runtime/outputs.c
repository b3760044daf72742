#include "outputs.h"

#define BIS_CODE __attribute__((section("bis_runtime"), visibility("hidden")))
#define BIS_PART __attribute__((section("bis_runtime")))
#define BIS_INLINE static inline __attribute__((always_inline))

#ifdef TEST
extern uint8_t *bis_test_tables;
#define TABLES ((uint64_t)bis_test_tables)
#else
#define TABLES BIS_TABLES_BASE
#endif

__attribute__((visibility("hidden"))) long bis_raw6(long nr, long a, long b, long c, long d, long e, long f);

#define NR_RT_SIGPROCMASK 14
#define NR_IOCTL 16
#define ERRNO_EINTR 4
#define ERRNO_EFAULT 14

// Layouts of the kernel (include/uapi/linux/socket.h, uio.h, net/if.h; x86-64).
struct iovec64 { uint64_t base, length; };
#define MSGHDR_NAME 0
#define MSGHDR_NAMELEN 8
#define MSGHDR_IOV 16
#define MSGHDR_IOVLEN 24
#define MSGHDR_CONTROL 32
#define MSGHDR_CONTROLLEN 40 // 8 bytes; flags (4) follow
#define MMSGHDR_LEN 56
#define MMSGHDR_SIZE 64
#define SOCKADDR_MAX 128
#define IFCONF_BUFFER 8
#define UNKNOWN_SIZE 1024 // of what is behind the pointer of an ioctl that says nothing about it
#define FDSET_TRUSTED 128 // a whole fd_set of libc; longer ones are often shorter in memory than n says

BIS_INLINE uint32_t load32(uint64_t a) { return *(const volatile uint32_t *)a; }
BIS_INLINE uint64_t load64(uint64_t a) { return *(const volatile uint64_t *)a; }
BIS_INLINE uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

// --- Reading memory that may not be there ----------------------------------------------------

// rt_sigprocmask copies the new mask in before it looks at `how`, and there is no `how` -1: it fails with EFAULT or
// EINVAL and changes nothing (kernel/signal.c, since 2.2). The word is aligned, so it does not reach into a next page.
// (A null pointer is no mask at all: the word behind that tells as much.)
BIS_INLINE int word_readable(uint64_t address) {
  uint64_t word = address & ~7ul;
  return bis_raw6(NR_RT_SIGPROCMASK, -1, (long)(word ? word : 8), 0, 8, 0, 0) != -ERRNO_EFAULT;
}

BIS_CODE uint64_t bis_readable(uint64_t address, uint64_t length) {
  if (address + length < address) length = -address;
  uint64_t done = 0;
  while (done < length) {
    if (!word_readable(address + done)) break;
    done += 4096 - ((address + done) & 4095);
  }
  return smaller(done, length);
}

BIS_INLINE int peek32(uint64_t address, uint32_t *value) {
  if (!address || bis_readable(address, 4) < 4) return 0;
  *value = load32(address);
  return 1;
}

// --- Which row -------------------------------------------------------------------------------

BIS_INLINE const struct bis_subcall_row *subcall(uint32_t nr, uint64_t key) {
  const struct bis_subcall_row *rows = (const struct bis_subcall_row *)(TABLES + BIS_TABLES_SUBCALLS);
  const struct bis_tables_header *header = (const struct bis_tables_header *)(TABLES + BIS_TABLES_HEADER);
  uint64_t low = 0, high = header->subcall_count;
  while (low < high) {
    uint64_t middle = (low + high) / 2;
    const struct bis_subcall_row *row = rows + middle;
    if (row->nr == nr && row->key == key) return row;
    if (row->nr < nr || (row->nr == nr && row->key < key)) low = middle + 1;
    else high = middle;
  }
  return 0;
}

BIS_INLINE uint64_t key_of(uint8_t key_arg, const uint64_t args[6]) {
  uint64_t key = (uint32_t)args[key_arg & 7];
  if (key_arg & BIS_KEY_LOW7) key &= 0x7F;
  if (key_arg & BIS_KEY_PAIR) key |= (uint64_t)(uint32_t)args[(key_arg & 7) - 1] << 32;
  return key;
}

// A request nobody described: asm-generic/ioctl.h says direction (bits 30, 31) and size (16 to 29). Numbers without both are
// older than that, or take an integer.
BIS_INLINE void plan_unknown_ioctl(uint32_t request, struct bis_plan *plan) {
  plan->warn = 1;
  uint32_t size = request >> 16 & 0x3FFF;
  if (!(request >> 30) && !size) size = UNKNOWN_SIZE;
  else if (!(request >> 31)) return;
  plan->output_count = 1;
  plan->outputs = &plan->own;
  plan->own.arg = 2;
  plan->own.length = BIS_LEN_CONST;
  plan->own.length_arg = 0;
  plan->own.when = BIS_WHEN_ALWAYS;  // (drivers copy back from calls that fail, too)
  plan->own.size = size;
}

BIS_CODE void bis_plan_call(const uint64_t args[6], uint32_t nr, struct bis_plan *plan) {
  plan->klass = BIS_CLASS_UNKNOWN;
  plan->output_count = plan->warn = plan->may_block = 0;
  plan->error = plan->special = 0;
  plan->path_arg = 0xFF;
  plan->arg_count = 6;
  if (nr >= 512) return;
  const struct bis_syscall_row *row = (const struct bis_syscall_row *)(TABLES + BIS_TABLES_SYSCALLS) + nr;
  if (row->klass != BIS_CLASS_UNKNOWN) plan->arg_count = row->arg_count;
  if (row->klass != BIS_CLASS_UNKNOWN && row->key_arg != 0xFF) {
    uint64_t key = key_of(row->key_arg, args);
    const struct bis_subcall_row *sub = subcall(nr, key);
    if (!sub && nr == NR_IOCTL) sub = subcall(nr, BIS_KEY_TYPE | (key >> 8 & 0xFF));
    if (sub) {
      plan->klass = sub->klass;
      plan->warn = sub->warn;
      plan->may_block = sub->may_block;
      plan->error = sub->error;
      plan->special = sub->special;
      plan->outputs = sub->outputs;
      plan->output_count = sub->output_count;
      return;
    }
  }
  plan->klass = row->klass;
  plan->warn = row->warn;
  plan->may_block = row->may_block;
  plan->error = row->error;
  plan->special = row->special;
  plan->path_arg = row->path_arg;
  plan->outputs = row->outputs;
  plan->output_count = row->output_count;
  if (nr == NR_IOCTL && row->klass == BIS_CLASS_HOT) plan_unknown_ioctl((uint32_t)args[1], plan);
}

// --- Before the call -------------------------------------------------------------------------

BIS_CODE void bis_before_call(const struct bis_plan *plan, const uint64_t args[6], struct bis_before *before) {
  before->socklen[0] = before->socklen[1] = 0;
  before->msg_namelen = 0;
  before->name_count = 0;
  for (unsigned i = 0; i < plan->output_count; i++) {
    const struct bis_output *o = &plan->outputs[i];
    uint32_t value = 0;
    if (o->length == BIS_LEN_SOCKLEN || o->length == BIS_LEN_SOCKOPT) {
      before->socklen[1] = (uint32_t)peek32(args[o->length_arg & 7], &value);
      before->socklen[0] = value;
    } else if (o->length == BIS_LEN_MSGHDR) {
      if (peek32(args[o->arg] + MSGHDR_NAMELEN, &value)) before->msg_namelen = value;
    } else if (o->length == BIS_LEN_MMSGHDR) {
      uint64_t count = smaller((uint32_t)args[2], BIS_BEFORE_NAMES); // vlen of recvmmsg
      uint64_t whole = bis_readable(args[o->arg], count * MMSGHDR_SIZE) / MMSGHDR_SIZE;
      for (uint64_t j = 0; j < whole; j++)
        before->namelen[j] = load32(args[o->arg] + j * MMSGHDR_SIZE + MSGHDR_NAMELEN);
      before->name_count = whole;
    }
  }
}

// --- After the call --------------------------------------------------------------------------

struct list { struct bis_span *out; unsigned count, max; };

BIS_INLINE void add(struct list *list, uint64_t address, uint64_t length) {
  if (!address || !length) return;
  if (list->count >= list->max) {
    list->count = BIS_SPANS_OVERFLOW;
    list->max = 0;
    return;
  }
  list->out[list->count].address = address;
  list->out[list->count].length = length;
  list->count++;
}

BIS_INLINE void add_readable(struct list *list, uint64_t address, uint64_t length) {
  if (address && length) add(list, address, bis_readable(address, length));
}

// `total` bytes spread over `count` iovecs at `vector`. Neighbours in memory become one span.
BIS_PART static void add_iovecs(struct list *list, uint64_t vector, uint64_t count, uint64_t total) {
  uint64_t start = 0, length = 0;
  for (uint64_t i = 0; i < count && total; i++) {
    uint64_t base = load64(vector + i * sizeof(struct iovec64));
    uint64_t part = smaller(load64(vector + i * sizeof(struct iovec64) + 8), total);
    if (!part) continue;
    total -= part;
    if (length && start + length == base) {
      length += part;
    } else {
      add(list, start, length);
      start = base;
      length = part;
    }
  }
  add(list, start, length);
}

// What recvmsg leaves in a msghdr (net/socket.c ____sys_recvmsg): name and its length if it was asked for, control
// length and flags (12 bytes together), the control bytes, the iovecs.
BIS_PART static void add_msghdr(struct list *list, uint64_t message, uint64_t namelen_before, uint64_t received) {
  uint64_t name = load64(message + MSGHDR_NAME);
  if (name) {
    add(list, message + MSGHDR_NAMELEN, 4);
    add_readable(list, name, smaller(smaller(namelen_before, load32(message + MSGHDR_NAMELEN)), SOCKADDR_MAX));
  }
  add(list, message + MSGHDR_CONTROLLEN, 12);
  add_readable(list, load64(message + MSGHDR_CONTROL), load64(message + MSGHDR_CONTROLLEN));
  add_iovecs(list, load64(message + MSGHDR_IOV), load64(message + MSGHDR_IOVLEN), received);
}

BIS_PART static void add_mmsghdr(struct list *list, uint64_t vector, uint64_t count, const struct bis_before *before) {
  for (uint64_t i = 0; i < count; i++) {
    uint64_t message = vector + i * MMSGHDR_SIZE;
    uint64_t namelen = i < before->name_count ? before->namelen[i] : SOCKADDR_MAX;
    add(list, message + MMSGHDR_LEN, 4);
    add_msghdr(list, message, namelen, load32(message + MMSGHDR_LEN));
  }
}

BIS_INLINE void add_sockbuf(struct list *list, const struct bis_output *o, const uint64_t args[6],
                            const struct bis_before *before) {
  if (!before->socklen[1]) return; // no length given: the kernel wrote neither
  uint64_t pointer = args[o->length_arg & 7];
  if (o->length == BIS_LEN_SOCKLEN)
    add(list, args[o->arg], smaller(before->socklen[0], load32(pointer)));
  else
    add_readable(list, args[o->arg], (uint64_t)before->socklen[0] * o->size);
  add(list, pointer, 4);
}

BIS_INLINE int is_due(uint8_t when, int64_t result) {
  if (when == BIS_WHEN_ALWAYS) return 1;
  if (when == BIS_WHEN_POSITIVE) return result > 0;
  if (when == BIS_WHEN_EINTR) return result == -ERRNO_EINTR;
  return result >= 0;
}

// Length of an output that is one plain buffer.
BIS_INLINE uint64_t plain_length(const struct bis_output *o, const uint64_t args[6], int64_t result) {
  uint64_t value = args[o->length_arg & 7];
  if (o->length_arg & BIS_LEN_ARG32) value = (uint32_t)value;
  uint64_t wanted = result > 0 ? (uint64_t)result : 0;
  if (o->length == BIS_LEN_CONST) return o->size;
  if (o->length == BIS_LEN_RESULT) return wanted * o->size;
  if (o->length == BIS_LEN_RESULT_PLUS) return wanted + o->size;
  if (o->length == BIS_LEN_ARG) return value * o->size;
  if (o->length == BIS_LEN_MIN_RESULT_ARG) return smaller(wanted, value) * o->size;
  if (o->length == BIS_LEN_PAGES) return value / 4096 + (value % 4096 != 0);
  if (o->length == BIS_LEN_FDSET) {
    if (o->length_arg & BIS_LEN_ARG32 && value >> 31) return 0;
    uint64_t length = value / 64 * 8 + (value % 64 ? 8 : 0);
    return length <= FDSET_TRUSTED ? length : bis_readable(args[o->arg], smaller(length, 1 << 20));
  }
  uint32_t pointed = 0;
  if (o->length == BIS_LEN_POINTED32 && peek32(value, &pointed)) return (uint64_t)pointed + o->size;
  return 0;
}

BIS_INLINE void add_output(struct list *list, const struct bis_output *o, const uint64_t args[6], int64_t result,
                           const struct bis_before *before) {
  uint64_t address = args[o->arg], received = result > 0 ? (uint64_t)result : 0;
  if (o->length == BIS_LEN_SOCKLEN || o->length == BIS_LEN_SOCKOPT) {
    add_sockbuf(list, o, args, before);
  } else if (!address) {
    return;
  } else if (o->length == BIS_LEN_IOVEC) {
    add_iovecs(list, address, args[o->length_arg & 7], received);
  } else if (o->length == BIS_LEN_MSGHDR) {
    add_msghdr(list, address, before->msg_namelen, received);
  } else if (o->length == BIS_LEN_MMSGHDR) {
    add_mmsghdr(list, address, received, before);
  } else if (o->length == BIS_LEN_IFCONF) {
    add(list, address, 4);
    add_readable(list, load64(address + IFCONF_BUFFER), load32(address));
  } else if (o->when == BIS_WHEN_ALWAYS || o->when == BIS_WHEN_MAYBE) {
    add_readable(list, address, plain_length(o, args, result));
  } else {
    add(list, address, plain_length(o, args, result));
  }
}

BIS_CODE unsigned bis_outputs(const struct bis_plan *plan, const uint64_t args[6], int64_t result,
                              const struct bis_before *before, struct bis_span *out, unsigned max) {
  struct list list;
  list.out = out;
  list.count = 0;
  list.max = max;
  for (unsigned i = 0; i < plan->output_count; i++)
    if (is_due(plan->outputs[i].when, result)) add_output(&list, &plan->outputs[i], args, result, before);
  return list.count;
}
