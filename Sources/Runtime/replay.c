// Replay mode: nothing reaches the kernel but changes of the address space; results come from the ring.
// This file knows effects, never what a system call's number means.
#include "local.h"
#include "runtime.h"

/// Where the vector state of a vfork parent waits (special.c uses the scratch area below).
#define VFORK_XSTATE (BIS_SCRATCH + 0x30000)

/// The next record, or null at the end of the tape. Stops when the segment is used up.
RT static struct bis_record *next_record(control *c) {
  if (c->ring_pos >= c->ring_end) bis_trap(c, BIS_REASON_RING);
  if (c->ring_end == 0) return 0;
  return (struct bis_record *)(BIS_RING_BASE + c->segment * BIS_SEGMENT_SIZE + c->ring_pos);
}

RT int bis_replay_is_call(control *c) {
  struct bis_record *r = next_record(c);
  return r && r->kind == BIS_KIND_SYSCALL;
}

RT static void diverged(control *c, enum bis_divergence what, uint64_t expected, uint64_t found) {
  c->arg[0] = what;
  c->arg[1] = expected;
  c->arg[2] = found;
  bis_trap(c, BIS_REASON_DIVERGED);
}

RT_INLINE int in_region(uint64_t address, uint64_t length) {
  return address < BIS_REGION_END && (address + length > BIS_REGION_BASE || address + length < address);
}

RT static int replay_effect(control *c, const struct bis_record *r);

/// The effects of the event that was taken from the ring. 0: all are done; 1: a child begins, whose tape is in the ring now; -1:
/// the tape ends before them (`what`: the event).
RT static int replay_effects(control *c, uint32_t count, uint64_t what) {
  while (count--) {
    struct bis_record *r = next_record(c);
    if (!r) {
      diverged(c, BIS_DIVERGED_END, what, 0);
      return -1;
    }
    uint32_t size = r->size;
    if (replay_effect(c, r)) return 1;
    c->ring_pos += size;
  }
  return 0;
}

/// Applies the PAGE event at hand: memory shared with other processes is as they left it.
RT static void replay_page(control *c, const struct bis_event *e) {
  uint32_t effects = e->h.effects;
  uint64_t address = e->value, length = (uint64_t)e->nr << 12, rights = e->value2 & 7;
  if (in_region(address, length)) {
    diverged(c, BIS_DIVERGED_MALFORMED, address, length);
    return;
  }
  // Translations are forgotten, too; or the debugger compares what it watches before and after.
  if (rights & PROT_EXEC_ || c->debug.flags & BIS_DEBUG_COMPARE) {
    c->arg[0] = 5;
    bis_trap(c, BIS_REASON_EVENT);
    return;
  }
  c->ring_pos += e->h.size;
  if (!(rights & PROT_WRITE_)) bis_raw6(SYS_mprotect_, (long)address, (long)length, PROT_READ_ | PROT_WRITE_, 0, 0, 0);
  if (replay_effects(c, effects, BIS_KIND_PAGE)) return;
  if (!(rights & PROT_WRITE_)) bis_raw6(SYS_mprotect_, (long)address, (long)length, (long)rights, 0, 0, 0);
  c->event_count++;
}

RT void bis_replay_settle(control *c) {
  uint64_t target = ~0ull;
  for (;;) {
    struct bis_event *e = (struct bis_event *)next_record(c);
    if (!e) break;
    uint8_t kind = e->h.kind, flags = e->h.flags;
    int immediate = kind == BIS_KIND_CHECKSUM || kind == BIS_KIND_LOST ||
                    (kind == BIS_KIND_EXIT && e->value2 == BIS_EXIT_IMMEDIATE && !(flags & BIS_FLAG_ASYNC)) ||
                    (kind == BIS_KIND_SIGNAL && !(flags & (BIS_FLAG_ASYNC | BIS_FLAG_AT_ENTRY)) &&
                     e->value != BIS_SIGNAL_FAULT);
    if (immediate) {
      c->arg[0] = 0;
      bis_trap(c, BIS_REASON_EVENT);  // consumes it
      continue;
    }
    if (kind == BIS_KIND_PAGE && !(flags & BIS_FLAG_AT_ENTRY)) {
      if (ticks_now(c) < e->ticks) {
        target = e->ticks;
      } else if (flags & BIS_FLAG_ASYNC) {
        replay_page(c, e);
        continue;
      } else {
        c->arg[0] = 3;
        bis_trap(c, BIS_REASON_EVENT);  // the supervisor waits for the access
        target = e->ticks + BIS_STRAY_TICKS;
      }
      break;
    }
    if (flags & BIS_FLAG_ASYNC && kind == BIS_KIND_SIGNAL && e->ticks <= ticks_now(c)) {
      c->arg[0] = 4;
      bis_trap(c, BIS_REASON_EVENT);  // some instructions further on, before the next tick
      break;
    }
    if (flags & BIS_FLAG_ASYNC && (kind == BIS_KIND_SIGNAL || kind == BIS_KIND_EXIT || kind == BIS_KIND_SWITCH)) target = e->ticks;
    // The program comes to the event by itself. If it does not, it is not left to run for ever (the old limit will do).
    else if (c->tick_target > e->ticks && c->tick_target != ~0ull) target = c->tick_target;
    else target = e->ticks + BIS_STRAY_TICKS;
    break;
  }
  if (c->tick_target != target) {
    c->tick_target = target;
    bis_set_ticks(c);
  }
}

RT static void replay_map(control *c, const struct bis_effect_map *m) {
  long flags = (long)(m->flags & (MAP_GROWSDOWN_ | MAP_NORESERVE_)) | MAP_PRIVATE_ | MAP_FIXED_, fd = -1;
  if (m->address < BIS_REGION_END && m->address + m->length > BIS_REGION_BASE) {
    diverged(c, BIS_DIVERGED_MALFORMED, m->address, m->length);
    return;
  }
  if (m->file >= 0) {
    c->arg[0] = 1;
    c->arg[1] = (uint64_t)m->file;
    bis_trap(c, BIS_REASON_EVENT);  // fills c->path
    fd = bis_raw6(SYS_open_, (long)c->path, 02000000, 0, 0, 0, 0);
  } else {
    flags |= MAP_ANONYMOUS_ | MAP_NORESERVE_;
  }
  long r = bis_raw6(SYS_mmap_, (long)m->address, (long)m->length, m->prot, flags, fd, (long)m->offset);
  if (fd >= 0) bis_raw6(SYS_close_, fd, 0, 0, 0, 0, 0);
  if (r != (long)m->address) diverged(c, BIS_DIVERGED_MAPPING, m->address, (uint64_t)r);
}

RT_INLINE int same_bytes(const uint8_t *a, const uint8_t *b, uint64_t n) {
  while (n--)
    if (*a++ != *b++) return 0;
  return 1;
}

/// The stack's limit decides where a runaway recursion faults. A soft limit above our hard one cannot be had.
RT static void replay_limit(uint64_t resource, uint64_t soft) {
  uint64_t limits[2];
  if (resource != 3 || bis_raw6(302, 0, 3, 0, (long)limits, 0, 0) < 0) return;
  limits[0] = soft < limits[1] ? soft : limits[1];
  bis_raw6(302, 0, 3, (long)limits, 0, 0, 0);
}

/// Replay of a fork: the supervisor has prepared a slot for the copy. 0 in the copy.
RT static int64_t replay_fork(control *c) {
  uint64_t slot = c->child_slot_offset;
  int64_t pid = bis_raw6(56 /* clone */, 0x8011 /* CLONE_PARENT | SIGCHLD: nothing for us to reap */, 0, 0, 0, 0, 0);
  if (pid == 0) {
    bis_raw6(SYS_remap_file_pages_, (long)BIS_WINDOW_BASE, BIS_WINDOW_SIZE, 0, (long)(slot >> 12), 0x10000, 0);
    bis_fork_child(c);
  }
  return pid;
}

RT static int64_t move_mapping(uint64_t from, uint64_t length, uint64_t to, uint64_t new_length) {
  int64_t result = bis_raw6(SYS_mremap_, (long)from, (long)length, (long)new_length, from == to ? 0 : 3 /* MAYMOVE, FIXED */, (long)to, 0);
  return result < 0 ? result : result == (int64_t)to ? 0 : -ENOMEM_;
}

/// mremap. What was one mapping then may be several here: pages of shared memory are protected and written one by one, and
/// the kernel does not join them again. Those move one by one; the last one grows.
RT static int64_t replay_remap(const struct bis_effect_remap *m) {
  int64_t result = move_mapping(m->old_address, m->old_length, m->new_address, m->new_length);
  if (result != -EFAULT_) return result;
  uint64_t kept = m->old_length < m->new_length ? m->old_length : m->new_length;
  if (kept < m->old_length) bis_raw6(SYS_munmap_, (long)(m->old_address + kept), (long)(m->old_length - kept), 0, 0, 0, 0);
  for (uint64_t at = 0; at < kept; at += 4096) {
    uint64_t length = at + 4096 < kept ? 4096 : m->new_length - at;
    result = move_mapping(m->old_address + at, 4096, m->new_address + at, length);
    if (result < 0) return result;
  }
  return 0;
}

/// Applies one effect record. The record lies in the ring and stays there until the next one is asked for.
/// 1 in a new process (the copy that replays the child of a fork), else 0.
RT static int replay_effect(control *c, const struct bis_record *r) {
  const struct bis_effect_range *x = (const struct bis_effect_range *)r;
  const struct bis_effect_remap *m = (const struct bis_effect_remap *)r;
  long result = 0;
  switch (r->kind) {
  case BIS_KIND_MEMORY:
    if (in_region(x->address, x->length) || x->length > BIS_MEMORY_CHUNK) {
      diverged(c, BIS_DIVERGED_MALFORMED, x->address, x->length);
      return 0;
    }
    if (x->length <= 32 && same_bytes((const uint8_t *)x->address, (const uint8_t *)((const struct bis_effect_memory *)r + 1), x->length))
      return 0;  // (it may be read-only: a call that reports a time left does not fail then)
    if (c->debug.flags & BIS_DEBUG_WATCH) bis_watch_written(c, x->address, x->length, (const struct bis_effect_memory *)r + 1);
    copy_bytes((void *)x->address, (const struct bis_effect_memory *)r + 1, x->length);
    return 0;
  case BIS_KIND_MAP:
    replay_map(c, (const struct bis_effect_map *)r);
    break;
  case BIS_KIND_UNMAP:
    if (in_region(x->address, x->length)) result = -EINVAL_;
    else result = bis_raw6(SYS_munmap_, (long)x->address, (long)x->length, 0, 0, 0, 0);
    break;
  case BIS_KIND_PROTECT:
    if (in_region(x->address, x->length)) result = -EINVAL_;
    else result = bis_raw6(SYS_mprotect_, (long)x->address, (long)x->length, (long)x->value & 7, 0, 0, 0);
    break;
  case BIS_KIND_REMAP:
    if (in_region(m->old_address, m->old_length) || in_region(m->new_address, m->new_length)) result = -EINVAL_;
    else result = replay_remap(m);
    break;
  case BIS_KIND_ADVISE:
    if (!in_region(x->address, x->length))
      result = bis_raw6(SYS_madvise_, (long)x->address, (long)x->length, 4, 0, 0, 0);
    return 0;
  case BIS_KIND_THREAD:
    bis_replay_thread(c, x);
    return 0;
  case BIS_KIND_NAME:
    c->threads[c->turn.current % BIS_MAX_THREADS].name[0] = x->address;
    c->threads[c->turn.current % BIS_MAX_THREADS].name[1] = x->length;
    return 0;
  case BIS_KIND_LIMIT:
    replay_limit(x->address, x->length);
    return 0;
  case BIS_KIND_BASES:
    c->fs_base = x->address;
    c->gs_base = x->length;
    bis_raw6(SYS_arch_prctl_, 0x1002, (long)x->address, 0, 0, 0, 0);
    return 0;
  default:
    break;
  }
  if (result < 0) {
    diverged(c, BIS_DIVERGED_MAPPING, r->kind, (uint64_t)result);
    return 0;
  }
  // Everything else, and every change of mappings that may touch code, is the supervisor's business, too.
  int ask = r->kind == BIS_KIND_MAP ? (((const struct bis_effect_map *)r)->prot & PROT_EXEC_) ||
                                          bis_touches_code(c, x->address, x->address + x->length)
          : r->kind == BIS_KIND_PROTECT ? (x->value & PROT_EXEC_) || bis_touches_code(c, x->address, x->address + x->length)
          : r->kind == BIS_KIND_UNMAP || r->kind == BIS_KIND_REMAP
              ? bis_touches_code(c, x->address, x->address + x->length)
              : 1;
  if (ask) {
    c->arg[0] = 2;
    c->arg[1] = (uint64_t)r;
    c->answer = 0;
    bis_trap(c, BIS_REASON_EVENT);
    if (c->answer == BIS_ANSWER_FORK) return replay_fork(c) == 0;
  }
  return 0;
}

/// Output that the recording wrote to bis's standard stream: kept until the buffer is full or time has passed.
RT static void echo_piece(control *c, uint64_t stamp, uint32_t stream, const uint8_t *bytes, uint64_t length) {
  while (length) {
    uint64_t part = length < BIS_MEMORY_CHUNK ? length : BIS_MEMORY_CHUNK;
    uint64_t size = sizeof(struct bis_echo) + ((part + 7) & ~7ull);
    if (c->echo_used + size > BIS_ECHO_SIZE) bis_trap(c, BIS_REASON_ECHO);
    struct bis_echo *e = (struct bis_echo *)(BIS_ECHO_BASE + c->echo_used);
    e->stamp = stamp;
    e->stream = stream;
    e->length = (uint32_t)part;
    if (!bis_copy(e + 1, bytes, part)) return;  // /dev/null takes what is not there
    c->echo_used += size;
    bytes += part;
    length -= part;
  }
}

/// The call wrote `count` bytes from its second argument: a buffer, or an iovec.
RT static void echo_write(control *c, uint64_t stamp, uint32_t stream, uint64_t count, int vector) {
  const uint64_t *iov = (const uint64_t *)c->gpr[RSI];
  if (!vector) echo_piece(c, stamp, stream, (const uint8_t *)iov, count);
  for (; vector && count; iov += 2) {
    uint64_t part = iov[1] < count ? iov[1] : count;
    echo_piece(c, stamp, stream, (const uint8_t *)iov[0], part);
    count -= part;
  }
  uint64_t now = read_tsc();
  if (now - c->echo_time > BIS_ECHO_PATIENCE) {
    c->echo_time = now;
    bis_trap(c, BIS_REASON_ECHO);
  }
}

RT_INLINE void finish_call(control *c, uint64_t result) {
  c->gpr[RAX] = result;
  c->gpr[RCX] = c->rip;
  c->gpr[R11] = c->rflags;
}

RT static int check(control *c, const struct bis_event *e, uint8_t kind, uint32_t nr, uint64_t hash) {
  uint64_t ticks = ticks_now(c);
  if (e->h.kind != kind) diverged(c, BIS_DIVERGED_KIND, e->h.kind, kind);
  else if (e->nr != nr) diverged(c, BIS_DIVERGED_NUMBER, e->nr, nr);
  else if (e->ticks != ticks) diverged(c, BIS_DIVERGED_TICKS, e->ticks, ticks);
  else if (e->rip != c->rip) diverged(c, BIS_DIVERGED_RIP, e->rip, c->rip);
  else if (e->registers != hash) diverged(c, BIS_DIVERGED_REGISTERS, e->registers, hash);
  else return 1;
  return 0;
}

/// The vfork child is gone (it ended, or is another program now): the parent goes on.
RT static void vfork_leave(control *c, const struct bis_event *e) {
  for (int i = 0; i < 16; i++) c->gpr[i] = c->vsaved[i];
  c->rip = c->vsaved[16];
  c->rflags = c->vsaved[17];
  c->resume_host = c->vsaved[18];
  if (c->fs_base != c->vsaved[19]) {
    c->fs_base = c->vsaved[19];
    bis_raw6(SYS_arch_prctl_, 0x1002, (long)c->fs_base, 0, 0, 0, 0);
  }
  c->vfork_depth--;
  bis_canonical_xrstor((const void *)VFORK_XSTATE);
  uint32_t effects = e->h.effects;
  finish_call(c, e->value);
  c->ring_pos += e->h.size;
  if (replay_effects(c, effects, BIS_KIND_VFORK_LEAVE) == 0) c->event_count++;
}

/// In place of a system call: what the tape says happened there if it was not an ordinary call. 1: done.
RT static int not_a_call(control *c, const struct bis_descriptor *d, const struct bis_event *e) {
  if (e->h.kind == BIS_KIND_SIGNAL && (e->h.flags & BIS_FLAG_AT_ENTRY)) {
    c->gpr[RCX] = c->rip;
    c->gpr[R11] = c->rflags;
    c->rip -= d->length;
    c->resume_host = 0;
    c->arg[0] = 0;
    bis_trap(c, BIS_REASON_EVENT);
    return 1;
  }
  if (e->h.kind == BIS_KIND_VFORK_LEAVE && c->vfork_depth) {
    // Killed: what it did after its last event is not known, unless it waited in this call.
    if (e->value2 && e->value2 != c->rip) diverged(c, BIS_DIVERGED_RIP, e->value2, c->rip);
    else if (e->value2 && e->ticks != ticks_now(c)) diverged(c, BIS_DIVERGED_TICKS, e->ticks, ticks_now(c));
    vfork_leave(c, e);
    return 1;
  }
  if (e->h.kind == BIS_KIND_EXIT || e->h.kind == BIS_KIND_EXEC || e->h.kind == BIS_KIND_LOST) {
    c->arg[0] = 0;
    bis_trap(c, BIS_REASON_EVENT);  // the replay of this tape ends here
    return 1;
  }
  return 0;
}

RT void bis_replay_take_turn(control *c) {
  struct bis_event *e = (struct bis_event *)next_record(c);
  if (!e || e->h.kind != BIS_KIND_SWITCH || e->tid != (uint32_t)c->tid)
    diverged(c, BIS_DIVERGED_KIND, e ? e->h.kind : 0, BIS_KIND_SWITCH);
  else if (e->ticks != ticks_now(c)) diverged(c, BIS_DIVERGED_TICKS, e->ticks, ticks_now(c));
  c->ring_pos += e->h.size;
  c->event_count++;
}

RT int bis_replay_preempt(control *c) {
  struct bis_event *e = (struct bis_event *)next_record(c);
  if (e && e->h.kind == BIS_KIND_PAGE && ticks_now(c) < e->ticks + BIS_STRAY_TICKS) {
    bis_replay_settle(c);
    return 1;
  }
  if (!e || e->h.kind != BIS_KIND_SWITCH || !(e->h.flags & BIS_FLAG_ASYNC)) return 0;
  if (e->nr == 1 && c->resume_host) {  // some instructions further on
    c->tick_target = ~0ull;
    bis_set_ticks(c);
    c->arg[0] = e->value2;
    bis_trap(c, BIS_REASON_STEP);  // goes on at bis_enter_replay_switch
    return 1;
  }
  bis_replay_hand_over(c, e->tid, 0);
  bis_replay_settle(c);
  return 1;
}

/// The current thread is gone: another one goes on, or the process ends here.
RT static void end_thread(control *c) {
  struct bis_event *e = (struct bis_event *)next_record(c);
  if (e && e->h.kind == BIS_KIND_SWITCH) bis_replay_hand_over(c, e->tid, 1);
  if (e && (e->h.kind == BIS_KIND_EXIT || e->h.kind == BIS_KIND_LOST)) {
    c->arg[0] = 0;
    bis_trap(c, BIS_REASON_EVENT);
  }
  diverged(c, BIS_DIVERGED_KIND, e ? e->h.kind : 0, BIS_KIND_SWITCH);
}

/// Memory has changed at the entry of a call, which is done nevertheless.
RT_INLINE int changes_at_entry(const struct bis_event *e) {
  return e->h.flags & BIS_FLAG_AT_ENTRY &&
         (e->h.kind == BIS_KIND_PAGE || (e->h.kind == BIS_KIND_SIGNAL && e->value == BIS_SIGNAL_CALL));
}

RT void bis_replay_syscall(control *c, const struct bis_descriptor *d) {
  struct bis_event *e = (struct bis_event *)next_record(c);
  uint64_t hash = register_hash(c);
  uint32_t nr = (uint32_t)c->gpr[RAX];
  while (e && ((e->h.kind == BIS_KIND_SWITCH && !(e->h.flags & BIS_FLAG_ASYNC)) || changes_at_entry(e))) {
    if (e->h.kind == BIS_KIND_PAGE) replay_page(c, e);
    else if (e->h.kind == BIS_KIND_SIGNAL) {
      c->rip -= d->length;
      c->arg[0] = 0;
      bis_trap(c, BIS_REASON_EVENT);
      c->rip += d->length;
    }
    else bis_replay_hand_over(c, e->tid, 0);
    e = (struct bis_event *)next_record(c);
  }
  if (!e) {
    diverged(c, BIS_DIVERGED_END, 0, nr);
    return;
  }
  if (not_a_call(c, d, e)) {
    bis_replay_settle(c);
    return;
  }
  if (!check(c, e, BIS_KIND_SYSCALL, nr, hash)) return;
  uint32_t effects = e->h.effects;
  uint8_t flags = e->h.flags;
  c->arg[3] = e->stamp;
  uint64_t value = e->value, value2 = e->value2, stamp = e->stamp;
  c->ring_pos += e->h.size;
  if (flags & BIS_FLAG_VFORK_ENTER) {
    for (int i = 0; i < 16; i++) c->vsaved[i] = c->gpr[i];
    c->vsaved[16] = c->rip; c->vsaved[17] = c->rflags; c->vsaved[18] = c->resume_host; c->vsaved[19] = c->fs_base;
    c->vfork_depth++;
    bis_canonical_xsave(c, (void *)VFORK_XSTATE);  // the parent has its own in the kernel; here both are one thread
  }
  if (!(flags & BIS_FLAG_NO_RETURN)) finish_call(c, value);
  else c->resume_host = 0;
  if ((flags & BIS_FLAG_VFORK_ENTER) && value2) c->gpr[RSP] = value2;  // the child has a stack of its own
  int end = replay_effects(c, effects, nr);
  if (end > 0) {  // the child: its tape is in the ring now
    finish_call(c, 0);
    bis_replay_settle(c);
  }
  if (end) return;
  c->event_count++;
  if (flags & BIS_FLAG_THREAD_END) {
    end_thread(c);
    return;
  }
  if (flags & (BIS_FLAG_ECHO_OUT | BIS_FLAG_ECHO_ERR)) {
    echo_write(c, stamp, flags & BIS_FLAG_ECHO_OUT ? 1 : 2, value, value2 != 0);
  }
  bis_replay_settle(c);
}

RT void bis_replay_special(control *c, const struct bis_descriptor *d) {
  struct bis_event *e = (struct bis_event *)next_record(c);
  if (!e) {
    diverged(c, BIS_DIVERGED_END, 0, d->op);
    return;
  }
  if (e->h.kind == BIS_KIND_EXIT && (e->h.flags & BIS_FLAG_ASYNC)) {  // killed before it came as far as this
    c->arg[0] = 0;
    bis_trap(c, BIS_REASON_EVENT);
    return;
  }
  if (!check(c, e, BIS_KIND_CPU, d->op, 0)) return;
  uint64_t value = e->value, value2 = e->value2;
  c->ring_pos += e->h.size;
  c->event_count++;
  bis_special_replay(c, d, value, value2);
  bis_replay_settle(c);
}

/// Nothing but the region stays.
RT static void empty_address_space(void) {
  bis_raw6(SYS_munmap_, 0x1000, (long)(BIS_REGION_BASE - 0x1000), 0, 0, 0, 0);
  bis_raw6(SYS_munmap_, (long)BIS_REGION_END, (long)(0x7FFFFFFFF000 - BIS_REGION_END), 0, 0, 0, 0);
}

/// Prepares a process that others begin as copies of: they get the region, with nothing in what is private there.
RT void bis_replay_template(void) {
  empty_address_space();
  bis_raw6(SYS_madvise_, BIS_PRIVATE_BASE, BIS_PRIVATE_SIZE, 18 /* MADV_WIPEONFORK */, 0, 0, 0);
}

/// Consumes the START event: nothing but the region stays, then the event's effects build the program.
RT void bis_replay_start(control *c) {
  struct bis_event *e = (struct bis_event *)next_record(c);
  if (!e || e->h.kind != BIS_KIND_START) {
    diverged(c, BIS_DIVERGED_KIND, BIS_KIND_START, e ? e->h.kind : 0);
    return;
  }
  if (*(volatile uint64_t *)BIS_FAST_TABLE == 0) {  // a template's copy
    bis_raw6(SYS_madvise_, BIS_PRIVATE_BASE, BIS_PRIVATE_SIZE, 19 /* MADV_KEEPONFORK */, 0, 0, 0);
    bis_make_tables();
  } else {
    empty_address_space();
  }
  uint32_t effects = e->h.effects;
  c->ring_pos += e->h.size;
  if (replay_effects(c, effects, BIS_KIND_START)) return;
  c->event_count++;
  c->resume_host = 0;
  bis_replay_settle(c);
}
