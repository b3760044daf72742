// Priority-inheritance futexes (futex(2), kernel/futex/pi.c), in record mode. The kernel would write the word when it wakes
// somebody, at a time that no tape knows; here who has the turn writes it, and waiting is a plain wait. Priorities are not
// inherited: one thread runs at a time, whatever its priority. (Waits are not of the private kind: robust.c does not know which
// kind to wake.)
#include "log.h"

enum { LOCK = 6, UNLOCK = 7, TRYLOCK = 8, LOCK2 = 13, WAIT_BITSET = 9, REALTIME = 256 };
enum { EDEADLK_ = 35, ESRCH_ = 3, ETIMEDOUT_ = 110 };

/// Somebody waits from here on, which the owner must see when it frees the lock: long before this call ends. So the tape has it
/// as a change at the call's entry. 0: no such memory.
RT static int announce(control *c, uint64_t at, uint32_t value) {
  if (!bis_copy((void *)at, &value, 4)) return 0;
  struct bis_event *e = log_event(c, BIS_KIND_PAGE, 1, BIS_FLAG_AT_ENTRY, 1, at & ~4095ull, 0, 0, 0);
  e->value2 = PROT_READ_ | PROT_WRITE_;
  log_memory(c, at, 4);
  log_commit(c);
  return 1;
}

/// Takes the lock, or says why not: EAGAIN if somebody else holds it, whose number and flags are in `value` then.
RT static int64_t take(uint64_t at, uint32_t more, uint32_t *value) {
  uint32_t me = own_number();
  if (!bis_copy(value, (const void *)at, 4)) return -EFAULT_;
  if ((*value & FUTEX_TID_MASK) == me) return -EDEADLK_;
  if (*value & FUTEX_TID_MASK)
    return bis_raw6(200 /* tkill */, *value & FUTEX_TID_MASK, 0, 0, 0, 0, 0) == -ESRCH_ ? -ESRCH_ : -EAGAIN_;
  uint32_t mine = (*value & (FUTEX_OWNER_DIED | FUTEX_WAITERS)) | more | me;
  return bis_copy((void *)at, &mine, 4) ? 0 : -EFAULT_;
}

RT static int64_t lock_pi(control *c, const uint64_t a[6]) {
  uint64_t *limit = (uint64_t *)(BIS_THREADS_BASE + (uint64_t)c->turn.current * BIS_THREAD_SPACE), b[6];
  uint32_t value, more = 0;
  if (!bis_map_threads(c)) return -ENOMEM_;
  if (a[3]) {
    if (!bis_copy(limit, (const void *)a[3], 16)) return -EFAULT_;
    if ((int64_t)limit[0] < 0 || limit[1] >= 1000000000) return -EINVAL_;
  }
  b[0] = a[0]; b[1] = WAIT_BITSET; b[3] = a[3] ? (uint64_t)limit : 0; b[4] = 0; b[5] = 0xFFFFFFFF;
  if ((a[1] & 127) == LOCK || a[1] & REALTIME) b[1] |= REALTIME;
  for (;;) {
    int64_t result = take(a[0], more, &value);
    if (result != -EAGAIN_) return result;
    if (!(value & FUTEX_WAITERS) && !announce(c, a[0], value | FUTEX_WAITERS)) return -EFAULT_;
    bis_note_wait(c, a[0]);
    b[2] = value | FUTEX_WAITERS;
    result = bis_released(c, SYS_futex_, b);
    if (result == -ETIMEDOUT_) return result;
    if (result < 0 && c->pending_signals) return -ERESTARTSYS_;  // as the kernel: whatever the handler's SA_RESTART says
    if (result == 0) more = FUTEX_WAITERS;  // there may be others, of whom the word says nothing any more
  }
}

RT static int64_t unlock_pi(control *c, const uint64_t a[6]) {
  uint32_t value, nobody = 0;
  if (!bis_copy(&value, (const void *)a[0], 4)) return -EFAULT_;
  if ((value & FUTEX_TID_MASK) != own_number()) return -EPERM_;
  if (!bis_copy((void *)a[0], &nobody, 4)) return -EFAULT_;
  if (bis_raw6(SYS_futex_, (long)a[0], FUTEX_WAKE_, 1, 0, 0, 0) > 0) bis_woken(c, a);
  return 0;
}

RT int64_t bis_futex_pi(control *c, const uint64_t a[6]) {
  uint32_t value;
  if (a[0] & 3) return -EINVAL_;
  switch (a[1] & 127) {
  case LOCK: case LOCK2: return lock_pi(c, a);
  case TRYLOCK: return take(a[0], 0, &value);
  default: return unlock_pi(c, a);
  }
}
