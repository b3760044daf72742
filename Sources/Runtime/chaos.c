// Chaos mode: random time slices, priorities and delays, so that threads meet in ways that are rare otherwise. Every
// decision comes from one seeded series of random numbers, drawn by the thread that has the turn. Docs/chaos.md.
#include "runtime.h"

/// The next of the series (xorshift64*, Vigna 2016; high bits).
RT static uint64_t draw(control *c) {
  uint64_t x = c->turn.chaos;
  x ^= x >> 12; x ^= x << 25; x ^= x >> 27;
  c->turn.chaos = x;
  return x * 0x2545F4914F6CDD1D >> 16;
}

/// Ticks that a thread may have the turn: often few, sometimes an ordinary slice.
RT uint64_t bis_chaos_slice(control *c) {
  uint64_t limit, kind = draw(c) % 8;
  if (kind < 2) limit = 8;
  else if (kind < 4) limit = 64;
  else if (kind < 6) limit = kind == 4 ? 2000 : 50000;
  else limit = kind == 6 ? 500000 : BIS_TIME_SLICE;
  return 1 + draw(c) % limit;
}

/// New priorities now and then: of four, so that some threads wait for long while others take turns.
RT static void change_priorities(control *c) {
  uint64_t now = ticks_now(c);
  if (now < c->turn.chaos_next) return;
  for (uint32_t i = 0; i < c->turn.used; i++) c->threads[i].priority = (uint32_t)draw(c) % 4;
  c->turn.chaos_next = now + (1000ull << draw(c) % 13);
}

/// Who has the turn next: the thread behind this one in the list of those that wait for it (index + 1; 0: the first).
/// Under the lock; the list is not empty.
RT uint32_t bis_chaos_choose(control *c) {
  uint32_t best = 0, before = 0, chosen = 0;
  change_priorities(c);
  for (uint32_t at = c->turn.ready_head; at; before = at, at = c->threads[at - 1].next) {
    uint32_t rank = c->threads[at - 1].priority << 16 | (uint32_t)(draw(c) & 0xFFFF);
    if (rank < best) continue;
    best = rank;
    chosen = before;
  }
  return chosen;
}

/// Whether a thread whose slice is over leaves the turn to one of those that wait. Under the lock.
RT int bis_chaos_leaves(control *c, uint32_t me) {
  change_priorities(c);
  for (uint32_t at = c->turn.ready_head; at; at = c->threads[at - 1].next)
    if (c->threads[at - 1].priority >= c->threads[me].priority) return 1;
  return 0;
}

/// Whether the switch shall not happen at this tick but some instructions further on: how many at most is in arg[0].
RT int bis_chaos_steps(control *c) {
  if (draw(c) % 4) return 0;
  c->arg[0] = 1 + draw(c) % 16;
  return 1;
}

/// Nanoseconds that a thread waits when its call has come back, before it asks for the turn.
RT uint64_t bis_chaos_delay(control *c) { return draw(c) % 8 ? 0 : draw(c) % 300000; }

/// A call is done: perhaps another slice begins, so that whom it has woken may run soon.
RT void bis_chaos_after_call(control *c) {
  if (draw(c) % 2) return;
  bis_begin_slice(c);
  bis_set_ticks(c);
}

/// A slice is over and nobody waits for the turn: those whom the kernel has woken on this CPU may come as far as that.
RT void bis_chaos_pause(control *c) {
  uint64_t moment[2];  // (an initialiser would be data)
  moment[0] = 0;
  moment[1] = 20000;
  if (draw(c) % 4) bis_raw6(24 /* sched_yield */, 0, 0, 0, 0, 0, 0);
  else bis_raw6(35 /* nanosleep */, (long)moment, 0, 0, 0, 0, 0);
}
