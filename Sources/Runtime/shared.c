// Record mode: memory that is shared with files or other processes. Each page belongs to one process at a time; the others
// cannot touch it, and neither can the kernel for them. Before a call whose arguments point into such memory, its
// pages are brought in (the supervisor does it) and pinned while the kernel uses them.
#include "runtime.h"

RT int bis_touches_shared(const control *c, uint64_t low, uint64_t high) {
  for (uint32_t i = 0; i < c->shared_count; i++)
    if (low < c->shared[i].high && high > c->shared[i].low) return 1;
  return 0;
}

/// Calls with arrays of pointers: readv, writev, preadv, pwritev, preadv2, pwritev2, sendmsg, recvmsg, sendmmsg, recvmmsg,
/// vmsplice, process_vm_readv, process_vm_writev, futex_waitv.
RT_INLINE int has_vectors(uint32_t nr) {
  return nr == 19 || nr == 20 || nr == 295 || nr == 296 || nr == 327 || nr == 328 || nr == 46 || nr == 47 || nr == 299 ||
         nr == 307 || nr == 278 || nr == 310 || nr == 311 || nr == 449;
}

RT int bis_shared_arguments(const control *c, uint32_t nr, const uint64_t a[6]) {
  if (!c->shared_active) return 0;
  if (has_vectors(nr)) return 1;
  for (int i = 0; i < 6; i++) {
    uint64_t last = i < 5 && a[i + 1] < 1ull << 40 ? a[i] + a[i + 1] : a[i];  // (the next argument is often its length)
    if (last < a[i]) last = a[i];
    if (a[i] >= 0x1000 && bis_touches_shared(c, a[i], last + 1)) return 1;
  }
  return 0;
}

RT void bis_bring_pages(control *c, uint32_t nr, const uint64_t a[6], int whole, uint32_t pin) {
  for (int i = 0; i < 6; i++) c->arg[i] = a[i];
  c->answer_arg[0] = nr;
  c->answer_arg[1] = (uint64_t)whole;
  c->answer_arg[2] = pin;
  bis_trap(c, BIS_REASON_PAGES);
}
