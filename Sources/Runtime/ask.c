// Questions for translations. While the supervisor looks for them (bis_ask.attended), they cost two cache lines that go from one
// CPU to another, not a stop.
#include "runtime.h"

/// How long to wait until the supervisor takes a question, in cycles of the TSC (about 50 us): it does something else, or has
/// no CPU.
#define PATIENCE 150000

/// 1: resume_host and rip are set.
RT static int ask(control *c, enum bis_reason reason, uint64_t argument) {
  struct bis_ask *a = &c->ask;
  a->reason = reason;
  a->argument = argument;
  __atomic_store_n(&a->state, BIS_ASK_ASKED, __ATOMIC_SEQ_CST);
  uint64_t begin = read_tsc();
  for (;;) {
    uint32_t state = __atomic_load_n(&a->state, __ATOMIC_ACQUIRE);
    if (state == BIS_ASK_ANSWERED) break;
    int attended = __atomic_load_n(&a->attended, __ATOMIC_SEQ_CST) != 0;
    if (state == BIS_ASK_ASKED && (!attended || read_tsc() - begin > PATIENCE) &&
        __atomic_compare_exchange_n(&a->state, &state, BIS_ASK_NONE, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
      if (attended) a->withdrawn++;
      return 0;
    }
    __asm__ volatile("pause");
  }
  __atomic_store_n(&a->state, BIS_ASK_NONE, __ATOMIC_RELAXED);
  if (!a->host) return 0;
  c->rip = a->guest;
  c->resume_host = a->host;
  return 1;
}

RT void bis_ask_for_code(control *c, enum bis_reason reason, uint64_t argument) {
  if (__atomic_load_n(&c->ask.attended, __ATOMIC_RELAXED) && ask(c, reason, argument)) return;
  c->arg[0] = argument;
  bis_trap(c, reason);
}
