// Record mode: do the program's system calls and log what they did.
#include "local.h"
#include "log.h"

enum { MAX_SPANS = 64 };
enum { CLONE_PIDFD = 0x1000, CLONE_PARENT_SETTID = 0x100000, CLONE_CHILD_SETTID = 0x1000000 };  // uapi/linux/sched.h
// SECCOMP_RET_*, uapi/linux/seccomp.h
enum { SECCOMP_KILL_THREAD = 0, SECCOMP_TRAP = 0x30000, SECCOMP_ERRNO = 0x50000, SECCOMP_USER_NOTIF = 0x7FC00000,
       SECCOMP_TRACE = 0x7FF00000, SECCOMP_LOG = 0x7FFC0000, SECCOMP_ALLOW = 0x7FFF0000 };
#define SECCOMP_ACTION 0xFFFF0000u

void bis_set_signal_mask(control *c, uint64_t mask);

RT_INLINE uint64_t chunks(uint64_t length) { return (length + BIS_MEMORY_CHUNK - 1) / BIS_MEMORY_CHUNK; }

/// An event is written: another process of the recording may want to see that.
RT_INLINE void traced_event(control *c) {
  if (!(c->traced & BIS_TRACED_CALLS)) return;
  c->arg[0] = BIS_TRACED_AT_EVENT;
  bis_trap(c, BIS_REASON_TRACED);
}

RT void bis_record_settle(control *c) {
  c->in_syscall = 0;
  c->pinned = BIS_PIN_NONE;
  traced_event(c);
  if (c->checksum_every && c->event_count >= c->checksum_next) {
    c->checksum_next = c->event_count + c->checksum_every;
    bis_trap(c, BIS_REASON_CHECKSUM);
  }
  while (c->pending_signals) bis_trap(c, BIS_REASON_SIGNALS);
  c->turn.temporary_mask = 0;
}

RT_INLINE void log_local_effect(control *c, const struct bis_local_effect *x) {
  if (x->kind == BIS_KIND_MAP) {
    struct bis_effect_map *m = log_reserve(c, sizeof *m);
    m->h.size = sizeof *m; m->h.kind = x->kind; m->h.flags = 0; m->h.effects = 0;
    m->address = x->a; m->length = x->b; m->prot = x->prot; m->flags = x->flags; m->file = -1; m->offset = 0;
  } else if (x->kind == BIS_KIND_REMAP) {
    struct bis_effect_remap *m = log_reserve(c, sizeof *m);
    m->h.size = sizeof *m; m->h.kind = x->kind; m->h.flags = 0; m->h.effects = 0;
    m->old_address = x->a; m->old_length = x->b; m->new_address = x->c; m->new_length = x->d;
  } else {
    struct bis_effect_range *m = log_reserve(c, sizeof *m);
    m->h.size = sizeof *m; m->h.kind = x->kind; m->h.flags = 0; m->h.effects = 0;
    m->address = x->a; m->length = x->b; m->value = x->c;
  }
}

RT_INLINE void get_arguments(const control *c, uint64_t a[6]) {
  a[0] = c->gpr[RDI]; a[1] = c->gpr[RSI]; a[2] = c->gpr[RDX];
  a[3] = c->gpr[R10]; a[4] = c->gpr[R8]; a[5] = c->gpr[R9];
}

/// The state after a system call as the processor leaves it: rcx = next address, r11 = flags.
RT_INLINE void finish_call(control *c, uint64_t result) {
  c->gpr[RAX] = result;
  c->gpr[RCX] = c->rip;
  c->gpr[R11] = c->rflags;
}

/// The registers' hash as it was at the entry of the call under way.
RT static uint64_t entry_hash(const control *c) { return register_hash(c); }

/// (The hash is made here, where the processor has other things to do as well: nobody changes the registers before.)
RT static void log_call(control *c, const struct bis_plan *plan, const uint64_t a[6], uint32_t nr, int64_t result,
                        const struct bis_before *before, const struct bis_local_effects *local, uint8_t flags) {
  struct bis_span spans[MAX_SPANS];
  unsigned count = bis_outputs(plan, a, result, before, spans, MAX_SPANS);
  if (count > MAX_SPANS) {
    c->arg[0] = __LINE__;
    bis_trap(c, BIS_REASON_FATAL);
    count = 0;
  }
  uint64_t effects = local->count + (local->output_length != 0);
  for (unsigned i = 0; i < count; i++) effects += chunks(spans[i].length);
  struct bis_event *e = log_event(c, BIS_KIND_SYSCALL, nr, flags, effects, (uint64_t)result, register_hash(c), a,
                                  plan->arg_count);
  e->value2 = flags && plan->special == BIS_LOCAL_WRITEV;  // how a replay finds what was written
  for (uint32_t i = 0; i < local->count; i++) log_local_effect(c, &local->list[i]);
  if (local->output_length)
    log_payload(c, BIS_KIND_OUTPUT, local->stream, (const void *)BIS_COPY_BUFFER, local->output_length);
  for (unsigned i = 0; i < count; i++) log_memory(c, spans[i].address, spans[i].length);
  finish_call(c, (uint64_t)result);
  log_commit(c);
}

/// A signal came before the call did anything: program code sees the system call again after the handler.
RT static void interrupted(control *c, const struct bis_descriptor *d) {
  c->pinned = BIS_PIN_NONE;
  c->gpr[RCX] = c->rip;
  c->gpr[R11] = c->rflags;
  c->rip -= d->length;
  c->resume_host = 0;
  c->restart_syscall = 1;
  do bis_trap(c, BIS_REASON_SIGNALS);
  while (c->pending_signals);
  c->turn.temporary_mask = 0;
  c->restart_syscall = 0;
  c->in_syscall = 0;
}

/// A vfork child begins: it goes on as the program, on the same tape (bis_raw_vfork calls this on its own stack).
RT void bis_vfork_child(control *c) {
  uint64_t a[6];
  if (c->turn.cpu) bis_raw6(203, 0, c->turn.mask_size, (long)c->turn.mask, 0, 0, 0);
  get_arguments(c, a);
  // What the kernel has written by now (kernel_clone, kernel/fork.c); that there is no such memory is no error to it.
  uint64_t how = c->answer_arg[0];
  uint64_t parents = how & (CLONE_PARENT_SETTID | CLONE_PIDFD) ? bis_readable(c->answer_arg[1], 4) : 0;
  uint64_t childs = how & CLONE_CHILD_SETTID ? bis_readable(c->answer_arg[2], 4) : 0;
  struct bis_event *e = log_event(c, BIS_KIND_SYSCALL, (uint32_t)c->arg[1], BIS_FLAG_VFORK_ENTER,
                                  (parents == 4) + (childs == 4), 0, c->arg[0], a, 6);
  e->value2 = c->answer_arg[4];
  if (parents == 4) log_memory(c, c->answer_arg[1], 4);
  if (childs == 4) log_memory(c, c->answer_arg[2], 4);
  finish_call(c, 0);
  if (c->answer_arg[4]) c->gpr[RSP] = c->answer_arg[4];
  log_commit(c);
  c->in_syscall = 0;
  traced_event(c);
}

RT_INLINE void forget_plain(control *c) {
  if (c->plain_changes != BIS_PLAIN_NEVER) c->plain_changes = 0;
}

/// What a vfork child changes in the control block but not in its parent: descriptors, signal handlers, the alternate
/// stack. (Memory it shares; these it has copies of.)
struct own_state { uint8_t streams[1024]; struct bis_sigaction actions[65]; uint64_t altstack[3]; };

RT static void save_own(control *c, struct own_state *s) {
  copy_bytes(s->streams, c->std_fd, sizeof s->streams);
  forget_plain(c);
  copy_bytes(s->actions, c->actions, sizeof s->actions);
  copy_bytes(s->altstack, &c->altstack_sp, sizeof s->altstack);
}
RT static void restore_own(control *c, const struct own_state *s) {
  copy_bytes(c->std_fd, s->streams, sizeof s->streams);
  forget_plain(c);
  copy_bytes(c->actions, s->actions, sizeof s->actions);
  copy_bytes(&c->altstack_sp, s->altstack, sizeof s->altstack);
}

RT static int64_t do_vfork(control *c, uint64_t hash, uint32_t nr) {
  uint64_t saved[24];
  struct own_state own;
  save_own(c, &own);
  for (int i = 0; i < 16; i++) saved[i] = c->gpr[i];
  saved[16] = c->rip; saved[17] = c->rflags; saved[19] = c->fs_base;
  saved[20] = c->tid; saved[21] = c->signal_mask; saved[22] = c->pid; saved[23] = c->seccomp;
  c->arg[0] = hash;
  c->arg[1] = nr;
  c->vfork_depth++;
  c->stack_top -= BIS_VFORK_STACK;
  int64_t pid = bis_raw_vfork(56 /* clone */, (long)c->answer_arg[0], 0, (long)c->answer_arg[1],
                              (long)c->answer_arg[2], (long)c->answer_arg[3]);
  c->stack_top += BIS_VFORK_STACK;
  c->vfork_depth--;
  for (int i = 0; i < 16; i++) c->gpr[i] = saved[i];
  c->rip = saved[16]; c->rflags = saved[17]; c->fs_base = saved[19];
  c->resume_host = 0;  // (its translation may have been given up meanwhile)
  c->tid = saved[20]; c->signal_mask = saved[21]; c->pid = saved[22]; c->seccomp = saved[23];
  restore_own(c, &own);
  return pid;
}

/// The child gets its own window in place of its parent's; nothing may be written to memory shared before.
RT static int64_t do_fork(control *c) {
  uint64_t slot = c->child_slot_offset, mask[16], size = c->turn.cpu ? c->turn.mask_size : 0;
  if (size) copy_bytes(mask, c->turn.mask, sizeof mask);
  int64_t pid = bis_raw6(56 /* clone */, (long)c->answer_arg[0], 0, (long)c->answer_arg[1], (long)c->answer_arg[2],
                         (long)c->answer_arg[3], 0);
  if (pid == 0) {
    bis_raw6(SYS_remap_file_pages_, (long)BIS_WINDOW_BASE, BIS_WINDOW_SIZE, 0, (long)(slot >> 12),
             0x10000 /* MAP_NONBLOCK */, 0);
    if (size) bis_raw6(203 /* sched_setaffinity */, 0, (long)size, (long)mask, 0, 0, 0);
    bis_fork_child(c);
  }
  return pid;
}

/// A mapping that the supervisor has prepared: 0 when it must see the result.
RT static int do_map(control *c, const uint64_t a[6], uint32_t nr, uint64_t hash, int64_t *result) {
  uint64_t file = c->answer_arg[0], known = c->answer_arg[1], length = page_up(a[1]);
  int64_t r = *result = bis_raw6(SYS_mmap_, (long)c->arg[0], (long)c->arg[1], (long)c->arg[2], (long)c->arg[3],
                                 (long)c->arg[4], (long)c->arg[5]);
  if (r < 0 || (!known && bis_touches_code(c, (uint64_t)r, (uint64_t)r + length))) return 0;
  log_event(c, BIS_KIND_SYSCALL, nr, 0, 1, (uint64_t)r, hash, a, 6);
  struct bis_effect_map *m = log_reserve(c, sizeof *m);
  m->h.size = sizeof *m; m->h.kind = BIS_KIND_MAP; m->h.flags = 0; m->h.effects = 0;
  m->address = (uint64_t)r; m->length = length; m->prot = a[2] & 7; m->flags = a[3] & 0xFFFFF;
  m->file = (int64_t)file; m->offset = file == ~0ull ? 0 : a[5];
  finish_call(c, (uint64_t)r);
  log_commit(c);
  return 1;
}

/// Returns 1 when the call is done, 0 when it is to be executed as the row says, 2 when it begins anew.
RT static int ask_supervisor(control *c, const struct bis_descriptor *d, const uint64_t a[6], uint32_t nr,
                             uint64_t hash) {
  for (int i = 0; i < 6; i++) c->arg[i] = a[i];
  c->answer_arg[0] = nr;
  c->answer_arg[1] = hash;
  c->answer = 0;
  bis_trap(c, BIS_REASON_SYSCALL);
  int64_t r;
  switch (c->answer) {
  case BIS_ANSWER_HOT: return 0;
  case BIS_ANSWER_MOVED:
    c->resume_host = 0;
    return 1;
  case BIS_ANSWER_DONE:
    c->gpr[RCX] = c->rip;
    c->gpr[R11] = c->rflags;
    return 1;
  case BIS_ANSWER_AFTER:
    if (c->answer_arg[0] == 59 || c->answer_arg[0] == 322) bis_unpin(c);  // exec
    r = bis_raw6_interruptible((long)c->answer_arg[0], (long)c->arg[0], (long)c->arg[1], (long)c->arg[2],
                               (long)c->arg[3], (long)c->arg[4], (long)c->arg[5]);
    if (r == -EFAULT_ && bis_shared_arguments(c, nr, a)) {  // (execve: nothing is done yet)
      bis_bring_pages(c, nr, a, 1, BIS_PIN_INPUT);
      for (int i = 0; i < 6; i++) c->arg[i] = a[i];
      r = bis_raw6_interruptible(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
    }
    if (r == -ERESTARTSYS_) {
      interrupted(c, d);
      return 2;
    }
    break;
  case BIS_ANSWER_MAP:
    if (do_map(c, a, nr, hash, &r)) return 1;
    break;
  case BIS_ANSWER_THREAD:
    r = bis_make_thread(c, c->answer_arg[0], (uint32_t)c->answer_arg[1]);
    break;
  case BIS_ANSWER_FORK:
    r = do_fork(c);
    if (r == 0) {  // the child: its tape began with START
      c->in_syscall = 0;
      finish_call(c, 0);
      return 1;
    }
    break;
  case BIS_ANSWER_VFORK:
    r = do_vfork(c, hash, nr);
    break;
  default:
    r = -ENOSYS_;
    c->arg[0] = __LINE__;
    bis_trap(c, BIS_REASON_FATAL);
  }
  c->answer_arg[0] = nr;
  c->answer_arg[1] = hash;
  c->arg[1] = (uint64_t)r;
  bis_trap(c, BIS_REASON_AFTER);  // the supervisor writes the event and sets rax
  c->gpr[RCX] = c->rip;
  c->gpr[R11] = c->rflags;
  return 1;
}

/// 1 when the path at `address` may lie in /proc (or cannot be read here). Relative ones: if they end like a file there of which
/// the supervisor knows (ProcFiles.swift).
RT static int may_be_proc(uint64_t address) {
  enum { LONGEST = 64 };
  uint64_t word, room = 4096 - (address & 4095);
  if (!bis_peek(address, &word)) return 1;
  if ((word & 0xFF) == '/') return (word & 0xFFFFFFFFFFFF) == 0x2F636F72702F;  // "/proc/"
  char path[LONGEST];
  if (room > LONGEST) room = LONGEST;
  if (!bis_copy(path, (const void *)address, room)) return 1;
  uint32_t end = 0;
  for (uint64_t i = 0; i < room; i++) {
    if (!path[i])
      return end == 0x7370616D /* maps */ || end == 0x76787561 /* auxv */ || end == 0x73757461 /* status */ ||
             end == 0x6F666E69 /* cpuinfo */ || end >> 8 == 0x6D656D /* mem */;
    end = end >> 8 | (uint32_t)(uint8_t)path[i] << 24;
  }
  return room < LONGEST;
}

/// SYS_exit of a thread while others live.
RT static void end_thread(control *c, const uint64_t a[6], uint32_t nr, uint64_t hash) {
  uint64_t at = c->clear_child_tid, zero = 0, all = ~0ull, *died = (uint64_t *)BIS_COPY_BUFFER;
  bis_raw6(SYS_rt_sigprocmask_, 2, (long)&all, 0, 8, 0, 0);
  uint32_t locks = bis_robust_end(died);
  int writes = at && bis_copy((void *)at, &zero, 4);
  log_event(c, BIS_KIND_SYSCALL, nr, BIS_FLAG_NO_RETURN | BIS_FLAG_THREAD_END, locks + (uint64_t)writes, 0, hash, a, 1);
  for (uint32_t i = 0; i < locks; i++) log_memory(c, died[i] & ~3ull, 4);
  if (writes) log_memory(c, at, 4);
  log_commit(c);
  bis_raw6(273 /* set_robust_list */, 0, 24, 0, 0, 0, 0);  // what it points to may be gone before this thread is
  bis_robust_wake(died, locks);
  if (writes) bis_raw6(SYS_futex_, (long)at, FUTEX_WAKE_, 1, 0, 0, 0);
  bis_thread_end(c);
}

/// A call failed because the kernel may not write to the program's memory. 1: it may now (the pages held code that was
/// translated, and were watched for writes).
RT static int was_watched(control *c) {
  c->answer = 0;
  bis_trap(c, BIS_REASON_WATCHED);
  return c->answer == 1;
}

/// The call as the program made it.
RT_INLINE int64_t direct_call(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t a[6],
                              struct bis_before *before) {
  bis_before_call(plan, a, before);
  int64_t result = bis_raw6_interruptible(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
  if (result == -EFAULT_ && was_watched(c))
    result = bis_raw6_interruptible(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
  return result;
}

RT int64_t bis_direct_call(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t a[6],
                           struct bis_before *before) {
  return direct_call(c, plan, nr, a, before);
}

/// Does a call that is not the supervisor's, as its row says. `shared`: its arguments may point into memory of which other
/// processes have parts.
RT static int64_t perform(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t a[6], int shared,
                          uint8_t standard, struct bis_before *before, struct bis_local_effects *local) {
  int writes = plan->special == BIS_LOCAL_WRITE || plan->special == BIS_LOCAL_WRITEV;
  int others = has_others(c);
  if (plan->klass == BIS_CLASS_LOCAL) {
    if (others && (writes ? !standard : bis_copies_may_wait(c, plan, nr, a))) return bis_blocking_call(c, plan, nr, a, before);
    if (shared) bis_bring_pages(c, nr, a, 0, plan->output_count ? BIS_PIN_OUTPUT : BIS_PIN_INPUT);
    bis_before_call(plan, a, before);
    int64_t result = writes ? bis_raw6_interruptible(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5])
                            : bis_local(c, plan, a, nr, local);
    return result == -EFAULT_ && was_watched(c) ? bis_local(c, plan, a, nr, local) : result;
  }
  int blocks = plan->may_block || nr == 24 /* sched_yield */;
  if (blocks && (others || (shared && plan->output_count && !c->vfork_depth)))
    return bis_blocking_call(c, plan, nr, a, before);
  if (shared) bis_bring_pages(c, nr, a, 0, blocks ? BIS_PIN_NONE : plan->output_count ? BIS_PIN_OUTPUT : BIS_PIN_INPUT);
  if (!blocks || !c->shared_active || c->vfork_depth || (shared && !is_futex_wait(nr, a)))
    return direct_call(c, plan, nr, a, before);
  __atomic_store_n(&c->asleep, BIS_SLEEP_WAITS, __ATOMIC_RELEASE);
  int64_t result = direct_call(c, plan, nr, a, before);
  if (__atomic_exchange_n(&c->asleep, BIS_SLEEP_NONE, __ATOMIC_ACQ_REL) == BIS_SLEEP_CLAIMED) bis_trap(c, BIS_REASON_CLAIMED);
  return result;
}

/// As `perform`, and what was stopped half-way is finished (partial.c).
RT static int64_t perform_whole(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t a[6], int shared,
                                uint8_t standard, struct bis_before *before, struct bis_local_effects *local) {
  uint32_t disturbances = c->disturbances;
  int64_t result = perform(c, plan, nr, a, shared, standard, before, local);
  uint64_t rest[6];
  while (result > 0 && c->disturbances != disturbances && bis_remainder(c, nr, a, (uint64_t)result, rest)) {
    disturbances = c->disturbances;
    int64_t more = perform(c, plan, nr, rest, shared, standard, before, local);
    if (more > 0) result += more;
    else if (more != -EFAULT_) break;
  }
  return result;
}

/// A filter of the program decides about the call. 1: it is not to be done, and what happens instead has happened.
RT static int filtered(control *c, const struct bis_descriptor *d, const uint64_t a[6], uint32_t nr) {
  struct bis_plan plan;
  struct bis_before before;
  struct bis_local_effects none;
  int old = d->op == BIS_SPECIAL_INT80;
  uint32_t arch = old ? BIS_ARCH_I386 : BIS_ARCH_X86_64, number = old ? (uint32_t)c->arg[5] : nr;
  uint32_t action = bis_seccomp(c, arch, number, a), data = action & 0xFFFF;
  int64_t result = (int64_t)c->gpr[RAX];  // what the register keeps when a signal comes instead
  int ends = 0;
  switch (action & SECCOMP_ACTION) {
  case SECCOMP_ALLOW: case SECCOMP_LOG: return 0;
  case SECCOMP_ERRNO: result = -(int64_t)(data < 4095 ? data : 4095); break;
  case SECCOMP_TRACE: case SECCOMP_USER_NOTIF: result = -ENOSYS_; break;  // nobody is there to be asked
  case SECCOMP_KILL_THREAD:
    if (has_others(c)) {
      end_thread(c, a, nr, entry_hash(c));
      return 1;
    }
    ends = 1;
    break;
  default: ends = 1;
  }
  plan.output_count = plan.special = 0;
  plan.arg_count = 6;
  none.count = none.ask = none.output_length = 0;
  log_call(c, &plan, a, nr, result, &before, &none, 0);
  c->in_syscall = 0;
  if (ends) {
    if (c->actions[31].handler == 1) {  // an ignored SIGSYS ends the program all the same
      uint64_t kernel[4];
      kernel[0] = kernel[1] = kernel[2] = kernel[3] = 0;
      bis_raw6(SYS_rt_sigaction_, 31, (long)kernel, 0, 8, 0, 0);
    }
    c->arg[0] = action;
    c->arg[1] = number;
    c->arg[2] = arch;
    bis_trap(c, BIS_REASON_SECCOMP);
  }
  bis_record_settle(c);
  return 1;
}

/// write, pwrite64, writev, pwritev, pwritev2
RT_INLINE int is_write(uint32_t nr) { return nr == 1 || nr == 18 || nr == 20 || nr == 296 || nr == 328; }

/// Another process of the recording traces this one and sees the call first. 1: it is not to be done (as it stands).
RT static int traced_entry(control *c) {
  c->arg[0] = BIS_TRACED_AT_ENTRY;
  c->answer = 0;
  bis_trap(c, BIS_REASON_TRACED);
  if (c->answer != BIS_ANSWER_MOVED) return 0;
  c->resume_host = 0;
  bis_record_settle(c);
  return 1;
}

/// The mask that a call has while it waits: see bis_turn.temporary_mask.
RT static uint64_t temporary_mask(uint32_t nr, const uint64_t a[6]) {
  uint64_t at, mask;
  switch (nr) {
  case 130 /* rt_sigsuspend */: at = a[0]; break;
  case 271 /* ppoll */: at = a[3]; break;
  case 281 /* epoll_pwait */: case 441 /* epoll_pwait2 */: at = a[4]; break;
  case 270 /* pselect6 */: case 333 /* io_pgetevents */:
    if (!bis_peek(a[5], &at)) return 0;
    break;
  default: return 0;
  }
  return at && bis_peek(at, &mask) ? mask | 1ull << 8 : 0;
}

RT void bis_record_syscall(control *c, const struct bis_descriptor *d) {
  // (the vsyscall page and INT 0x80 are no stops)
  if (c->traced & BIS_TRACED_CALLS && !c->pending_signals && d->length && !d->op && traced_entry(c)) return;
  uint64_t a[6];
  get_arguments(c, a);
  uint32_t nr = (uint32_t)c->gpr[RAX];
  struct bis_plan plan;
  struct bis_before before;
  struct bis_local_effects local;
  int64_t result;
  uint8_t flags = 0;
  local.count = local.ask = local.output_length = 0;
  c->in_syscall = c->shared_active ? 2 : 1;
  c->turn.slice = BIS_SHORT_SLICE;
  bis_plan_call(a, nr, &plan);

  if (c->pending_signals) {
    interrupted(c, d);
    return;
  }
  if (c->seccomp && filtered(c, d, a, nr)) return;
  if (nr == SYS_exit_ && has_others(c)) {
    end_thread(c, a, nr, entry_hash(c));
    return;
  }
  if (plan.klass == BIS_CLASS_HOT) {
    if (plan.special == 1 && plan.path_arg < 6 && may_be_proc(a[plan.path_arg])) plan.klass = BIS_CLASS_SUPERVISOR;
  }
  if (c->traced & BIS_TRACED_WAITS && (nr == 61 /* wait4 */ || nr == 247 /* waitid */)) plan.klass = BIS_CLASS_SUPERVISOR;
  if (c->traced & BIS_TRACED_WRITES && is_write(nr) && !(a[0] < 1024 && c->std_fd[a[0]])) plan.klass = BIS_CLASS_SUPERVISOR;
  if (c->turn.companion && (nr == 203 || nr == 204)) plan.klass = BIS_CLASS_SUPERVISOR;  // sched_[sg]etaffinity
  if (plan.special == BIS_LOCAL_FUTEX_PI && plan.klass == BIS_CLASS_LOCAL && bis_touches_shared(c, a[0], a[0] + 4)) {
    plan.klass = BIS_CLASS_REFUSED;  // other processes would have to write the word
    plan.error = ENOSYS_;
    plan.warn = 1;
  }
  int warns = plan.warn && plan.klass == BIS_CLASS_REFUSED;
  if (plan.warn && plan.klass == BIS_CLASS_HOT && c->guessed_ioctl != (uint32_t)a[1]) {
    c->guessed_ioctl = (uint32_t)a[1];
    warns = 1;
  }
  if (plan.klass == BIS_CLASS_SUPERVISOR || plan.klass == BIS_CLASS_UNKNOWN || warns) {
    int done = ask_supervisor(c, d, a, nr, entry_hash(c));
    if (done == 1) bis_record_settle(c);
    if (done) return;
  }
  if (plan.klass == BIS_CLASS_REFUSED) {
    result = -(int64_t)plan.error;
    bis_before_call(&plan, a, &before);
  } else if (plan.klass == BIS_CLASS_UNKNOWN) {
    result = -ENOSYS_;
  } else {
    struct bis_file_change file;
    int shared = bis_shared_arguments(c, nr, a);
    file.known = 0;
    uint32_t mapped = ((const volatile struct bis_shared *)c->stamp_address)->file_changes;  // 0: no file
    if (mapped) bis_before_file_change(c, nr, a, &file);
    c->turn.temporary_mask = 0;
    if (plan.may_block) {
      c->threads[c->turn.current].call_begin = read_tsc();
      c->turn.temporary_mask = temporary_mask(nr, a);
    }
    if (plan.klass == BIS_CLASS_LOCAL && (plan.special == BIS_LOCAL_WRITE || plan.special == BIS_LOCAL_WRITEV))
      flags = (uint32_t)a[0] < 1024 ? c->std_fd[(uint32_t)a[0]] : 0;
    // A page may go while the call begins or waits. Nothing has happened then (what calls write is pinned before).
    // Nor a signal that is held already: the kernel does not know of it.
    int again = nr == SYS_futex_ ? 100000 : 2;
    if (c->turn.temporary_mask && c->held_signals & ~c->turn.temporary_mask) {
      bis_before_call(&plan, a, &before);
      c->pending_signals = 1;
      result = -EINTR_;
      again = 0;
    }
    for (; again; again--) {
      uint32_t disturbances = c->disturbances;
      result = perform_whole(c, &plan, nr, a, shared, flags, &before, &local);
      if (result != -EFAULT_ || !shared) break;
      again += c->disturbances != disturbances;
      if (nr != SYS_futex_) bis_bring_pages(c, nr, a, 1, BIS_PIN_INPUT);
    }
    if (file.known) bis_after_file_change(c, nr, a, &file, result);
    if (local.ask && ask_supervisor(c, d, a, nr, entry_hash(c))) {
      bis_record_settle(c);
      return;
    }
    if (mapped && result >= 0) bis_opened(c, nr, a, result, mapped);
    if (nr == 203 || nr == 204) bis_affinity_called(c, nr, a, result);
    if (nr == 272 /* unshare */ && a[0] & 0x400 /* CLONE_FILES */) c->plain_changes = BIS_PLAIN_NEVER;
  }
  if (result == -ERESTARTSYS_) {
    interrupted(c, d);
    return;
  }
  if (result < 0) flags = 0;
  log_call(c, &plan, a, nr, result, &before, &local, flags);
  if (nr == SYS_futex_ && result > 0 && has_others(c)) bis_woken(c, a);
  if (c->turn.chaos && has_others(c)) bis_chaos_after_call(c);
  bis_record_settle(c);
}

/// A reading of RDTSC, RDRAND and the like: arg[0], arg[1] hold what was read; registers are set.
RT void bis_record_special(control *c, const struct bis_descriptor *d) {
  struct bis_event *e = log_event(c, BIS_KIND_CPU, d->op, 0, 0, c->arg[0], 0, 0, 0);
  e->value2 = c->arg[1];
  log_commit(c);
  bis_record_settle(c);
}

/// The 64-bit number of a 32-bit system call that means the same with the same arguments (no structures whose layout
/// differs): arch/x86/entry/syscalls/syscall_32.tbl. ~0: none.
RT_INLINE uint32_t native_number(uint32_t nr) {
  switch (nr) {
  case 1: return 60;    // exit
  case 3: return 0;     // read
  case 4: return 1;     // write
  case 6: return 3;     // close
  case 19: return 8;    // lseek
  case 20: return 39;   // getpid
  case 24: return 102;  // getuid
  case 33: return 21;   // access
  case 37: return 62;   // kill
  case 41: return 32;   // dup
  case 45: return 12;   // brk
  case 47: return 104;  // getgid
  case 49: return 107;  // geteuid
  case 50: return 108;  // getegid
  case 63: return 33;   // dup2
  case 64: return 110;  // getppid
  case 125: return 10;  // mprotect
  case 158: return 24;  // sched_yield
  case 224: return 186; // gettid
  case 252: return 231; // exit_group
  default: return ~0u;
  }
}

/// INT 0x80 from 64-bit code: the 32-bit call, registers cut to 32 bits. Only eax changes.
RT void bis_int80(control *c, const struct bis_descriptor *d) {
  uint64_t saved[16], arguments[6];
  uint32_t nr = native_number((uint32_t)c->gpr[RAX]);
  for (int i = 0; i < 16; i++) saved[i] = c->gpr[i];
  arguments[0] = (uint32_t)saved[RBX]; arguments[1] = (uint32_t)saved[RCX]; arguments[2] = (uint32_t)saved[RDX];
  arguments[3] = (uint32_t)saved[RSI]; arguments[4] = (uint32_t)saved[RDI]; arguments[5] = (uint32_t)saved[RBP];
  c->gpr[RDI] = arguments[0]; c->gpr[RSI] = arguments[1]; c->gpr[RDX] = arguments[2];
  c->gpr[R10] = arguments[3]; c->gpr[R8] = arguments[4]; c->gpr[R9] = arguments[5];
  c->gpr[RAX] = nr == ~0u ? 511 : nr;  // 511: in no table, so ENOSYS and a warning
  c->arg[5] = (uint32_t)saved[RAX];  // (for a filter)
  if (c->mode == BIS_MODE_RECORD) bis_record_syscall(c, d);
  else bis_replay_syscall(c, d);
  int restarted = c->resume_host == 0 && c->rip == d->guest_next - d->length;
  for (int i = 0; i < 16; i++)
    if (i != RAX || restarted) c->gpr[i] = saved[i];
}
