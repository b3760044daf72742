// What every mode needs: looking translations up, ticks, stops, boot.
#include "local.h"
#include "runtime.h"

RT void bis_trap(control *c, enum bis_reason reason) {
  c->stats[BIS_STAT_TRAPS]++;
  c->reason = reason;
  bis_stop();
}

RT void bis_set_ticks(control *c) {
  uint64_t done = ticks_now(c);
  uint64_t share = 1ull << 60, target = c->tick_target;
  if (c->debug.flags & BIS_DEBUG_TICKS && c->debug.ticks < target) target = c->debug.ticks;
  if (target != ~0ull) {
    uint64_t left = target > done ? target - done : 0;
    share = left == 0 ? 1 : (left - 1) / BIS_TICK_WORDS + 1;
  }
  c->tick_done = done;
  // The supervisor may set pending_signals (and the words) at any instruction: look again after the words are set.
  for (;;) {
    for (int i = 0; i < BIS_TICK_WORDS; i++) c->tick[i] = c->tick_start[i] = share;
    __asm__ volatile("" : : : "memory");
    if (share == 1 || !*(volatile uint64_t *)&c->pending_signals) return;
    share = 1;
  }
}

/// The range of translated code that holds `guest`, or null. Ranges are sorted and disjoint.
RT_INLINE const struct bis_range *find_range(const control *c, uint64_t guest) {
  uint64_t low = 0, high = c->range_count;
  while (low < high) {
    uint64_t middle = (low + high) / 2;
    const struct bis_range *r = &c->ranges[middle];
    if (guest < r->low) high = middle;
    else if (guest >= r->high) low = middle + 1;
    else return r;
  }
  return 0;
}

RT int bis_touches_code(control *c, uint64_t low, uint64_t high) {
  if (low < BIS_REGION_END && high > BIS_REGION_BASE) return 1;
  for (uint64_t i = 0; i < c->range_count; i++)
    if (low < c->ranges[i].high && high > c->ranges[i].low) return 1;
  return 0;
}

void bis_reset_fast_table(void);

RT const struct bis_translation *bis_lookup(control *c, uint64_t guest) {
  const struct bis_range *r = find_range(c, guest);
  c->stats[BIS_STAT_LOOKUPS]++;
  if (!r) return 0;
  const volatile struct bis_translation *table = (const struct bis_translation *)r->table;
  uint64_t slot = (guest * BIS_HASH_MULTIPLIER) >> 32;
  for (uint64_t probes = 0; probes <= r->mask; probes++, slot++) {
    const volatile struct bis_translation *t = &table[slot & r->mask];
    if (t->guest == guest) return (const struct bis_translation *)t;
    if (t->guest == 0) return 0;
  }
  return 0;
}

/// Called on the way out: makes sure that resume_host is set.
RT void bis_find(control *c) {
  while (c->resume_host == 0) {
    if (c->debug.stale_targets) {
      c->debug.stale_targets = 0;
      bis_reset_fast_table();
    }
    const struct bis_translation *t = bis_lookup(c, c->rip);
    if (t && t->body) c->resume_host = BIS_CODE_BASE + t->body;
    else bis_ask_for_code(c, BIS_REASON_MISS, c->rip);  // sets resume_host, or another rip (a fault)
  }
}

/// On the way back to program code: every entry of the runtime ends here.
RT void bis_find_way(control *c) {
  bis_find(c);
  while (c->debug.flags && bis_debug_leave(c)) bis_find(c);  // (the supervisor may have moved the program)
}

RT void bis_on_exit_direct(control *c) {
  c->resume_host = 0;
  bis_ask_for_code(c, BIS_REASON_EXIT_DIRECT, (uint32_t)c->descriptor);
}

/// The vsyscall page: three addresses that are system calls (asm/vsyscall.h); they return to the caller's caller. A kernel may
/// have none: the program faults there.
RT static int vsyscall(control *c, uint64_t target) {
  if ((target & ~0xC00ull) != 0xFFFFFFFFFF600000ull || target == 0xFFFFFFFFFF600C00ull) return 0;
  struct bis_descriptor d;
  uint64_t next;
  int is_there = c->mode == BIS_MODE_RECORD ? (int)tables()->has_vsyscall : bis_replay_is_call(c);
  if (!is_there) return 0;
  if (!bis_peek(c->gpr[RSP], &next)) return 0;
  c->tick_done++;  // the indirect transfer itself
  c->gpr[RAX] = target == 0xFFFFFFFFFF600000ull ? 96 : target == 0xFFFFFFFFFF600400ull ? 201 : 309;
  c->gpr[RSP] += 8;
  c->rip = d.guest_next = next;
  c->resume_host = 0;
  d.op = 0;
  d.length = 0;
  if (c->mode == BIS_MODE_RECORD) bis_record_syscall(c, &d);
  else bis_replay_syscall(c, &d);
  return 1;
}

/// Beside every indirect entry stands one for returns: behind a short jump over it, or before the entry (Entries.swift).
RT_INLINE int is_return(uint64_t indirect) { return *(const uint8_t *)(indirect + 7) == 0xEB; }
RT_INLINE uint64_t return_entry(uint64_t indirect) { return is_return(indirect) ? indirect + 9 : indirect - 7; }

/// Remembers where an indirect transfer led, in one of the two tables: what is in the wrong one only displaces others.
/// Nobody says which kind of transfer it was. The table that knows the target already was not asked; otherwise return
/// points are for returns, and a wrong guess is put right at the next miss.
RT_INLINE void remember(uint64_t target, uint64_t entry) {
  uint64_t *jumps = (uint64_t *)BIS_FAST_TABLE + (target & 0xFFFF);
  uint64_t *returns = (uint64_t *)BIS_RETURN_TABLE + (target & 0xFFFF);
  uint64_t return_to = return_entry(entry);
  if (*returns == return_to || (*jumps != entry && !is_return(entry))) *jumps = entry;
  else *returns = return_to;
}

RT void bis_on_indirect_miss(control *c) {
  uint64_t target = c->spill[BIS_SPILL_TARGET];
  c->stats[BIS_STAT_INDIRECT_MISSES]++;
  if (vsyscall(c, target)) return;
  c->rip = target;
  c->resume_host = 0;
  const struct bis_translation *t = bis_lookup(c, target);
  if (t && t->indirect) c->resume_host = BIS_CODE_BASE + t->indirect;
  else bis_ask_for_code(c, BIS_REASON_MISS_INDIRECT, target);
  // A supervisor that moved rip elsewhere (fault) leaves resume_host 0.
  if (!c->resume_host) return;
  remember(target, c->resume_host);
}

RT void bis_on_expired(control *c) {
  c->stats[BIS_STAT_EXPIRIES]++;
  c->resume_host = c->descriptor;  // rcx = address of the body
  uint64_t done = ticks_now(c);
  c->tick_done = done;
  for (int i = 0; i < BIS_TICK_WORDS; i++) c->tick_start[i] = c->tick[i];
  if (c->mode == BIS_MODE_REPLAY) {
    if (c->debug.flags & BIS_DEBUG_TICKS && done >= c->debug.ticks) {
      c->debug.flags &= ~(uint64_t)BIS_DEBUG_TICKS;
      c->arg[0] = BIS_DEBUG_AT_TICKS;
      bis_trap(c, BIS_REASON_DEBUG);
    }
    while (ticks_now(c) >= c->tick_target)
      if (!bis_replay_preempt(c)) {
        bis_trap(c, BIS_REASON_EXPIRED);
        break;
      }
  } else {
    if (!c->pending_signals && done >= c->tick_target) bis_preempt(c);
    if (c->pending_signals) bis_trap(c, BIS_REASON_EXPIRED);
  }
  bis_set_ticks(c);
}

RT void bis_on_syscall(control *c) {
  // (A copy: the translation may be given up while the call waits.)
  const struct bis_descriptor d = *(const struct bis_descriptor *)c->descriptor;
  c->stats[BIS_STAT_SYSCALLS]++;
  c->rip = d.guest_next;
  c->resume_host = c->descriptor + sizeof d;
  if (c->mode == BIS_MODE_RECORD) bis_record_syscall(c, &d);
  else if (!c->debug.flags || !bis_debug_call(c, &d)) bis_replay_syscall(c, &d);
}

RT void bis_on_special(control *c) {
  const struct bis_descriptor *d = (const struct bis_descriptor *)c->descriptor;
  c->rip = d->guest_next;
  c->resume_host = (uint64_t)(d + 1);
  if (d->op == BIS_SPECIAL_PAUSE) {
    if (c->mode == BIS_MODE_RECORD) bis_pause(c);
    return;
  }
  c->stats[BIS_STAT_SPECIALS]++;
  if (d->op == BIS_SPECIAL_BREAKPOINT) {
    if (bis_breakpoint(c, d->guest_next)) {
      c->arg[0] = BIS_DEBUG_AT_BREAKPOINT;
      bis_trap(c, BIS_REASON_DEBUG);
    }
    return;
  }
  if (d->op >= BIS_SPECIAL_WATCH) {
    bis_watch(c, d);
    return;
  }
  // (A copy, for the supervisor, too: the translation may be given up while a page of the operand is waited for.)
  const struct bis_descriptor copy = *d;
  d = &copy;
  c->descriptor = (uint64_t)d;
  if (d->op == BIS_SPECIAL_INT80) {
    bis_int80(c, d);
    return;
  }
  int live = c->debug.flags & BIS_DEBUG_LIVE;
  if (c->mode == BIS_MODE_REPLAY && !live && bis_special_reads(d)) {
    bis_replay_special(c, d);
    return;
  }
  int outcome = bis_special(c, d);
  if (outcome == 0 && c->debug.flags & BIS_DEBUG_WATCH) bis_watch_special(c);
  if (outcome == 1) {
    if (live) return;
    bis_record_special(c, d);
  } else if (outcome != 0) {  // a fault at the instruction: the supervisor makes it the program's
    c->rip -= d->length;
    c->resume_host = 0;
    c->arg[0] = d->op;
    c->arg[1] = (uint64_t)outcome;
    bis_trap(c, BIS_REASON_SPECIAL);
  }
}

extern char bis_enter_return_miss[] __attribute__((visibility("hidden")));
extern char bis_enter_indirect_miss[] __attribute__((visibility("hidden")));
RT static void fill(uint64_t table, const char *entry) {
  uint64_t count = BIS_FAST_TABLE_SIZE / 8;
  // (The supervisor may call in the middle of program code, whose direction flag this is.)
  __asm__ volatile("cld; rep stosq" : "+D"(table), "+c"(count) : "a"(entry) : "memory");
}

/// Forgets every indirect target that this process has looked up (at first, and after translations went away).
RT void bis_reset_fast_table(void) {
  bis_raw6(SYS_madvise_, BIS_LANDINGS_BASE, BIS_LANDINGS_SIZE, 4 /* MADV_DONTNEED: as in the file again */, 0, 0, 0);
  fill(BIS_FAST_TABLE, bis_enter_indirect_miss);
  fill(BIS_RETURN_TABLE, bis_enter_return_miss);
}

/// Makes the tables of indirect targets, all of which is about to be written: one page of 2 MiB is cheaper than 256 small
/// ones, there and later.
RT void bis_make_tables(void) {
  bis_raw6(SYS_madvise_, BIS_PRIVATE_BASE, BIS_PRIVATE_SIZE, 14 /* MADV_HUGEPAGE */, 0, 0, 0);
  bis_raw6(SYS_madvise_, BIS_FAST_TABLE, BIS_FAST_TABLE_SIZE, 23 /* MADV_POPULATE_WRITE */, 0, 0, 0);
  bis_raw6(SYS_madvise_, BIS_RETURN_TABLE, BIS_FAST_TABLE_SIZE, 23, 0, 0, 0);
  bis_reset_fast_table();
}

/// Maps the region; runs on the program's stack, once. `slot` is this process's offset in the rings file.
RT void bis_boot(long region_fd, uint64_t slot, const char *rings_path, uint64_t vdso, uint64_t vdso_length) {
  long error = 0;
  long rings = (long)rings_path;  // (or a descriptor)
  if (rings >= 0x10000) rings = bis_raw6(SYS_open_, rings, 02000002 /* O_RDWR|O_CLOEXEC */, 0, 0, 0, 0);
  if (rings < 0) error = rings;
#define MAP_AT(base, size, prot, flags, fd, offset)                                                                  \
  if (error == 0) {                                                                                                  \
    long r = bis_raw6(SYS_mmap_, (long)(base), (long)(size), (prot), (flags) | MAP_FIXED_NOREPLACE_, (fd), (long)(offset)); \
    if (r != (long)(base)) error = r < 0 ? r : -ENOMEM_;                                                             \
  }
  MAP_AT(BIS_WINDOW_BASE, BIS_WINDOW_SIZE, 3, MAP_SHARED_, rings, slot)
  MAP_AT(BIS_SHARED_BASE, 0x1000, 3, MAP_SHARED_, rings, 0)
  MAP_AT(BIS_TABLES_BASE, BIS_TABLES_SIZE, 1, MAP_SHARED_, region_fd, BIS_FILE_TABLES)
  MAP_AT(BIS_DOMAINS_BASE, BIS_DOMAINS_SIZE, 1, MAP_SHARED_ | MAP_NORESERVE_, region_fd, BIS_FILE_DOMAINS)
  MAP_AT(BIS_CODE_BASE, BIS_CODE_SIZE, 5, MAP_SHARED_ | MAP_NORESERVE_, region_fd, BIS_FILE_CODE)
  MAP_AT(BIS_PRIVATE_BASE, BIS_PRIVATE_SIZE, 3, MAP_PRIVATE_ | MAP_ANONYMOUS_, -1, 0)
  MAP_AT(BIS_LANDINGS_BASE, BIS_LANDINGS_SIZE, 3, MAP_PRIVATE_, region_fd, BIS_FILE_LANDINGS)
#undef MAP_AT
  if (rings >= 0) bis_raw6(SYS_close_, rings, 0, 0, 0, 0, 0);
  bis_raw6(SYS_close_, region_fd, 0, 0, 0, 0, 0);
  if (vdso_length) bis_raw6(SYS_munmap_, (long)vdso, (long)vdso_length, 0, 0, 0, 0);
  bis_raw6(SYS_arch_prctl_, 0x1001 /* ARCH_SET_GS */, (long)BIS_WINDOW_BASE, 0, 0, 0, 0);
  control *c = (control *)BIS_WINDOW_BASE;
  if (error) {  // the window may be missing: tell by registers
    __asm__ volatile("int3" : : "a"(error), "d"(0x626973626f6f74ull));
  }
  bis_raw6(SYS_madvise_, BIS_WINDOW_BASE, BIS_WINDOW_SIZE, 1 /* MADV_RANDOM: no read-ahead of zeros */, 0, 0, 0);
  bis_make_tables();
  c->arg[1] = (uint64_t)bis_raw6(SYS_brk_, 0, 0, 0, 0, 0, 0);
  c->reason = BIS_REASON_BOOT;
}

/// A fork child begins, with its own window. Translations of memory that its parent alone has now are not for it.
RT void bis_fork_child(control *c) {
  if (!c->answer_arg[4]) return;
  c->answer_arg[4] = 0;
  c->resume_host = 0;
  bis_reset_fast_table();
}
