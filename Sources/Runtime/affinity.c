// The threads of a process take turns, so they run on one CPU: a hand-over there costs a fifth of one across CPUs. The
// kernel chooses that CPU anew from time to time (bis_roam). The program is told of the CPUs that it may use.
#include "runtime.h"

enum { NR_SETAFFINITY = 203, NR_GETAFFINITY = 204, NR_GETCPU = 309 };

/// The CPU that the thread is on, + 1; 0: it has no place in the mask.
RT static uint32_t this_cpu(void) {
  uint32_t cpu = ~0u;
  bis_raw6(NR_GETCPU, (long)&cpu, 0, 0, 0, 0, 0);
  return cpu < 1024 ? cpu + 1 : 0;
}

RT static void allow_all(control *c, struct bis_thread *t) {
  bis_raw6(NR_SETAFFINITY, 0, c->turn.mask_size, (long)c->turn.mask, 0, 0, 0);
  t->cpu = 0;
}

/// Puts the thread where the others run.
RT static void pin(control *c, struct bis_thread *t) {
  struct bis_turn *turn = &c->turn;
  if (turn->pinning == BIS_PIN_ON && turn->count <= 1 && t->cpu) {  // (it may have other threads again)
    turn->cpu = 0;
    turn->pinning = BIS_PIN_OFF;
  }
  if (t->cpu == turn->cpu) return;
  if (!turn->cpu) {
    allow_all(c, t);
    return;
  }
  uint64_t one[16];
  zero_words(one, 16);
  one[(turn->cpu - 1) / 64] = 1ull << ((turn->cpu - 1) % 64);
  if (bis_raw6(NR_SETAFFINITY, 0, turn->mask_size, (long)one, 0, 0, 0) == 0) t->cpu = turn->cpu;
  else turn->cpu = 0;  // that CPU is gone
}

/// A second thread is about to be made.
RT void bis_pin_start(control *c) {
  struct bis_turn *turn = &c->turn;
  if (turn->pinning != BIS_PIN_OFF) return;
  long size = bis_raw6(NR_GETAFFINITY, 0, sizeof turn->mask, (long)turn->mask, 0, 0, 0);
  turn->mask_size = size > 0 ? (uint32_t)size : 0;
  turn->cpu = size > 0 ? this_cpu() : 0;
  turn->pinning = turn->cpu ? BIS_PIN_ON : BIS_PIN_NEVER;
  pin(c, &c->threads[turn->current]);
}

/// Thread number `me` has the turn, and has used `weight` of it or is to use it: now and then the kernel may choose the
/// CPU of one thread, the roamer. Where it is when it has the turn next, there the others go.
RT void bis_roam(control *c, uint32_t me, uint32_t weight) {
  struct bis_turn *turn = &c->turn;
  struct bis_thread *t = &c->threads[me];
  if (turn->pinning == BIS_PIN_ON) {
    turn->patience += weight;
    if (turn->roamer == me + 1) {
      turn->cpu = this_cpu();
      turn->roamer = 0;
    } else if (turn->patience > (turn->roamer ? 0x4000 : 0x1000)) {
      turn->patience = 0;
      turn->roamer = me + 1;
      allow_all(c, t);
      return;
    }
  }
  pin(c, t);
}

/// The current thread leaves the process's turns (exec, a child's own life).
RT void bis_unpin(control *c) {
  if (c->turn.pinning == BIS_PIN_ON) allow_all(c, &c->threads[c->turn.current]);
}

RT static struct bis_thread *thread_of(control *c, int32_t tid) {
  if (tid == 0) return &c->threads[c->turn.current];
  for (uint32_t i = 0; i < c->turn.used; i++)
    if (c->threads[i].alive && c->threads[i].tid == (uint64_t)tid) return &c->threads[i];
  return 0;
}

/// The program has called sched_setaffinity or sched_getaffinity.
RT void bis_affinity_called(control *c, uint32_t nr, const uint64_t a[6], int64_t result) {
  if (result < 0 || c->turn.pinning == BIS_PIN_OFF) return;
  struct bis_thread *t = thread_of(c, (int32_t)a[0]);
  if (!t) return;
  if (nr == NR_GETAFFINITY && t->cpu) {
    bis_copy((void *)a[2], c->turn.mask, (uint64_t)result);
  } else if (nr == NR_SETAFFINITY) {  // the program places its threads itself
    t->cpu = 0;
    c->turn.cpu = 0;
    c->turn.pinning = BIS_PIN_NEVER;
    pin(c, &c->threads[c->turn.current]);
  }
}
