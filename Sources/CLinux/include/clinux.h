// The kernel, as Swift cannot see it: raw system calls, ptrace, and everything that happens between fork and exec.
//
// Return convention of every function that calls the kernel: a value >= 0, or -errno. libc's errno is never touched, so
// nothing that runs in between (a destructor, an allocation) can spoil an error. Header-only: release builds inline it.
// Kernel 5.4 or newer; what needs more says so.
#ifndef BIS_CLINUX_H
#define BIS_CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <linux/ptrace.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BIS_INLINE static inline __attribute__((always_inline, unused))
#define BIS_FUNCTION static inline __attribute__((unused))

// MARK: Raw system calls

BIS_INLINE long bis_syscall6(long nr, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
BIS_INLINE long bis_syscall5(long nr, long a, long b, long c, long d, long e) {
  return bis_syscall6(nr, a, b, c, d, e, 0);
}
BIS_INLINE long bis_syscall4(long nr, long a, long b, long c, long d) { return bis_syscall6(nr, a, b, c, d, 0, 0); }
BIS_INLINE long bis_syscall3(long nr, long a, long b, long c) { return bis_syscall6(nr, a, b, c, 0, 0, 0); }
BIS_INLINE long bis_syscall2(long nr, long a, long b) { return bis_syscall6(nr, a, b, 0, 0, 0, 0); }
BIS_INLINE long bis_syscall1(long nr, long a) { return bis_syscall6(nr, a, 0, 0, 0, 0, 0); }
BIS_INLINE long bis_syscall0(long nr) { return bis_syscall6(nr, 0, 0, 0, 0, 0, 0); }

// MARK: Files

BIS_FUNCTION long bis_open(const char *path, int flags, unsigned mode) {
  return bis_syscall4(SYS_openat, AT_FDCWD, (long)path, flags, mode);
}
BIS_FUNCTION long bis_close(int fd) { return bis_syscall1(SYS_close, fd); }
BIS_FUNCTION long bis_read(int fd, void *to, size_t count) { return bis_syscall3(SYS_read, fd, (long)to, (long)count); }
BIS_FUNCTION long bis_write(int fd, const void *from, size_t count) {
  return bis_syscall3(SYS_write, fd, (long)from, (long)count);
}
/// The offset is unsigned: /proc/PID/mem takes all 64 bits.
BIS_FUNCTION long bis_pread(int fd, void *to, size_t count, uint64_t offset) {
  return bis_syscall4(SYS_pread64, fd, (long)to, (long)count, (long)offset);
}
BIS_FUNCTION long bis_pwrite(int fd, const void *from, size_t count, uint64_t offset) {
  return bis_syscall4(SYS_pwrite64, fd, (long)from, (long)count, (long)offset);
}
BIS_FUNCTION long bis_fallocate(int fd, int mode, uint64_t offset, uint64_t length) {
  return bis_syscall4(SYS_fallocate, fd, mode, (long)offset, (long)length);
}
BIS_FUNCTION long bis_ftruncate(int fd, uint64_t length) { return bis_syscall2(SYS_ftruncate, fd, (long)length); }
/// x86-64: the kernel's struct stat is libc's.
BIS_FUNCTION long bis_fstat(int fd, struct stat *out) { return bis_syscall2(SYS_fstat, fd, (long)out); }
BIS_FUNCTION long bis_stat(const char *path, struct stat *out) {
  return bis_syscall4(SYS_newfstatat, AT_FDCWD, (long)path, (long)out, 0);
}
/// Is `path` in memory (tmpfs, a memory file)? The first word of struct statfs says so.
BIS_FUNCTION int bis_is_in_memory(const char *path) {
  long words[16];
  return bis_syscall2(SYS_statfs, (long)path, (long)words) == 0 && words[0] == 0x01021994;
}
/// May the *effective* user execute `path`? (faccessat2 is 5.8; before it, the real user is asked.)
BIS_FUNCTION long bis_may_execute(const char *path) {
  long result = bis_syscall4(SYS_faccessat2, AT_FDCWD, (long)path, 1 /* X_OK */, 0x200 /* AT_EACCESS */);
  if (result == -38 /* ENOSYS */ || result == -1 /* EPERM: an old container filter */)
    result = bis_syscall3(SYS_faccessat, AT_FDCWD, (long)path, 1);
  return result;
}
/// A memory file. MFD_NOEXEC_SEAL (6.3) forbids execve of it, not PROT_EXEC mappings, and is what works under every
/// setting of vm.memfd_noexec; older kernels answer EINVAL and get the call without it.
BIS_FUNCTION long bis_memfd_create(const char *name) {
  long result = bis_syscall2(SYS_memfd_create, (long)name, 0x0001 /* CLOEXEC */ | 0x0008 /* NOEXEC_SEAL */);
  if (result == -22 /* EINVAL */) result = bis_syscall2(SYS_memfd_create, (long)name, 0x0001);
  return result;
}
BIS_FUNCTION long bis_fcntl(int fd, int command, long argument) {
  return bis_syscall3(SYS_fcntl, fd, command, argument);
}
BIS_FUNCTION long bis_pidfd_open(int pid, unsigned flags) { return bis_syscall2(SYS_pidfd_open, pid, flags); }
BIS_FUNCTION long bis_pidfd_send_signal(int pidfd, int signal) {
  return bis_syscall4(SYS_pidfd_send_signal, pidfd, signal, 0, 0);
}
/// Another process's descriptor, as our own.
BIS_FUNCTION long bis_pidfd_getfd(int pidfd, int fd) { return bis_syscall3(SYS_pidfd_getfd, pidfd, fd, 0); }
/// Sends a byte and `count` (at most 8) descriptors through a Unix socket.
BIS_FUNCTION long bis_send_descriptors(int socket, const int *fds, unsigned count) {
  char byte = 0;
  union { struct cmsghdr head; char room[CMSG_SPACE(8 * sizeof(int))]; } control;
  struct iovec data = {&byte, 1};
  struct msghdr message = {0};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = CMSG_LEN(count * sizeof(int));
  control.head.cmsg_len = message.msg_controllen;
  control.head.cmsg_level = SOL_SOCKET;
  control.head.cmsg_type = SCM_RIGHTS;
  for (unsigned i = 0; i < count; i++) ((int *)CMSG_DATA(&control.head))[i] = fds[i];
  return bis_syscall3(SYS_sendmsg, socket, (long)&message, 0x4000 /* MSG_NOSIGNAL */);
}
/// 0: the same object; 1, 2: less, greater; 3: unordered. `type` is KCMP_FILE, KCMP_VM, ...
BIS_FUNCTION long bis_kcmp(int pid1, int pid2, int type, unsigned long index1, unsigned long index2) {
  return bis_syscall5(SYS_kcmp, pid1, pid2, type, (long)index1, (long)index2);
}
BIS_FUNCTION int bis_is_terminal(int fd) {
  char termios[64];
  return bis_syscall3(SYS_ioctl, fd, 0x5401 /* TCGETS */, (long)termios) == 0;
}

// MARK: Memory

BIS_FUNCTION long bis_mmap(uint64_t address, size_t length, int protection, int flags, int fd, uint64_t offset) {
  return bis_syscall6(SYS_mmap, (long)address, (long)length, protection, flags, fd, (long)offset);
}
BIS_FUNCTION long bis_munmap(uint64_t address, size_t length) {
  return bis_syscall2(SYS_munmap, (long)address, (long)length);
}
/// Moves a shared mapping to another page of the same file. Always MAP_NONBLOCK: without it the kernel populates.
BIS_FUNCTION long bis_remap_file_pages(uint64_t address, size_t length, uint64_t page) {
  return bis_syscall5(SYS_remap_file_pages, (long)address, (long)length, 0, (long)page, MAP_NONBLOCK);
}
BIS_FUNCTION long bis_process_vm_readv(int tid, uint64_t address, void *to, size_t count) {
  struct iovec local = {to, count}, remote = {(void *)address, count};
  return bis_syscall6(SYS_process_vm_readv, tid, (long)&local, 1, (long)&remote, 1, 0);
}
BIS_FUNCTION long bis_process_vm_writev(int tid, uint64_t address, const void *from, size_t count) {
  struct iovec local = {(void *)from, count}, remote = {(void *)address, count};
  return bis_syscall6(SYS_process_vm_writev, tid, (long)&local, 1, (long)&remote, 1, 0);
}
/// PAGEMAP_SCAN (Linux 6.7) of a /proc/PID/pagemap: pages of [start, end) that are there or swapped out, as at most `count`
/// regions of three words (start, end, categories). Returns how many; `walked`: how far it got.
BIS_FUNCTION long bis_pagemap_scan(int fd, uint64_t start, uint64_t end, uint64_t *regions, size_t count,
                                   uint64_t *walked) {
  uint64_t present = 1 << 3 | 1 << 4;  // PAGE_IS_PRESENT, PAGE_IS_SWAPPED
  // struct pm_scan_arg: size, flags, start, end, walk_end, vec, vec_len, max_pages, and four masks
  uint64_t arg[12] = {sizeof arg, 0, start, end, 0, (uint64_t)regions, count, 0, 0, 0, present, present};
  long result = bis_syscall3(SYS_ioctl, fd, 0xC0606610, (long)arg);
  *walked = arg[4];
  return result;
}
/// `timeout` is relative for FUTEX_WAIT, absolute for FUTEX_WAIT_BITSET; null waits for ever.
BIS_FUNCTION long bis_futex(const void *word, int operation, uint32_t value, const struct timespec *timeout,
                            const void *word2, uint32_t value3) {
  return bis_syscall6(SYS_futex, (long)word, operation, value, (long)timeout, (long)word2, value3);
}

// MARK: Scheduling and limits

BIS_FUNCTION long bis_gettid(void) { return bis_syscall0(SYS_gettid); }
/// The CPU that the caller runs on.
BIS_FUNCTION long bis_current_cpu(void) {
  unsigned cpu = 0;
  bis_syscall3(SYS_getcpu, (long)&cpu, 0, 0);
  return cpu;
}
/// Pins thread `tid` (0: the caller) to one CPU.
BIS_FUNCTION long bis_set_affinity(int tid, int cpu) {
  uint64_t mask[64] = {0};
  if (cpu < 0 || cpu >= 4096) return -22;
  mask[cpu / 64] = 1ull << (cpu % 64);
  return bis_syscall3(SYS_sched_setaffinity, tid, sizeof mask, (long)mask);
}
/// Raw masks of `words` 64-bit words. get returns the number of bytes the kernel wrote.
BIS_FUNCTION long bis_set_affinity_mask(int tid, const uint64_t *mask, size_t words) {
  return bis_syscall3(SYS_sched_setaffinity, tid, (long)(words * 8), (long)mask);
}
BIS_FUNCTION long bis_get_affinity_mask(int tid, uint64_t *mask, size_t words) {
  return bis_syscall3(SYS_sched_getaffinity, tid, (long)(words * 8), (long)mask);
}
BIS_FUNCTION long bis_get_nofile(uint64_t out[2]) {
  return bis_syscall4(SYS_prlimit64, 0, 7 /* RLIMIT_NOFILE */, 0, (long)out);
}
/// Raises this process's soft limit of open files to its hard limit. Capture what programs inherit first.
BIS_FUNCTION long bis_raise_nofile(void) {
  uint64_t limit[2];
  long result = bis_get_nofile(limit);
  if (result < 0) return result;
  limit[0] = limit[1];
  return bis_syscall4(SYS_prlimit64, 0, 7, (long)limit, 0);
}

// MARK: The CPU

BIS_FUNCTION void bis_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t *out) {
  __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(subleaf));
}
/// Faults (#UD) unless CPUID.1:ECX.OSXSAVE, and (#GP) for an index the CPU has not.
BIS_FUNCTION uint64_t bis_xgetbv(uint32_t index) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
  return (uint64_t)high << 32 | low;
}
BIS_FUNCTION uint64_t bis_rdtsc(void) {
  uint32_t low, high;
  __asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}

// MARK: ptrace and waiting

/// As the kernel has it: PEEK stores through `data` and returns 0.
BIS_FUNCTION long bis_ptrace(long request, int tid, uint64_t address, uint64_t data) {
  return bis_syscall4(SYS_ptrace, request, tid, (long)address, (long)data);
}
BIS_FUNCTION long bis_wait4(int pid, int *status, int options) {
  return bis_syscall4(SYS_wait4, pid, (long)status, options, 0);
}
/// What wait4 would report for `tid`, left in place: 1 and a wait4 status, or 0 when `hang` is 0 and there is nothing.
BIS_FUNCTION long bis_peek_wait(int tid, int hang, int *status) {
  siginfo_t info;
  info.si_pid = 0;
  long result = bis_syscall5(SYS_waitid, P_PID, tid, (long)&info,
                             WEXITED | WSTOPPED | WNOWAIT | __WALL | __WNOTHREAD | (hang ? 0 : WNOHANG), 0);
  if (result < 0) return result;
  if (info.si_pid == 0) return 0;
  switch (info.si_code) {
    case CLD_EXITED: *status = (info.si_status & 0xff) << 8; break;
    case CLD_KILLED: *status = info.si_status & 0x7f; break;
    case CLD_DUMPED: *status = (info.si_status & 0x7f) | 0x80; break;
    default: *status = (int)((unsigned)info.si_status << 8 | 0x7f); break;
  }
  return 1;
}

BIS_INLINE int bis_wait_exited(int status) { return (status & 0x7f) == 0; }
BIS_INLINE int bis_wait_exit_status(int status) { return status >> 8 & 0xff; }
BIS_INLINE int bis_wait_stopped(int status) { return (status & 0xff) == 0x7f; }
/// Bit 7 is set at syscall stops (PTRACE_O_TRACESYSGOOD).
BIS_INLINE int bis_wait_stop_signal(int status) { return status >> 8 & 0xff; }
BIS_INLINE int bis_wait_event(int status) { return (unsigned)status >> 16; }
BIS_INLINE int bis_wait_signaled(int status) { return (status & 0x7f) != 0 && (status & 0xff) != 0x7f; }
BIS_INLINE int bis_wait_term_signal(int status) { return status & 0x7f; }
BIS_INLINE int bis_wait_core_dumped(int status) { return (status & 0x80) != 0; }

BIS_FUNCTION long bis_kill(int pid, int signal) { return bis_syscall2(SYS_kill, pid, signal); }
BIS_FUNCTION long bis_tkill(int tid, int signal) { return bis_syscall2(SYS_tkill, tid, signal); }

// MARK: Starting a program

/// What a program gets from its parent and bis may have changed for itself meanwhile. Capture it first thing in main.
struct bis_inherited {
  uint64_t blocked;  ///< signal mask
  uint64_t ignored;  ///< bit n-1: signal n is SIG_IGN
  uint64_t nofile[2];
};

struct bis_kernel_sigaction { uint64_t handler, flags, restorer, mask; };

BIS_FUNCTION void bis_capture_inherited(struct bis_inherited *out) {
  out->blocked = out->ignored = 0;
  bis_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)&out->blocked, 8);
  for (int signal = 1; signal <= 64; signal++) {
    struct bis_kernel_sigaction action = {0, 0, 0, 0};
    if (bis_syscall4(SYS_rt_sigaction, signal, 0, (long)&action, 8) == 0 && action.handler == 1)
      out->ignored |= 1ull << (signal - 1);
  }
  if (bis_get_nofile(out->nofile) < 0) out->nofile[0] = out->nofile[1] = 0;
}

enum {
  BIS_SPAWN_DISABLE_ASLR = 1,  ///< best effort: container filters forbid it
};

enum { BIS_STAGE_PIPE = 1, BIS_STAGE_FORK, BIS_STAGE_SEIZE, BIS_STAGE_DESCRIPTOR, BIS_STAGE_DIRECTORY, BIS_STAGE_EXEC };

/// What the child writes when it cannot become the program.
struct bis_spawn_failure { int32_t stage, code; };

struct bis_spawn {
  const char *path;
  char *const *argv;
  char *const *envp;
  const char *directory;               ///< or null
  const struct bis_inherited *inherited;
  const int *descriptors;              ///< pairs (of bis, of the program); the copies are not CLOEXEC
  size_t descriptor_pairs;
  uint64_t options;                    ///< PTRACE_O_*
  int flags;                           ///< BIS_SPAWN_*
  int failed_stage;                    ///< out, when the call fails
  int failure_fd;                      ///< out: end of file after exec, else a struct bis_spawn_failure
};

/// The child: raw calls on the fork's copied stack, nothing of libc or Swift. Never returns.
BIS_FUNCTION void bis_spawn_child(const struct bis_spawn *spawn, int go, int failure) {
  struct bis_spawn_failure report = {BIS_STAGE_EXEC, 0};
  char byte;
  long got;
  do got = bis_read(go, &byte, 1); while (got == -4 /* EINTR */);
  if (got != 1) bis_syscall1(SYS_exit_group, 127);  // the tracer is gone: never run untraced

  // All signals stay blocked until exec; the tracer sets the program's mask at the exec stop.
  for (int signal = 1; signal <= 64; signal++) {
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    struct bis_kernel_sigaction action = {spawn->inherited->ignored >> (signal - 1) & 1, 0, 0, 0};
    bis_syscall4(SYS_rt_sigaction, signal, (long)&action, 0, 8);
  }
  if (spawn->flags & BIS_SPAWN_DISABLE_ASLR) {
    long persona = bis_syscall1(SYS_personality, 0xffffffff);
    if (persona >= 0) bis_syscall1(SYS_personality, persona | 0x0040000 /* ADDR_NO_RANDOMIZE */);
  }
  for (size_t i = 0; i < spawn->descriptor_pairs && report.code == 0; i++) {
    int from = spawn->descriptors[2 * i], to = spawn->descriptors[2 * i + 1];
    long result = from == to ? bis_fcntl(from, F_SETFD, 0) : bis_syscall3(SYS_dup3, from, to, 0);
    if (result < 0) report = (struct bis_spawn_failure){BIS_STAGE_DESCRIPTOR, (int32_t)-result};
  }
  // After the copies: the program's limit may be below their numbers.
  if (spawn->inherited->nofile[1] != 0) bis_syscall4(SYS_prlimit64, 0, 7, (long)spawn->inherited->nofile, 0);
  if (report.code == 0 && spawn->directory) {
    long result = bis_syscall1(SYS_chdir, (long)spawn->directory);
    if (result < 0) report = (struct bis_spawn_failure){BIS_STAGE_DIRECTORY, (int32_t)-result};
  }
  if (report.code == 0)
    report.code = (int32_t)-bis_syscall3(SYS_execve, (long)spawn->path, (long)spawn->argv, (long)spawn->envp);
  bis_write(failure, &report, sizeof report);
  for (;;) bis_syscall1(SYS_exit_group, 127);
}

/// Forks a child, seizes it with `options` and lets it exec: its first stop is PTRACE_EVENT_EXEC (or PTRACE_EVENT_EXIT,
/// or death, when it could not), with all signals blocked. Returns its pid, or -errno with `failed_stage`; then nothing
/// is left behind. The caller closes `failure_fd`. Recipe: inject.md section 1.
BIS_FUNCTION long bis_spawn_traced(struct bis_spawn *spawn) {
  int go[2], failure[2];
  long result;
  spawn->failure_fd = -1;
  spawn->failed_stage = BIS_STAGE_PIPE;
  if ((result = bis_syscall2(SYS_pipe2, (long)go, O_CLOEXEC)) < 0) return result;
  if ((result = bis_syscall2(SYS_pipe2, (long)failure, O_CLOEXEC)) < 0) {
    bis_close(go[0]), bis_close(go[1]);
    return result;
  }
  uint64_t all = ~0ull, before;
  bis_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&before, 8);
  spawn->failed_stage = BIS_STAGE_FORK;
  // Not libc's fork: no atfork handlers, and the child calls nothing that could hold a lock.
  long pid = bis_syscall5(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    bis_close(go[1]);
    bis_spawn_child(spawn, go[0], failure[1]);
  }
  bis_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, 8);
  bis_close(failure[1]);
  if ((result = pid) >= 0) {
    spawn->failed_stage = BIS_STAGE_SEIZE;
    result = bis_ptrace(PTRACE_SEIZE, (int)pid, 0, spawn->options);
    char byte = 0;
    if (result >= 0) result = bis_write(go[1], &byte, 1);
    if (result < 0) {
      int status;
      bis_kill((int)pid, SIGKILL);
      // An exit stop (TRACEEXIT) is a stop like any other: let it go on dying.
      while (bis_wait4((int)pid, &status, __WALL) >= 0 && bis_wait_stopped(status))
        bis_ptrace(PTRACE_CONT, (int)pid, 0, 0);
    }
  }
  bis_close(go[0]), bis_close(go[1]);  // not before the write: no SIGPIPE when the child was killed
  if (result < 0) {
    bis_close(failure[0]);
    return result;
  }
  spawn->failed_stage = 0;
  spawn->failure_fd = failure[0];
  return pid;
}

#ifdef __cplusplus
}
#endif

/// Bits of AT_HWCAP2 (arch/x86/include/uapi/asm/hwcap2.h).
static inline unsigned long bis_hwcap2(void) { return getauxval(AT_HWCAP2); }

/// MXCSR_MASK of this CPU (FXSAVE, SDM vol. 1, 11.6.6); 0 means 0xFFBF.
static inline unsigned bis_mxcsr_mask(void) {
  unsigned char image[512] __attribute__((aligned(16)));
  __builtin_memset(image, 0, sizeof image);
  __asm__ volatile("fxsave %0" : "=m"(image));
  return *(unsigned *)(image + 28);
}

#endif
