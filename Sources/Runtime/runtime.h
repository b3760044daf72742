// Inside the runtime: freestanding code in the recorded or replayed process. No static data, no libc, no
// vector registers; everything is in section bis_runtime, which is copied to BIS_RUNTIME_BASE.
#ifndef RUNTIME_H
#define RUNTIME_H
#include <stddef.h>
#include "bis_abi.h"
#include "outputs.h"
#include "special.h"

#define RT __attribute__((section("bis_runtime"), visibility("hidden")))
#define RT_INLINE static inline __attribute__((always_inline))

typedef struct bis_control control;
struct bis_local_effects;

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum { SYS_write_ = 1, SYS_close_ = 3, SYS_mmap_ = 9, SYS_mprotect_ = 10, SYS_munmap_ = 11, SYS_brk_ = 12,
       SYS_mremap_ = 25, SYS_madvise_ = 28, SYS_arch_prctl_ = 158, SYS_exit_ = 60, SYS_remap_file_pages_ = 216,
       SYS_open_ = 2, SYS_rt_sigprocmask_ = 14, SYS_rt_sigaction_ = 13, SYS_getpid_ = 39, SYS_gettid_ = 186,
       SYS_futex_ = 202 };
enum { ENOSYS_ = 38, EINTR_ = 4, EINVAL_ = 22, ENOMEM_ = 12, EPERM_ = 1, EBADF_ = 9, EAGAIN_ = 11, EFAULT_ = 14, ERESTARTSYS_ = 512 };
enum { PROT_READ_ = 1, PROT_WRITE_ = 2, PROT_EXEC_ = 4 };
enum { MAP_SHARED_ = 1, MAP_PRIVATE_ = 2, MAP_FIXED_ = 0x10, MAP_ANONYMOUS_ = 0x20, MAP_GROWSDOWN_ = 0x100,
       MAP_NORESERVE_ = 0x4000, MAP_FIXED_NOREPLACE_ = 0x100000 };
enum { FUTEX_WAKE_ = 1, FUTEX_PRIVATE_ = 128 };  // uapi/linux/futex.h, as the next:
#define FUTEX_WAITERS 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK 0x3FFFFFFFu

long bis_raw6(long nr, long a, long b, long c, long d, long e, long f);
long bis_raw6_interruptible(long nr, long a, long b, long c, long d, long e, long f);
long bis_raw_vfork(long nr, long a, long b, long c, long d, long e);
void bis_stop(void);
long bis_raw_released(const long words[7], volatile uint64_t *pending);
long bis_raw_thread(long flags, uint64_t stack, uint64_t *ptid, uint32_t *ctid, uint32_t index);
int bis_copy(void *to, const void *from, uint64_t count);

RT_INLINE void copy_bytes(void *to, const void *from, uint64_t n) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}
RT_INLINE void zero_words(void *to, uint64_t words) {
  __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0) : "memory");
}
RT_INLINE uint64_t read_tsc(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}
RT_INLINE uint64_t ticks_now(const control *c) {
  uint64_t sum = c->tick_done;
  for (int i = 0; i < BIS_TICK_WORDS; i++) sum += c->tick_start[i] - c->tick[i];
  return sum;
}
RT_INLINE uint64_t register_hash(const control *c) {
  uint64_t h = 0;
  for (int i = 0; i < 16; i++) {
    if (i == RCX || i == R11) continue;
    h = ((h << 5 | h >> 59) ^ c->gpr[i]) * BIS_HASH_MULTIPLIER;
  }
  return h;
}
/// The current thread's number as the program knows it, and locks hold it: c->tid is that outside of its pid namespace.
RT_INLINE uint32_t own_number(void) { return (uint32_t)bis_raw6(SYS_gettid_, 0, 0, 0, 0, 0, 0); }
RT_INLINE uint64_t page_down(uint64_t a) { return a & ~0xFFFull; }
RT_INLINE uint64_t page_up(uint64_t a) { return (a + 0xFFF) & ~0xFFFull; }

void bis_fork_child(control *c);
void bis_trap(control *c, enum bis_reason reason);             // asks the supervisor
void bis_ask_for_code(control *c, enum bis_reason reason, uint64_t argument); // the same, for a translation: arg0
void bis_set_ticks(control *c);                                 // spreads what is left until tick_target
const struct bis_translation *bis_lookup(control *c, uint64_t guest);
void bis_make_tables(void);
int bis_touches_code(control *c, uint64_t low, uint64_t high);  // overlaps a range with translations, or the region
void bis_record_syscall(control *c, const struct bis_descriptor *d);
void bis_replay_syscall(control *c, const struct bis_descriptor *d);
int bis_replay_is_call(control *c); // is the next event a system call?
void bis_record_special(control *c, const struct bis_descriptor *d);
void bis_replay_special(control *c, const struct bis_descriptor *d);
void bis_int80(control *c, const struct bis_descriptor *d);
void bis_record_settle(control *c);   // after an event: signals, checksums
void bis_replay_settle(control *c);   // after an event: what comes next without program code in between
// Memory shared with other processes (shared.c).
int bis_touches_shared(const control *c, uint64_t low, uint64_t high);
int bis_shared_arguments(const control *c, uint32_t nr, const uint64_t a[6]);
void bis_bring_pages(control *c, uint32_t nr, const uint64_t a[6], int whole, uint32_t pin); // whole: all shared mappings
/// FUTEX_WAIT, FUTEX_WAIT_BITSET
RT_INLINE int is_futex_wait(uint32_t nr, const uint64_t a[6]) { return nr == SYS_futex_ && ((a[1] & 127) == 0 || (a[1] & 127) == 9); }
// The rest of a call that was stopped half-way (partial.c).
int bis_remainder(control *c, uint32_t nr, const uint64_t a[6], uint64_t done, uint64_t b[6]);
// Files that are mapped (shared.c). What a call changes, asked before it is made.
struct bis_file_change { uint32_t known, changes; // known: 1 the file, 2 the supervisor was told, 3 nobody has mapped it
                                 uint64_t device, inode; };
void bis_before_file_change(control *c, uint32_t nr, const uint64_t a[6], struct bis_file_change *f);
void bis_opened(control *c, uint32_t nr, const uint64_t a[6], int64_t fd, uint32_t changes);
void bis_after_file_change(control *c, uint32_t nr, const uint64_t a[6], struct bis_file_change *f, int64_t result);
// Threads (threads.c).
int bis_map_threads(control *c);      // 0: there is no memory for them
RT_INLINE int has_others(const control *c) { return c->turn.count > 1 && c->vfork_depth == 0; }
void bis_preempt(control *c);         // record: the time slice is over
void bis_pause(control *c);           // record: PAUSE
void bis_release_turn(control *c);    // others may run
void bis_take_turn(control *c, uint32_t me);
void bis_thread_end(control *c);      // the current thread is gone: does not return
int64_t bis_direct_call(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t args[6],
                        struct bis_before *before);
void bis_begin_slice(control *c);     // until another thread may have the turn
int64_t bis_make_thread(control *c, uint64_t flags, uint32_t index);
void bis_woken(control *c, const uint64_t a[6]); // a futex call that woke somebody
void bis_note_wait(control *c, uint64_t address); // ... and one that waits
int64_t bis_released(control *c, uint32_t nr, const uint64_t args[6]); // the call as it stands, without the turn
int64_t bis_futex_pi(control *c, const uint64_t args[6]); // (pi.c)
int64_t bis_waiting_call(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t args[6],
                         struct bis_before *before); // without the turn
int64_t bis_at_once(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t args[6],
                    struct bis_before *before); // with it, if it has not to wait (read, write)
int bis_is_regular_file(uint64_t fd);
int64_t bis_blocking_call(control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t args[6],
                          struct bis_before *before);
void bis_replay_thread(control *c, const struct bis_effect_range *x); // makes one
void bis_replay_hand_over(control *c, uint32_t tid, int ends);        // until the current thread has the turn again
int bis_replay_preempt(control *c);   // 0: not a thread switch
// Replay under a debugger (debug.c).
int bis_debug_leave(control *c);      // on the way back to program code; 1: it stopped
int bis_debug_call(control *c, const struct bis_descriptor *d); // before a system call; 1: it is done (a diversion's)
int bis_breakpoint(control *c, uint64_t address); // 1: stop here
// Watched memory (watch.c).
void bis_watch(control *c, const struct bis_descriptor *d);         // before an instruction that may touch some
void bis_watch_special(control *c);                         // after a special one
void bis_watch_written(control *c, uint64_t address, uint64_t length, const void *bytes); // by an event, in a moment
void bis_switch_stack(uint64_t *save, uint64_t to); // runtime stacks of threads in replay
void bis_replay_take_turn(control *c);  // consumes the SWITCH event of the current thread
// Where threads run (affinity.c).
void bis_pin_start(control *c);
void bis_roam(control *c, uint32_t me, uint32_t weight);
void bis_unpin(control *c);
void bis_affinity_called(control *c, uint32_t nr, const uint64_t args[6], int64_t result);
// Chaos mode (chaos.c).
uint64_t bis_chaos_slice(control *c);
uint32_t bis_chaos_choose(control *c);
int bis_chaos_leaves(control *c, uint32_t me);
int bis_chaos_steps(control *c);
uint64_t bis_chaos_delay(control *c);
void bis_chaos_after_call(control *c);
void bis_chaos_pause(control *c);
// Filters that the program has installed (seccomp.c): SECCOMP_RET_* for a call.
uint32_t bis_seccomp(const control *c, uint32_t arch, uint32_t nr, const uint64_t args[6]);
// Robust mutexes (robust.c): the current thread ends.
uint32_t bis_robust_end(uint64_t *list);
void bis_robust_wake(const uint64_t *list, uint32_t count);

int bis_copies_may_wait(const control *c, const struct bis_plan *plan, uint32_t nr, const uint64_t args[6]); // sendfile and the like
int64_t bis_local(control *c, const struct bis_plan *plan, const uint64_t args[6], uint32_t nr, struct bis_local_effects *effects);
#endif
