// Threads of one process take turns: only the thread that has the turn runs program code and touches the control block
// (but for its own struct bis_thread and, under the lock, the turn itself).
#include "local.h"
#include "log.h"

enum { NR_YIELD = 24, NR_POLL = 7, NOBODY = ~0u };

// ---------------------------------------------------------------------------------------------
// The turn
// ---------------------------------------------------------------------------------------------

RT_INLINE void lock(control *c) {
  while (__atomic_exchange_n(&c->turn.lock, 1, __ATOMIC_ACQUIRE)) bis_raw6(NR_YIELD, 0, 0, 0, 0, 0, 0);
}
RT_INLINE void unlock(control *c) { __atomic_store_n(&c->turn.lock, 0, __ATOMIC_RELEASE); }

RT static void wake(struct bis_thread *t) {
  __atomic_store_n(&t->wake, 1, __ATOMIC_RELEASE);
  bis_raw6(SYS_futex_, (long)&t->wake, FUTEX_WAKE_ | FUTEX_PRIVATE_, 1, 0, 0, 0);
}
RT static void wait_for_turn(struct bis_thread *t) {
  while (!__atomic_load_n(&t->wake, __ATOMIC_ACQUIRE))
    bis_raw6(SYS_futex_, (long)&t->wake, FUTEX_PRIVATE_ /* | FUTEX_WAIT: 0 */, 0, 0, 0, 0);
  __atomic_store_n(&t->wake, 0, __ATOMIC_RELAXED);
}

RT static void save(control *c, struct bis_thread *t) {
  for (int i = 0; i < 16; i++) t->gpr[i] = c->gpr[i];
  t->rip = c->rip; t->rflags = c->rflags; t->fs_base = c->fs_base; t->gs_base = c->gs_base;
  t->resume_host = c->resume_host; t->stack_top = c->stack_top; t->xcr0 = c->xcr0; t->pkru = c->pkru;
  t->signal_mask = c->signal_mask;
  t->altstack_sp = c->altstack_sp; t->altstack_flags = c->altstack_flags; t->altstack_size = c->altstack_size;
  t->tid = c->tid; t->clear_child_tid = c->clear_child_tid; t->restart_syscall = c->restart_syscall;
  t->held_signals = c->held_signals; t->temporary_mask = c->turn.temporary_mask; t->seccomp = c->seccomp;
  // The supervisor may set the flag at any instruction of this thread: never write 0.
  if (*(volatile uint64_t *)&c->pending_signals) *(volatile uint64_t *)&t->pending_signals = 1;
}

RT static void load(control *c, struct bis_thread *t, uint32_t index) {
  for (int i = 0; i < 16; i++) c->gpr[i] = t->gpr[i];
  c->rip = t->rip; c->rflags = t->rflags; c->fs_base = t->fs_base; c->gs_base = t->gs_base;
  c->resume_host = t->resume_host; c->stack_top = t->stack_top; c->xcr0 = t->xcr0; c->pkru = t->pkru;
  c->signal_mask = t->signal_mask;
  c->altstack_sp = t->altstack_sp; c->altstack_flags = t->altstack_flags; c->altstack_size = t->altstack_size;
  c->tid = t->tid; c->clear_child_tid = t->clear_child_tid; c->restart_syscall = t->restart_syscall;
  c->held_signals = t->held_signals; c->turn.temporary_mask = t->temporary_mask; c->seccomp = t->seccomp;
  // In this order: from `current` on the supervisor sets both flags.
  *(volatile uint32_t *)&c->turn.current = index;
  *(volatile uint64_t *)&c->pending_signals = 0;
}

/// What the supervisor has set for the thread while it was away.
RT_INLINE void take_pending(control *c, struct bis_thread *t) {
  if (*(volatile uint64_t *)&t->pending_signals) *(volatile uint64_t *)&c->pending_signals = 1;
}

/// The end of the list of threads that wait for the turn. Under the lock.
RT_INLINE void make_ready(control *c, uint32_t index) {
  struct bis_turn *turn = &c->turn;
  c->threads[index].next = 0;
  if (turn->ready_tail) c->threads[turn->ready_tail - 1].next = index + 1;
  else turn->ready_head = index + 1;
  turn->ready_tail = index + 1;
  turn->ready_count++;
}

/// Takes one of the threads that wait for the turn from the list: the first, or the one that chaos wants. Under the lock.
RT static uint32_t next_ready(control *c) {
  struct bis_turn *turn = &c->turn;
  uint32_t before = turn->chaos ? bis_chaos_choose(c) : 0;  // (the one behind it)
  uint32_t *link = before ? &c->threads[before - 1].next : &turn->ready_head;
  uint32_t chosen = *link;
  *link = c->threads[chosen - 1].next;
  if (turn->ready_tail == chosen) turn->ready_tail = before;
  turn->ready_count--;
  turn->holder = chosen;
  return chosen - 1;
}

/// The next ready thread has the turn, or nobody.
RT static void pass_turn(control *c) {
  struct bis_turn *turn = &c->turn;
  lock(c);
  if (!turn->ready_count) {
    turn->holder = 0;
    unlock(c);
    return;
  }
  uint32_t next = next_ready(c);
  unlock(c);
  wake(&c->threads[next]);
}

/// Threads that make system calls take turns often, as some then wait for another one in a loop (redis' I/O threads, spin locks
/// before a futex); those that only compute have long slices soon.
RT static uint64_t next_slice(const control *c) { return c->turn.slice ? c->turn.slice : BIS_TIME_SLICE; }

RT void bis_begin_slice(control *c) {
  c->tick_target = ticks_now(c) + (c->turn.chaos ? bis_chaos_slice(c) : next_slice(c));
}

/// The thread has the turn; is its state in the control block?
RT static void entered(control *c, uint32_t me) {
  struct bis_thread *t = &c->threads[me];
  if (c->turn.current != me) {
    uint64_t before = c->tid, address = c->turn.address;
    uint8_t flags = (uint8_t)c->turn.flags;
    load(c, t, me);
    struct bis_event *e = log_event(c, BIS_KIND_SWITCH, c->turn.at_address, flags, 0, before, 0, 0, 0);
    e->value2 = c->turn.at_address ? address : 0;
    log_commit(c);
  }
  c->turn.flags = 0;
  c->turn.at_address = 0;
  bis_roam(c, me, 1);
  take_pending(c, t);
  c->turn.pauses = 0;
  bis_begin_slice(c);
  bis_set_ticks(c);
}

RT void bis_release_turn(control *c) {
  save(c, &c->threads[c->turn.current]);
  c->turn.flags = 0;
  c->turn.at_address = 0;
  pass_turn(c);
}

RT void bis_take_turn(control *c, uint32_t me) {
  lock(c);
  if (c->turn.holder == 0) {
    c->turn.holder = me + 1;
    unlock(c);
  } else {
    make_ready(c, me);
    unlock(c);
    wait_for_turn(&c->threads[me]);
  }
  entered(c, me);
}

/// Another thread goes on, if one is ready; until this one has the turn again. `at_address`: the current one is between
/// two ticks, at c->rip. 0: no thread is ready.
RT static int hand_over(control *c, uint32_t at_address) {
  uint32_t me = c->turn.current;
  struct bis_turn *turn = &c->turn;
  save(c, &c->threads[me]);
  lock(c);
  if (!turn->ready_count || (turn->chaos && !bis_chaos_leaves(c, me))) {
    unlock(c);
    return 0;
  }
  turn->flags = BIS_FLAG_ASYNC;
  turn->at_address = at_address;
  turn->address = c->rip;
  uint32_t next = next_ready(c);
  make_ready(c, me);
  unlock(c);
  wake(&c->threads[next]);
  wait_for_turn(&c->threads[me]);
  entered(c, me);
  c->in_syscall = 0;
  return 1;
}

RT void bis_preempt(control *c) {
  if (!has_others(c)) {
    c->tick_target = c->turn.count <= 1 ? ~0ull : ticks_now(c) + BIS_TIME_SLICE;
    return;
  }
  uint64_t slice = next_slice(c);
  bis_roam(c, c->turn.current, (uint32_t)(slice * 256 / BIS_TIME_SLICE));
  c->turn.slice = slice < BIS_TIME_SLICE / 2 ? slice * 2 : BIS_TIME_SLICE;
  bis_begin_slice(c);
  if (c->turn.chaos && !c->turn.ready_count) bis_chaos_pause(c);
  if (c->turn.pauses >= BIS_WOKEN && !c->turn.ready_count) bis_raw6(24 /* sched_yield: it comes as far as that */, 0, 0, 0, 0, 0, 0);
  c->turn.pauses = 0;
  if (c->turn.chaos && c->turn.ready_count && bis_chaos_steps(c)) {
    bis_set_ticks(c);
    bis_trap(c, BIS_REASON_STEP);  // goes on at bis_enter_switch, or in translated code as if nothing had been
    return;
  }
  hand_over(c, 0);
}

/// Who executes PAUSE again and again waits in a loop for another thread, which cannot get on meanwhile: the slice is over at
/// the next tick. (OpenMP's barriers and most spin locks do.)
RT void bis_pause(control *c) {
  struct bis_turn *turn = &c->turn;
  if (!has_others(c) || !__atomic_load_n(&turn->ready_count, __ATOMIC_RELAXED)) return;
  if (++turn->pauses < BIS_PAUSES) return;
  turn->pauses = 0;
  c->tick_target = ticks_now(c);
  bis_set_ticks(c);
}

/// A thread waits for a futex again and again, and nobody for another one: it may get the turn only where the lock is taken
/// (a loop that writes while it holds a lock, and frees it for a moment only). Who frees it next lets it come at once.
RT void bis_woken(control *c, const uint64_t a[6]) {
  struct bis_turn *turn = &c->turn;
  if (turn->contended != (uint32_t)a[0] || turn->waits < BIS_VAIN_WAITS) return;
  turn->waits = 0;
  turn->pauses = BIS_WOKEN;
  c->tick_target = ticks_now(c);
  bis_set_ticks(c);
}

RT void bis_note_wait(control *c, uint64_t address) {
  struct bis_turn *turn = &c->turn;
  turn->waits = turn->contended == (uint32_t)address ? turn->waits + 1 : 1;
  turn->contended = (uint32_t)address;
}

/// Record, chaos mode: the supervisor has let the thread go on for some instructions; its state is exact.
RT void bis_on_switch(control *c) {
  if (!c->pending_signals && has_others(c)) hand_over(c, 1);
  bis_set_ticks(c);
}

/// The threads' scratch and stacks, before the second thread is made. 0: no memory.
RT int bis_map_threads(control *c) {
  if (c->turn.mapped) return 1;
  long r = bis_raw6(SYS_mmap_, (long)BIS_THREADS_BASE, BIS_THREADS_SIZE, 3,
                    MAP_PRIVATE_ | MAP_ANONYMOUS_ | MAP_NORESERVE_ | MAP_FIXED_, -1, 0);
  c->turn.mapped = r == (long)BIS_THREADS_BASE;
  return (int)c->turn.mapped;
}

RT int64_t bis_make_thread(control *c, uint64_t flags, uint32_t index) {
  struct bis_thread *t = &c->threads[index];
  if (!bis_map_threads(c)) return -EAGAIN_;
  bis_pin_start(c);
  t->cpu = c->threads[c->turn.current].cpu;
  int64_t r = bis_raw_thread((long)flags, t->stack_top, &t->tid, &t->alive, index);
  if (r > 0) {
    c->turn.count++;
    bis_begin_slice(c);
    bis_set_ticks(c);
  }
  return r;
}

/// A new thread begins (bis_raw_thread), on its own stack; its registers are in its area.
RT void bis_thread_main(control *c, uint32_t me) {
  struct bis_thread *t = &c->threads[me];
  bis_raw6(SYS_arch_prctl_, 0x1002 /* ARCH_SET_FS */, (long)t->fs_base, 0, 0, 0, 0);
  bis_take_turn(c, me);
  c->in_syscall = 0;
  while (c->pending_signals) bis_trap(c, BIS_REASON_SIGNALS);
}

RT void bis_thread_end(control *c) {
  c->turn.count--;
  c->turn.current = NOBODY;  // the number may be given to another thread soon
  c->turn.flags = 0;
  c->turn.at_address = 0;
  pass_turn(c);
  for (;;) bis_raw6(SYS_exit_, 0, 0, 0, 0, 0, 0);
}

// ---------------------------------------------------------------------------------------------
// Calls that may block
// ---------------------------------------------------------------------------------------------

struct piece { uint64_t guest, scratch, length; };
struct redirection { uint64_t next, end; unsigned count; struct piece pieces[12]; };

/// A large scratch area, taken: its number + 1; 0: none is free. (Asked for and given back with the turn.)
RT static uint32_t take_large(control *c) {
  for (uint32_t i = 0; i < BIS_POOL_COUNT; i++)
    if (!(c->turn.pool >> i & 1)) {
      c->turn.pool |= 1u << i;
      return i + 1;
    }
  return 0;
}

RT_INLINE void give_large(control *c, uint32_t number) {
  if (number) c->turn.pool &= ~(1u << (number - 1));
}

/// Room in the scratch in place of [guest, guest + length); 0: none. `in`: the kernel may read it, too.
RT static uint64_t redirect(struct redirection *r, uint64_t guest, uint64_t length, int in) {
  if (length > r->end - r->next || r->count >= 12) return 0;
  uint64_t at = r->next;
  if (in && (bis_readable(guest, length) < length || !bis_copy((void *)at, (const void *)guest, length))) return 0;
  r->next = (at + length + 63) & ~63ull;
  r->pieces[r->count].guest = guest;
  r->pieces[r->count].scratch = at;
  r->pieces[r->count++].length = length;
  return at;
}

/// Arguments with which the kernel writes to the scratch only. 0: not possible.
RT static int redirect_outputs(struct redirection *r, const struct bis_plan *plan, uint64_t b[6]) {
  for (unsigned i = 0; i < plan->output_count; i++) {
    const struct bis_output *o = &plan->outputs[i];
    uint64_t guest = b[o->arg], length, at;
    int in = 1;
    if (!guest) continue;
    uint64_t value = b[o->length_arg & 7];
    if (o->length_arg & BIS_LEN_ARG32) value = (uint32_t)value;
    switch (o->length) {
    case BIS_LEN_CONST: length = o->size; in = o->when != BIS_WHEN_SUCCESS && o->when != BIS_WHEN_POSITIVE; break;
    case BIS_LEN_ARG: length = value * o->size; break;
    case BIS_LEN_FDSET:
      if (value >> 20) return 0;
      length = (value + 63) / 64 * 8;
      break;
    case BIS_LEN_RESULT: case BIS_LEN_MIN_RESULT_ARG: case BIS_LEN_RESULT_PLUS: {
      uint64_t *count = &b[o->arg + 1];  // (all of these have their capacity behind the buffer: Tests/SyscallsTests)
      uint64_t extra = o->length == BIS_LEN_RESULT_PLUS ? o->size : 0, unit = extra ? 1 : o->size;
      uint64_t room = (r->end - r->next - 0x2000 - extra) / unit;
      if (*count > room) {
        if (extra || r->end - r->next < BIS_POOL_SPACE) return 0;
        *count = room;
      }
      length = *count * unit + extra;
      in = 0;
      break;
    }
    case BIS_LEN_SOCKLEN: {
      uint64_t words = redirect(r, b[o->length_arg & 7], 4, 1);
      if (!words) return 0;
      length = *(uint32_t *)words;
      if (length > 0x1000) return 0;
      b[o->length_arg & 7] = words;
      in = 0;
      break;
    }
    default: return 0;
    }
    at = redirect(r, guest, length, in);
    if (!at) return 0;
    b[o->arg] = at;
  }
  return 1;
}

/// Copies what the kernel wrote to where the program wanted it. 0: that memory is not there.
RT static int copy_back(struct redirection *r, const struct bis_plan *plan, const uint64_t b[6], int64_t result,
                        const struct bis_before *before) {
  struct bis_span spans[16];
  unsigned count = bis_outputs(plan, b, result, before, spans, 16);
  if (count > 16) return 0;
  for (unsigned i = 0; i < count; i++)
    for (unsigned j = 0; j < r->count; j++) {
      struct piece *p = &r->pieces[j];
      if (spans[i].address < p->scratch || spans[i].address >= p->scratch + p->length) continue;
      uint64_t offset = spans[i].address - p->scratch, length = spans[i].length;
      if (length > p->length - offset) length = p->length - offset;
      // (memory that is as it was may be read-only: a call that reports a time left does not fail then)
      uint64_t k = 0;
      if (length <= 32 && bis_readable(p->guest + offset, length) == length)
        while (k < length && ((uint8_t *)p->guest)[offset + k] == ((uint8_t *)p->scratch)[offset + k]) k++;
      if (k == length) continue;
      if (!bis_copy((void *)(p->guest + offset), (const void *)spans[i].address, length)) return 0;
    }
  return 1;
}

/// S_IFMT of a descriptor's mode (REGULAR, PIPE, SOCKET, others); of none: as of a file, with which nothing waits.
enum { REGULAR = 0100000, PIPE = 0010000, SOCKET = 0140000 };
RT static uint32_t file_type(uint64_t fd) {
  uint64_t status[18];
  if (bis_raw6(5 /* fstat */, (int32_t)fd, (long)status, 0, 0, 0, 0) < 0) return REGULAR;
  return (uint32_t)status[3] & 0170000;
}
RT int bis_is_regular_file(uint64_t fd) { return file_type(fd) == REGULAR; }

RT static int64_t direct(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t a[6], struct bis_before *before) {
  if (bis_shared_arguments(c, nr, a))
    bis_bring_pages(c, nr, a, 0, plan->output_count ? BIS_PIN_OUTPUT : BIS_PIN_INPUT);
  return bis_direct_call(c, plan, nr, a, before);
}

RT int64_t bis_released(control *c, uint32_t nr, const uint64_t b[6]) {
  long words[7];
  uint32_t me = c->turn.current;
  uint64_t delay[2] = {0, c->turn.chaos ? bis_chaos_delay(c) : 0};
  words[0] = nr;
  for (int i = 0; i < 6; i++) words[i + 1] = (long)b[i];
  c->pinned = BIS_PIN_NONE;
  bis_release_turn(c);
  int64_t result = bis_raw_released(words, &c->threads[me].pending_signals);
  if (delay[1]) bis_raw6(35 /* nanosleep */, (long)delay, 0, 0, 0, 0, 0);
  bis_take_turn(c, me);
  c->in_syscall = c->shared_active ? 2 : 1;
  return result;
}

/// The call, but so that it never waits: another thread may have taken what poll has seen. -EAGAIN: it would wait.
RT static int64_t without_waiting(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t a[6],
                                  struct bis_before *before) {
  enum { DONTWAIT = 0x40, WAITALL = 0x100, NOWAIT = 8, PREADV2 = 327, EOPNOTSUPP_ = 95 };
  uint32_t flags = nr == 47 /* recvmsg */ ? 2 : nr == 299 /* recvmmsg */ || nr == 45 /* recvfrom */ ? 3 : 0;
  uint64_t b[6], one[2];
  int64_t result = -EOPNOTSUPP_;
  for (int i = 0; i < 6; i++) b[i] = a[i];
  if (flags && !(a[flags] & WAITALL)) {
    b[flags] |= DONTWAIT;
    return bis_direct_call(c, plan, nr, b, before);
  }
  if (nr == 0 /* read */ || nr == 19 /* readv */) {
    one[0] = a[1];
    one[1] = a[2];
    b[1] = nr ? a[1] : (uint64_t)one;
    b[2] = nr ? a[2] : 1;
    b[3] = b[4] = ~0ull;
    b[5] = NOWAIT;
    result = bis_direct_call(c, plan, PREADV2, b, before);
  }
  return result == -EOPNOTSUPP_ ? bis_direct_call(c, plan, nr, a, before) : result;
}

/// Reads whose result is spread over memory: waits until there is something, without the turn, then reads with it.
RT static int64_t wait_and_call(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t a[6],
                                struct bis_before *before) {
  uint64_t flags = nr == 47 /* recvmsg */ ? a[2] : nr == 299 /* recvmmsg */ ? a[3] : 0, b[6];
  int64_t mode = bis_raw6(72 /* fcntl */, (int32_t)a[0], 3 /* F_GETFL */, 0, 0, 0, 0);
  if (mode < 0 || (mode & 04000 /* O_NONBLOCK */) || (flags & 0x2040 /* MSG_DONTWAIT, MSG_ERRQUEUE */) ||
      bis_is_regular_file(a[0]))
    return direct(c, plan, nr, a, before);
  uint64_t me = c->turn.current;
  uint64_t *set = (uint64_t *)(BIS_THREADS_BASE + me * BIS_THREAD_SPACE);
  int writes = nr == 278 /* vmsplice: the end of the pipe says where to */ && (mode & 3) == 1 /* O_WRONLY */;
  *set = (uint32_t)a[0] | (writes ? 4ull /* POLLOUT */ : 1ull /* POLLIN */) << 32;
  b[0] = (uint64_t)set; b[1] = 1; b[2] = ~0ull; b[3] = b[4] = b[5] = 0;
  for (;;) {
    int64_t result = bis_released(c, NR_POLL, b);
    if (result == -EINTR_ && c->threads[me].restarts) return -ERESTARTSYS_;
    if (result < 0) return result;
    if (bis_shared_arguments(c, nr, a))
      bis_bring_pages(c, nr, a, 0, plan->output_count ? BIS_PIN_OUTPUT : BIS_PIN_INPUT);
    result = without_waiting(c, plan, nr, a, before);
    if (result != -EAGAIN_) return result;
  }
}

RT int64_t bis_blocking_call(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t a[6],
                             struct bis_before *before) {
  int64_t result = -EAGAIN_;
  if (nr <= 1) {
    uint32_t type = file_type(a[0]);
    if (type == REGULAR) return direct(c, plan, nr, a, before);
    // (Who writes to an eventfd wakes somebody, who may have the turn at once.)
    if (type == PIPE || type == SOCKET) result = bis_at_once(c, plan, nr, a, before);
  }
  return result == -EAGAIN_ ? bis_waiting_call(c, plan, nr, a, before) : result;
}

RT int64_t bis_waiting_call(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t a[6],
                            struct bis_before *before) {
  struct redirection r;
  uint64_t b[6];
  uint32_t value;
  int files = nr <= 1 || (nr >= 17 && nr <= 20) || nr == 295 || nr == 296 || nr == 327 || nr == 328;
  if (files && nr > 1 && bis_is_regular_file(a[0])) return direct(c, plan, nr, a, before);
  // (What another process may change meanwhile can make it wait: not with the turn, nor with the page.)
  int may_change = is_futex_wait(nr, a) && c->shared_active && bis_touches_shared(c, a[0], a[0] + 4);
  if (nr == SYS_futex_ && !may_change && bis_copy(&value, (const void *)a[0], 4) && value != (uint32_t)a[2])
    return direct(c, plan, nr, a, before);  // EAGAIN
  if (!bis_map_threads(c)) return direct(c, plan, nr, a, before);
  if (is_futex_wait(nr, a)) bis_note_wait(c, a[0]);
  for (unsigned i = 0; i < plan->output_count; i++)
    if (plan->outputs[i].length == BIS_LEN_IOVEC || plan->outputs[i].length == BIS_LEN_MSGHDR ||
        plan->outputs[i].length == BIS_LEN_MMSGHDR)
      return wait_and_call(c, plan, nr, a, before);
  for (int i = 0; i < 6; i++) b[i] = a[i];
  r.count = 0;
  r.next = BIS_THREADS_BASE + (uint64_t)c->turn.current * BIS_THREAD_SPACE;
  r.end = r.next + BIS_THREAD_SCRATCH;
  uint32_t large = 0;
  int shared = bis_shared_arguments(c, nr, a);
  if (shared) bis_bring_pages(c, nr, a, 0, BIS_PIN_INPUT);
  if (!redirect_outputs(&r, plan, b)) {
    for (int i = 0; i < 6; i++) b[i] = a[i];
    large = take_large(c);
    r.count = 0;
    r.next = BIS_POOL_BASE + (large - 1ull) * BIS_POOL_SPACE;
    r.end = r.next + BIS_POOL_SPACE;
    if (!large || !redirect_outputs(&r, plan, b)) {
      give_large(c, large);
      return plan->output_count == 1 && files ? wait_and_call(c, plan, nr, a, before) : direct(c, plan, nr, a, before);
    }
  }
  bis_before_call(plan, b, before);
  int64_t result = bis_released(c, nr, b);
  if (shared && result != -ERESTARTSYS_ && result != -EFAULT_ && plan->output_count)
    bis_bring_pages(c, nr, a, 0, BIS_PIN_OUTPUT);
  int done = result == -ERESTARTSYS_ || copy_back(&r, plan, b, result, before);
  give_large(c, large);
  return done ? result : -EFAULT_;
}

// ---------------------------------------------------------------------------------------------
// Replay: all threads of the process run on one thread of the kernel; a hand-over swaps registers and runtime stacks
// ---------------------------------------------------------------------------------------------

/// Where a thread's vector state waits: its scratch, which replay does not use otherwise.
RT_INLINE void *state_of(uint32_t index) { return (void *)(BIS_THREADS_BASE + index * (uint64_t)BIS_THREAD_SPACE); }

extern char bis_replay_thread_start[] __attribute__((visibility("hidden")));

/// Threads stand where their number says, so that they are found at once.
RT_INLINE uint32_t first_place(uint64_t tid) { return (uint32_t)tid % BIS_MAX_THREADS; }

RT void bis_replay_thread(control *c, const struct bis_effect_range *x) {
  for (uint32_t n = 0; n < BIS_MAX_THREADS && bis_map_threads(c); n++) {
    uint32_t i = (first_place(x->address) + n) % BIS_MAX_THREADS;
    struct bis_thread *t = &c->threads[i];
    if (i == 0 || t->alive) continue;
    save(c, t);
    t->alive = 1;
    t->tid = x->address;
    t->gpr[RAX] = 0;
    t->gpr[RSP] = x->length;
    t->fs_base = x->value;
    t->name[0] = c->threads[c->turn.current % BIS_MAX_THREADS].name[0];
    t->name[1] = c->threads[c->turn.current % BIS_MAX_THREADS].name[1];
    t->resume_host = 0;
    t->stack_top = BIS_THREADS_BASE + (i + 1ull) * BIS_THREAD_SPACE - 64;
    c->turn.used = BIS_MAX_THREADS;
    c->turn.count++;
    bis_canonical_xsave(c, state_of(i));  // a thread begins with its parent's
    // What bis_switch_stack pops: six registers, then where to go.
    uint64_t *stack = (uint64_t *)t->stack_top - 7;
    zero_words(stack, 6);
    stack[6] = (uint64_t)bis_replay_thread_start;
    t->runtime_sp = (uint64_t)stack;
    return;
  }
  c->arg[0] = __LINE__;
  bis_trap(c, BIS_REASON_FATAL);
}

/// A new thread has the turn for the first time.
RT void bis_replay_thread_begin(control *c) {
  bis_replay_take_turn(c);
  bis_replay_settle(c);
}

/// The index of a thread other than the current one; NOBODY: there is none.
RT static uint32_t find_thread(control *c, uint64_t tid) {
  uint32_t me = c->turn.current;
  if (me != 0 && c->threads[0].tid == tid) return 0;
  for (uint32_t n = 0; n < BIS_MAX_THREADS; n++) {
    uint32_t i = (first_place(tid) + n) % BIS_MAX_THREADS;
    if (i != me && c->threads[i].alive && c->threads[i].tid == tid) return i;
  }
  return NOBODY;
}

RT void bis_replay_hand_over(control *c, uint32_t tid, int ends) {
  uint32_t me = c->turn.current, index = find_thread(c, tid);
  if (index == NOBODY) {
    c->arg[0] = BIS_DIVERGED_MALFORMED;
    c->arg[1] = tid;
    c->arg[2] = 0;
    bis_trap(c, BIS_REASON_DIVERGED);
    return;
  }
  struct bis_thread *t = &c->threads[me], *next = &c->threads[index];
  if (ends) {
    t->tid = 0;
    t->alive = 0;
    c->turn.count--;
  } else {
    save(c, t);
    bis_canonical_xsave(c, state_of(me));
  }
  uint64_t fs_base = 0;  // (the program may have used WRFSBASE)
  bis_raw6(SYS_arch_prctl_, 0x1003 /* ARCH_GET_FS */, (long)&fs_base, 0, 0, 0, 0);
  t->fs_base = fs_base;
  load(c, next, index);
  bis_canonical_xrstor(state_of(index));
  if (c->fs_base != fs_base) bis_raw6(SYS_arch_prctl_, 0x1002 /* ARCH_SET_FS */, (long)c->fs_base, 0, 0, 0, 0);
  bis_switch_stack(&t->runtime_sp, next->runtime_sp);
  bis_replay_take_turn(c);
}

/// A switch between two ticks: the supervisor has brought the thread to its address.
RT void bis_on_replay_switch(control *c) {
  bis_replay_preempt(c);
  bis_set_ticks(c);
}
