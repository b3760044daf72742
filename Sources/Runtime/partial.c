// Record mode: a call that was stopped half-way on the recorder's behalf (a page of its buffer was taken by another
// process, a signal came that the program ignores) has transferred a part, where without a recorder it would have gone on.
// So it goes on with the rest. And reads and writes that need not wait at all.
#include "runtime.h"

enum { NR_WRITE = 1, NR_PWRITE = 18, NR_WRITEV = 20, NR_SENDTO = 44, NR_RECVFROM = 45, NR_SENDMSG = 46, NR_PWRITEV = 296,
       NR_PWRITEV2 = 328, NR_GETRANDOM = 318, MSG_WAITALL_ = 0x100 };
#define LONGEST 0x7FFFF000ull  // MAX_RW_COUNT, fs/read_write.c
enum { MAX_VECTORS = 1024, WORDS = 7 /* struct user_msghdr */ };

/// The vectors at `from` without their first `done` bytes, at `to`; their number, 0: there is nothing left, or no such memory.
RT static uint64_t cut_vectors(uint64_t *to, uint64_t from, uint64_t count, uint64_t done) {
  uint64_t kept = 0, left = 0;
  if (count > MAX_VECTORS) return 0;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t v[2];
    if (!bis_copy(v, (const void *)(from + i * 16), 16)) return 0;
    uint64_t skipped = v[1] < done ? v[1] : done;
    done -= skipped;
    if (!kept && skipped == v[1]) continue;
    to[2 * kept] = v[0] + skipped;
    to[2 * kept++ + 1] = v[1] - skipped;
    left += v[1] - skipped;
  }
  return left ? kept : 0;
}

/// The call that does what is left of `a` when `done` bytes are transferred, in `b`. 0: nothing, or it cannot be told.
RT int bis_remainder(control *c, uint32_t nr, const uint64_t a[6], uint64_t done, uint64_t b[6]) {
  uint64_t *scratch = (uint64_t *)(BIS_THREADS_BASE + (uint64_t)c->turn.current * BIS_THREAD_SPACE), length = a[2];
  for (int i = 0; i < 6; i++) b[i] = a[i];
  switch (nr) {
  case NR_GETRANDOM:
    b[0] = a[0] + done;
    b[1] = a[1] - done;
    return done < a[1];
  case NR_PWRITE: b[3] = a[3] + done; break;
  case NR_RECVFROM:
    if (!(a[3] & MSG_WAITALL_) || a[4]) return 0;
    break;
  case NR_WRITE: case NR_SENDTO: break;
  case NR_PWRITEV: case NR_PWRITEV2:
    if (a[3] != ~0ull) b[3] = a[3] + done;
    // fall through
  case NR_WRITEV:
    if (!bis_map_threads(c)) return 0;
    b[1] = (uint64_t)scratch;
    return (b[2] = cut_vectors(scratch, a[1], a[2], done)) != 0;
  case NR_SENDMSG: {
    if (!bis_map_threads(c) || !bis_copy(scratch, (const void *)a[1], WORDS * 8)) return 0;
    scratch[3] = cut_vectors(scratch + WORDS, scratch[2], scratch[3], done);
    scratch[2] = (uint64_t)(scratch + WORDS);
    scratch[4] = scratch[5] = 0;  // (descriptors and credentials went with the first part)
    b[1] = (uint64_t)scratch;
    return scratch[3] != 0;
  }
  default: return 0;
  }
  if (length > LONGEST) length = LONGEST;
  if (done >= length) return 0;
  b[1] = a[1] + done;
  b[2] = length - done;
  return 1;
}

/// A read or write that has not to wait is done with the turn. -EAGAIN: it has. (Where reads always have, that is looked at
/// now and then only.)
RT int64_t bis_at_once(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t a[6],
                       struct bis_before *before) {
  enum { NOWAIT = 8, PREADV2 = 327, PWRITEV2 = 328, EOPNOTSUPP_ = 95 };
  uint64_t b[6], vector[2];
  if (c->turn.chaos || !a[2] /* (an empty datagram) */ || bis_shared_arguments(c, nr, a)) return -EAGAIN_;
  if (!nr && c->read_waits >= 4 && ++c->read_waits % 8) return -EAGAIN_;
  vector[0] = a[1]; vector[1] = a[2];
  b[0] = a[0]; b[1] = (uint64_t)vector; b[2] = 1; b[3] = b[4] = ~0ull; b[5] = NOWAIT;
  int64_t result = bis_direct_call(c, plan, nr ? PWRITEV2 : PREADV2, b, before);
  if (result == -EOPNOTSUPP_) result = -EAGAIN_;
  if (!nr) c->read_waits = result == -EAGAIN_ ? c->read_waits + 1 : 0;
  if (!nr || result <= 0 || (uint64_t)result >= a[2]) return result;
  if (bis_raw6(72 /* fcntl */, (int32_t)a[0], 3 /* F_GETFL */, 0, 0, 0, 0) & 04000 /* O_NONBLOCK */) return result;
  b[1] = a[1] + (uint64_t)result;
  b[2] = a[2] - (uint64_t)result;
  int64_t rest = bis_waiting_call(c, plan, nr, b, before);
  return rest > 0 ? result + rest : result;
}
