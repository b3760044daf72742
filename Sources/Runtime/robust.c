// Robust mutexes of a thread that ends: what the kernel does in exit_robust_list (kernel/futex/core.c, Linux 6.12), done
// here, so that it happens in the recorded order and stands on the tape.
#include "runtime.h"

enum { LIMIT = 2048 /* ROBUST_LIST_LIMIT */, WAKE_IT = 1 };

/// The list at `next` of the current thread's head, and a lock that it was about to take or free.
struct head { uint64_t next, offset, pending; };

/// One futex word of the thread that ends. 1: it has changed (or, WAKE_IT: a waiter is to be woken).
RT static int owner_dies(uint64_t at, int is_pi, int is_pending, uint64_t *entry) {
  uint32_t value;
  *entry = at;
  if (at & 3 || !bis_copy(&value, (const void *)at, 4)) return 0;
  if (is_pending && !is_pi && !(value & FUTEX_TID_MASK)) {
    *entry |= WAKE_IT;
    return 1;
  }
  if ((value & FUTEX_TID_MASK) != own_number()) return 0;
  uint32_t died = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
  if (!bis_copy((void *)at, &died, 4)) return 0;
  if (value & FUTEX_WAITERS) *entry |= WAKE_IT;  // (who waits for a priority-inheritance lock then takes it: pi.c)
  return 1;
}

/// Marks the locks that the current thread holds. Returns how many entries `list` has (room for 2,050): addresses, with
/// bit 0 set where somebody waits.
RT uint32_t bis_robust_end(uint64_t *list) {
  uint64_t at = 0, length = 0, count = 0;
  struct head head;
  if (bis_raw6(274 /* get_robust_list */, 0, (long)&at, (long)&length, 0, 0, 0) < 0 || !at ||
      length != sizeof head || !bis_copy(&head, (const void *)at, sizeof head))
    return 0;
  uint64_t entry = head.next, pending = head.pending & ~1ull;
  for (unsigned n = 0; n < LIMIT && (entry & ~1ull) != at; n++) {
    uint64_t next, place = entry & ~1ull;
    int readable = bis_copy(&next, (const void *)place, 8);
    if (place != pending) count += (uint64_t)owner_dies(place + head.offset, entry & 1, 0, &list[count]);
    if (!readable) break;
    entry = next;
  }
  if (pending) count += (uint64_t)owner_dies(pending + head.offset, head.pending & 1, 1, &list[count]);
  return (uint32_t)count;
}

RT void bis_robust_wake(const uint64_t *list, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (list[i] & WAKE_IT) bis_raw6(SYS_futex_, (long)(list[i] & ~3ull), FUTEX_WAKE_, 1, 0, 0, 0);
}
