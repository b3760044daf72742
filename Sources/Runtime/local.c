// Calls that the runtime handles by hand: memory that holds no code, signal state, descriptors that are
// standard streams, thread bases. Anything that touches code goes to the supervisor (effects->ask).
#include "local.h"

enum { EOPNOTSUPP_ = 95, ENODEV_ = 19 };

RT_INLINE int64_t native(uint32_t nr, const uint64_t a[6]) {
  return bis_raw6(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
}

RT_INLINE struct bis_local_effect *effect(struct bis_local_effects *e, uint8_t kind, uint64_t a, uint64_t b) {
  struct bis_local_effect *x = &e->list[e->count++];
  x->kind = kind;
  x->a = a;
  x->b = b;
  x->c = x->d = 0;
  x->prot = x->flags = 0;
  return x;
}

RT static int64_t local_brk(control *c, const uint64_t a[6], struct bis_local_effects *e) {
  uint64_t before = page_up(c->brk_current);
  int64_t result = native(SYS_brk_, a);
  uint64_t after = page_up((uint64_t)result);
  if (after > before) {
    struct bis_local_effect *x = effect(e, BIS_KIND_MAP, before, after - before);
    x->prot = PROT_READ_ | PROT_WRITE_;
    x->flags = MAP_PRIVATE_ | MAP_ANONYMOUS_;
  } else if (after < before) {
    effect(e, BIS_KIND_UNMAP, after, before - after);
  }
  c->brk_current = (uint64_t)result;
  return result;
}

RT static int64_t local_mmap(control *c, const uint64_t a[6], struct bis_local_effects *e) {
  uint64_t flags = a[3];
  int plain = (flags & MAP_ANONYMOUS_) && !(flags & MAP_SHARED_) && !(a[2] & PROT_EXEC_);
  int fixed = (flags & (MAP_FIXED_ | MAP_FIXED_NOREPLACE_)) != 0;
  if (!plain || (fixed && (bis_touches_code(c, a[0], a[0] + page_up(a[1])) ||
                           bis_touches_shared(c, a[0], a[0] + page_up(a[1]))))) {
    e->ask = 1;
    return 0;
  }
  int64_t result = native(SYS_mmap_, a);
  if (result > 0 || result < -4095) {
    struct bis_local_effect *x = effect(e, BIS_KIND_MAP, (uint64_t)result, page_up(a[1]));
    x->prot = (uint32_t)a[2];
    x->flags = (uint32_t)flags;
  }
  return result;
}

RT static int64_t local_range(control *c, uint32_t nr, uint8_t kind, const uint64_t a[6], struct bis_local_effects *e) {
  uint64_t length = page_up(a[1]);
  if (bis_touches_code(c, a[0], a[0] + length) || bis_touches_shared(c, a[0], a[0] + length) ||
      (nr == SYS_mprotect_ && (a[2] & PROT_EXEC_))) {
    e->ask = 1;
    return 0;
  }
  int64_t result = native(nr, a);
  if (result == 0 && length) effect(e, kind, a[0], length)->c = a[2];
  return result;
}

RT static int64_t local_mremap(control *c, const uint64_t a[6], struct bis_local_effects *e) {
  uint64_t old_length = page_up(a[1]), new_length = page_up(a[2]);
  if (bis_touches_code(c, a[0], a[0] + old_length) || bis_touches_shared(c, a[0], a[0] + old_length) ||
      ((a[3] & 2) && bis_touches_shared(c, a[4], a[4] + new_length)) ||
      ((a[3] & 2 /* MREMAP_FIXED */) && bis_touches_code(c, a[4], a[4] + new_length)) || (a[3] & 4) || a[1] == 0) {
    e->ask = 1;
    return 0;
  }
  int64_t result = native(SYS_mremap_, a);
  if (result > 0) {
    struct bis_local_effect *x = effect(e, BIS_KIND_REMAP, a[0], old_length);
    x->c = (uint64_t)result;
    x->d = new_length;
  }
  return result;
}

RT static int64_t local_madvise(control *c, const uint64_t a[6], struct bis_local_effects *e) {
  uint64_t advice = (uint32_t)a[2], length = page_up(a[1]);
  if (a[0] < BIS_REGION_END && a[0] + length > BIS_REGION_BASE) return -ENOMEM_;
  if (advice == 8 /* MADV_FREE: when the pages go is the kernel's choice; never is allowed */) return 0;
  if (advice == 9 || advice == 10 || advice == 18 || advice == 100 || advice == 101) return -EINVAL_;
  if (bis_touches_shared(c, a[0], a[0] + length)) {
    e->ask = 1;
    return 0;
  }
  int64_t result = native(SYS_madvise_, a);
  if (result == 0 && (advice == 4 || advice == 24)) effect(e, BIS_KIND_ADVISE, a[0], length)->c = 4;
  return result;
}

RT_INLINE void note_descriptor(control *c, int64_t fd, uint8_t which) {
  if (fd < 0 || fd >= 1024) return;
  c->std_fd[fd] = which;
  c->plain_fd[fd] = 0;
}
RT_INLINE uint8_t standard_stream(const control *c, uint64_t fd) {
  return fd < 1024 ? c->std_fd[fd] : 0;
}

RT static int64_t local_close_range(control *c, const uint64_t a[6], uint32_t nr) {
  int64_t result = native(nr, a);
  if (result == 0 && !(a[2] & 4 /* CLOSE_RANGE_CLOEXEC */))
    for (uint64_t fd = a[0]; fd <= a[1] && fd < 1024; fd++) note_descriptor(c, (int64_t)fd, 0);
  if (a[2] & 2 /* CLOSE_RANGE_UNSHARE */) c->plain_changes = BIS_PLAIN_NEVER;
  return result;
}

/// One chunk of sendfile, splice or copy_file_range by read and write, so that a replay can echo it. `from`, `to`:
/// addresses of offsets, or 0.
RT static int64_t copy_through(control *c, uint64_t in, uint64_t from, uint64_t out, uint64_t to, uint64_t count,
                               struct bis_local_effects *e) {
  uint64_t in_at = 0, out_at = 0;
  void *buffer = (void *)BIS_COPY_BUFFER;
  if ((from && !bis_peek(from, &in_at)) || (to && !bis_peek(to, &out_at))) return -EFAULT_;
  if (count > BIS_MEMORY_CHUNK) count = BIS_MEMORY_CHUNK;
  int64_t got = from ? bis_raw6(17 /* pread64 */, (long)in, (long)buffer, (long)count, (long)in_at, 0, 0)
                     : bis_raw6_interruptible(0 /* read */, (long)in, (long)buffer, (long)count, 0, 0, 0);
  if (got <= 0) return got;
  int64_t put = to ? bis_raw6(18 /* pwrite64 */, (long)out, (long)buffer, got, (long)out_at, 0, 0)
                   : bis_raw6(1 /* write */, (long)out, (long)buffer, got, 0, 0, 0);
  if (!from && put < got) bis_raw6(8 /* lseek */, (long)in, (put < 0 ? 0 : put) - got, 1, 0, 0, 0);
  if (put <= 0) return put;
  if (from) bis_poke(from, in_at + (uint64_t)put);
  if (to) bis_poke(to, out_at + (uint64_t)put);
  e->stream = standard_stream(c, out);
  e->output_length = (uint32_t)put;
  return put;
}

RT int bis_copies_may_wait(const control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t a[6]) {
  if (plan->special != BIS_LOCAL_COPY_RANGE || nr == 326 /* copy_file_range: files only */) return 0;
  uint64_t out = a[nr == 40 ? 0 : nr == 275 ? 2 : 1];
  return !standard_stream(c, (uint32_t)out) && !(nr == 40 && bis_is_regular_file(out));
}

RT static int64_t local_copy_range(control *c, const uint64_t a[6], uint32_t nr, struct bis_local_effects *e) {
  if (nr == 40 /* sendfile */ && standard_stream(c, (uint32_t)a[0]))
    return copy_through(c, (uint32_t)a[1], a[2], (uint32_t)a[0], 0, a[3], e);
  if ((nr == 275 /* splice */ || nr == 326 /* copy_file_range */) && standard_stream(c, (uint32_t)a[2]))
    return copy_through(c, (uint32_t)a[0], a[1], (uint32_t)a[2], a[3], a[4], e);
  if (nr == 276 /* tee: what is read would be gone */ && standard_stream(c, (uint32_t)a[1])) return -EINVAL_;
  return bis_raw6_interruptible(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
}

/// Signals that faults raise, and SIGTRAP: never blocked in the kernel, or it would reset them when one comes.
#define KERNEL_UNBLOCKABLE (1ull << 3 | 1ull << 4 | 1ull << 6 | 1ull << 7 | 1ull << 10)

RT static int64_t local_sigaction(control *c, const uint64_t a[6]) {
  uint64_t sig = (uint32_t)a[0], words[4];
  if (a[3] != 8 || sig < 1 || sig > 64 || (a[1] && (sig == 9 || sig == 19))) return -EINVAL_;
  if (a[1])
    for (int i = 0; i < 4; i++)
      if (!bis_peek(a[1] + 8 * i, &words[i])) return -EFAULT_;
  uint64_t *slot = (uint64_t *)&c->actions[sig];
  if (a[2])
    for (int i = 0; i < 4; i++)
      if (!bis_poke(a[2] + 8 * i, slot[i])) return -EFAULT_;
  if (a[1]) {
    for (int i = 0; i < 4; i++) slot[i] = words[i];
    c->actions[sig].mask &= ~(1ull << 8 | 1ull << 18);
    // The kernel only needs to know what is ignored, and how children are reaped.
    uint64_t kernel[4];
    kernel[0] = words[0] == 1 ? 1 : 0;
    kernel[1] = words[1] & 3;
    kernel[2] = kernel[3] = 0;
    bis_raw6(SYS_rt_sigaction_, (long)sig, (long)kernel, 0, 8, 0, 0);
  }
  return 0;
}

RT void bis_set_signal_mask(control *c, uint64_t mask) {
  c->signal_mask = mask & ~(1ull << 8 | 1ull << 18);
  if (c->held_signals & ~c->signal_mask) c->pending_signals = 1;  // one that waited may come now
  uint64_t kernel = c->signal_mask & ~KERNEL_UNBLOCKABLE;
  bis_raw6(SYS_rt_sigprocmask_, 2, (long)&kernel, 0, 8, 0, 0);
}

RT static int64_t local_sigprocmask(control *c, const uint64_t a[6]) {
  uint64_t set = 0, old = c->signal_mask;
  if (a[3] != 8) return -EINVAL_;
  if (a[1]) {
    if (!bis_peek(a[1], &set)) return -EFAULT_;
    uint32_t how = (uint32_t)a[0];
    if (how > 2) return -EINVAL_;
    bis_set_signal_mask(c, how == 0 ? old | set : how == 1 ? old & ~set : set);
  }
  if (a[2] && !bis_poke(a[2], old)) return -EFAULT_;
  return 0;
}

RT static int64_t local_sigaltstack(control *c, const uint64_t a[6]) {
  uint64_t new[3], rsp = c->gpr[RSP];
  int on_stack = c->altstack_size && !(c->altstack_flags & BIS_SS_AUTODISARM) && rsp > c->altstack_sp &&
                 rsp - c->altstack_sp <= c->altstack_size;
  if (a[0])
    for (int i = 0; i < 3; i++)
      if (!bis_peek(a[0] + 8 * i, &new[i])) return -EFAULT_;
  uint64_t old[3];
  old[0] = c->altstack_sp;
  old[1] = (c->altstack_flags & BIS_SS_AUTODISARM) | (uint32_t)(c->altstack_size ? on_stack : 2);
  old[2] = c->altstack_size;
  if (a[0]) {
    uint32_t flags = (uint32_t)new[1], mode = flags & ~BIS_SS_AUTODISARM;
    if (on_stack) return -EPERM_;
    if (mode != 0 && mode != 1 && mode != 2) return -EINVAL_;
    if (mode == 2) {
      c->altstack_sp = c->altstack_size = 0;
      c->altstack_flags = flags;
    } else {
      if (new[2] < BIS_MINSIGSTKSZ) return -ENOMEM_;
      c->altstack_sp = new[0];
      c->altstack_flags = flags;
      c->altstack_size = new[2];
    }
  }
  if (a[1])
    for (int i = 0; i < 3; i++)
      if (!bis_poke(a[1] + 8 * i, old[i])) return -EFAULT_;
  return 0;
}

RT static int64_t local_arch_prctl(control *c, const uint64_t a[6], struct bis_local_effects *e) {
  uint64_t code = (uint32_t)a[0];
  if (code == 0x1002 /* ARCH_SET_FS */) {
    int64_t result = native(SYS_arch_prctl_, a);
    if (result == 0) {
      c->fs_base = a[1];
      effect(e, BIS_KIND_BASES, c->fs_base, c->gs_base);
    }
    return result;
  }
  if (code == 0x1001 /* ARCH_SET_GS: the kernel's one is ours */) {
    if (a[1] >= 0x7FFFFFFFF000) return -EPERM_;
    c->gs_base = a[1];
    effect(e, BIS_KIND_BASES, c->fs_base, c->gs_base);
    return 0;
  }
  if (code == 0x1003 /* ARCH_GET_FS */) return native(SYS_arch_prctl_, a);
  if (code == 0x1004 /* ARCH_GET_GS */) return bis_poke(a[1], c->gs_base) ? 0 : -EFAULT_;
  if (code == 0x1011 /* ARCH_GET_CPUID */) return 1;
  if (code == 0x1012) return -ENODEV_;
  if (code == 0x1021 || code == 0x1022 /* ARCH_GET_XCOMP_SUPP, _PERM */) return bis_poke(a[1], c->xcr0) ? 0 : -EFAULT_;
  if (code == 0x1023) return -EOPNOTSUPP_;
  return -EINVAL_;
}

/// What the region takes of the limits on address space and data: the kernel is told so much more than the program says.
RT_INLINE uint64_t own_share(uint32_t resource) {
  enum { DATA = BIS_PRIVATE_SIZE + BIS_LANDINGS_SIZE + BIS_THREADS_SIZE,
         REST = BIS_RUNTIME_SIZE + BIS_TABLES_SIZE + 0x1000 /* BIS_SHARED_BASE */ + BIS_WINDOW_SIZE + BIS_DOMAINS_SIZE + BIS_CODE_SIZE };
  return resource == 9 /* RLIMIT_AS */ ? DATA + REST : resource == 2 /* RLIMIT_DATA */ ? DATA : 0;
}

RT static int64_t shifted_rlimit(uint64_t pid, uint32_t resource, uint64_t new, uint64_t old) {
  uint64_t set[2], got[2], more = own_share(resource);
  if (new && !bis_copy(set, (const void *)new, sizeof set)) return -EFAULT_;
  for (int i = 0; new && i < 2; i++)
    if (set[i] != ~0ull) set[i] = set[i] + more < more ? ~1ull : set[i] + more;
  int64_t result = bis_raw6(302 /* prlimit64 */, (long)pid, resource, new ? (long)set : 0, old ? (long)got : 0, 0, 0);
  for (int i = 0; i < 2; i++)
    if (got[i] != ~0ull) got[i] = got[i] > more ? got[i] - more : 0;
  return result == 0 && old && !bis_copy((void *)old, got, sizeof got) ? -EFAULT_ : result;
}

/// getrlimit(resource, old), setrlimit(resource, new), prlimit64(pid, resource, new, old): a replay needs the stack's limit,
/// as it decides where a runaway recursion ends.
RT static int64_t local_rlimit(const uint64_t a[6], uint32_t nr, struct bis_local_effects *e) {
  enum { GET = 97, SET = 160 };
  uint32_t resource = (uint32_t)(nr == GET || nr == SET ? a[0] : a[1]);
  uint64_t new = nr == GET ? 0 : nr == SET ? a[1] : a[2], old = nr == GET ? a[1] : nr == SET ? 0 : a[3], soft;
  uint64_t pid = nr == GET || nr == SET ? 0 : a[0];
  if (own_share(resource)) return nr == GET && !old ? -EFAULT_ : nr == SET && !new ? -EFAULT_ : shifted_rlimit(pid, resource, new, old);
  int64_t result = native(nr, a);
  int own = (uint32_t)pid == 0 || (uint32_t)pid == (uint32_t)bis_raw6(SYS_getpid_, 0, 0, 0, 0, 0, 0);
  if (result == 0 && own && resource == 3 /* RLIMIT_STACK */ && new && bis_peek(new, &soft))
    effect(e, BIS_KIND_LIMIT, 3, soft);
  return result;
}

/// prctl(PR_SET_NAME, name): the tape tells the name, 15 bytes at most.
RT static int64_t local_thread_name(const uint64_t a[6], uint32_t nr, struct bis_local_effects *e) {
  int64_t result = native(nr, a);
  uint64_t name[2], end = 0;
  name[0] = name[1] = 0;
  if (result || !bis_copy(name, (const void *)a[1], bis_readable(a[1], 15))) return result;
  for (uint8_t *at = (uint8_t *)name; at < (uint8_t *)(name + 2); at++) {
    end |= !*at;
    if (end) *at = 0;
  }
  effect(e, BIS_KIND_NAME, name[0], name[1]);
  return result;
}

RT int64_t bis_local(control *c, const struct bis_plan *plan, const uint64_t a[6], uint32_t nr,
                     struct bis_local_effects *e) {
  int64_t result;
  e->count = 0;
  e->ask = 0;
  e->output_length = 0;
  switch (plan->special) {
  case BIS_LOCAL_BRK: return local_brk(c, a, e);
  case BIS_LOCAL_MMAP: return local_mmap(c, a, e);
  case BIS_LOCAL_MUNMAP: return local_range(c, nr, BIS_KIND_UNMAP, a, e);
  case BIS_LOCAL_MPROTECT: return local_range(c, nr, BIS_KIND_PROTECT, a, e);
  case BIS_LOCAL_MREMAP: return local_mremap(c, a, e);
  case BIS_LOCAL_MADVISE: return local_madvise(c, a, e);
  case BIS_LOCAL_SIGACTION: return local_sigaction(c, a);
  case BIS_LOCAL_SIGPROCMASK: return local_sigprocmask(c, a);
  case BIS_LOCAL_SIGALTSTACK: return local_sigaltstack(c, a);
  case BIS_LOCAL_ARCH_PRCTL: return local_arch_prctl(c, a, e);
  case BIS_LOCAL_CLOSE_RANGE: return local_close_range(c, a, nr);
  case BIS_LOCAL_COPY_RANGE: return local_copy_range(c, a, nr, e);
  case BIS_LOCAL_RLIMIT: return local_rlimit(a, nr, e);
  case BIS_LOCAL_THREAD_NAME: return local_thread_name(a, nr, e);
  case BIS_LOCAL_FUTEX_PI: return bis_futex_pi(c, a);
  case BIS_LOCAL_SET_TID_ADDRESS:
    c->clear_child_tid = a[0];  // (not told to the kernel: the word is written when the recording says so)
    return own_number();
  case BIS_LOCAL_CLOSE:
    result = native(nr, a);
    note_descriptor(c, (int32_t)a[0], 0);
    return result;
  case BIS_LOCAL_DUP: case BIS_LOCAL_DUP2: case BIS_LOCAL_DUP3:
    result = native(nr, a);
    if (result >= 0) note_descriptor(c, result, standard_stream(c, (uint32_t)a[0]));
    return result;
  case BIS_LOCAL_FCNTL:
    result = bis_raw6_interruptible(nr, (long)a[0], (long)a[1], (long)a[2], 0, 0, 0);
    if (result >= 0 && ((uint32_t)a[1] == 0 || (uint32_t)a[1] == 1030))
      note_descriptor(c, result, standard_stream(c, (uint32_t)a[0]));
    return result;
  default:  // writes
    return bis_raw6_interruptible(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
  }
}
