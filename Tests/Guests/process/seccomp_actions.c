// Seccomp filters: every action, arithmetic, stacked filters, what fork, threads and exec inherit.
// bis: variants=dynamic,static
// bis: libs=-pthread
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(v) BPF_STMT(BPF_RET | BPF_K, v)
#define ON(nr, v) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), RETURN(v)
#define COUNT(a) (sizeof(a) / sizeof *(a))

static int install(struct sock_filter *f, unsigned n, unsigned flags) {
  struct sock_fprog p = {.len = (unsigned short)n, .filter = f};
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

static void trapped(int sig, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  int here = info->si_call_addr == (void *)u->uc_mcontext.gregs[REG_RIP];
  printf("SIGSYS %d code %d errno %d call %d arch %x here %d rax %lld\n", sig, info->si_code, info->si_errno, info->si_syscall,
         info->si_arch, here, u->uc_mcontext.gregs[REG_RAX]);
  u->uc_mcontext.gregs[REG_RAX] = 4242;
}

static void child(const char *name, void (*body)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    body();
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  printf("%s: %s %d\n", name, WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void one(int nr, unsigned action) {
  struct sock_filter f[] = {LOAD(nr), ON(nr, action), RETURN(SECCOMP_RET_ALLOW)};
  if (install(f, COUNT(f), 0)) printf("install: %s\n", strerror(errno));
}

static void clocks(void) {  // the vDSO answers: no filter sees it
  struct timespec t;
  one(SYS_clock_gettime, SECCOMP_RET_KILL_PROCESS);
  printf("clock %d\n", clock_gettime(CLOCK_MONOTONIC, &t));
}
static void result(const char *what, long r) { printf("%s %ld %s\n", what, r, r < 0 ? strerror(errno) : ""); }

static void kill_process(void) { one(SYS_getppid, SECCOMP_RET_KILL_PROCESS); puts("before"); fflush(stdout); syscall(SYS_getppid); puts("after"); }
static void kill_thread(void) { one(SYS_getppid, SECCOMP_RET_KILL_THREAD | 1); signal(SIGSYS, SIG_IGN); syscall(SYS_getppid); puts("after"); }
static void unknown(void) { one(SYS_getppid, 0x12340000); syscall(SYS_getppid); puts("after"); }
static void trap_default(void) { one(SYS_getppid, SECCOMP_RET_TRAP); syscall(SYS_getppid); puts("after"); }
static void trap_blocked(void) {
  struct sigaction a = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
  sigset_t s;
  sigaction(SIGSYS, &a, 0);
  sigemptyset(&s);
  sigaddset(&s, SIGSYS);
  sigprocmask(SIG_BLOCK, &s, 0);
  one(SYS_getppid, SECCOMP_RET_TRAP);
  syscall(SYS_getppid);
  puts("after");
}
static void trap(void) {
  struct sigaction a = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &a, 0);
  one(SYS_getppid, SECCOMP_RET_TRAP | 77);
  for (int i = 0; i < 3; i++) result("trapped", syscall(SYS_getppid));
}
static void errors(void) {
  one(SYS_getppid, SECCOMP_RET_ERRNO | 95);
  result("errno", syscall(SYS_getppid));
  one(SYS_getpgrp, SECCOMP_RET_ERRNO);
  result("zero", syscall(SYS_getpgrp));
  one(SYS_getsid, SECCOMP_RET_ERRNO | 5000);
  errno = 0;
  result("capped", syscall(SYS_getsid, 0) == -1 ? errno : 0);
  fflush(stdout);
  one(SYS_write, SECCOMP_RET_ERRNO);  // returns 0 without writing
  _exit(write(1, "not written\n", 12) == 0 ? 7 : 8);
}
static void others(void) {
  one(SYS_getppid, SECCOMP_RET_LOG);
  result("log", syscall(SYS_getppid) > 0);
  one(SYS_getppid, SECCOMP_RET_TRACE | 5);
  result("trace", syscall(SYS_getppid));
  result("mode", prctl(PR_GET_SECCOMP));
  one(SYS_getppid, SECCOMP_RET_ERRNO | 11);
  result("stacked", syscall(SYS_getppid));
  one(SYS_getppid, SECCOMP_RET_ALLOW);
  result("allowed later", syscall(SYS_getppid));
}
static void strict(void) {
  fflush(stdout);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  write(1, "strict\n", 7);
  syscall(SYS_getppid);
  write(1, "after\n", 6);
}
static void strict_ends(void) {
  fflush(stdout);
  syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0);
  syscall(SYS_exit, 5);
}
static void *asks(void *p) {
  (void)p;
  long parent = syscall(SYS_getppid);
  result("in a thread", parent < 0 ? parent : 1);
  return 0;
}
static void threads(void) {
  pthread_t t;
  one(SYS_getppid, SECCOMP_RET_ERRNO | 3);
  pthread_create(&t, 0, asks, 0);
  pthread_join(t, 0);
}
static pthread_barrier_t barrier;
static void *waits(void *p) {
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  return asks(p);
}
static void synchronised(void) {
  struct sock_filter f[] = {LOAD(nr), ON(SYS_getppid, SECCOMP_RET_ERRNO | 40), RETURN(SECCOMP_RET_ALLOW)};
  pthread_t t;
  pthread_barrier_init(&barrier, 0, 2);
  pthread_create(&t, 0, waits, 0);
  pthread_barrier_wait(&barrier);
  result("tsync", install(f, COUNT(f), SECCOMP_FILTER_FLAG_TSYNC));
  pthread_barrier_wait(&barrier);
  pthread_join(t, 0);
}
static void *filters_itself(void *p) {
  one(SYS_getsid, SECCOMP_RET_ERRNO | 1);
  return waits(p);
}
static void synchronised_not(void) {
  struct sock_filter f[] = {LOAD(nr), ON(SYS_getppid, SECCOMP_RET_ERRNO | 40), RETURN(SECCOMP_RET_ALLOW)};
  pthread_t t;
  pthread_barrier_init(&barrier, 0, 2);
  pthread_create(&t, 0, filters_itself, 0);
  pthread_barrier_wait(&barrier);
  result("tsync fails", install(f, COUNT(f), SECCOMP_FILTER_FLAG_TSYNC) > 0);
  result("tsync fails", install(f, COUNT(f), SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH));
  result("not here", syscall(SYS_getppid) >= 0);
  pthread_barrier_wait(&barrier);
  pthread_join(t, 0);
}
static void *killed(void *p) {
  syscall(SYS_getppid);
  puts("after");
  return p;
}
static void thread_killed(void) {
  pthread_t t;
  one(SYS_getppid, SECCOMP_RET_KILL_THREAD);
  pthread_create(&t, 0, killed, 0);
  pthread_join(t, 0);
  puts("the other one lives");
}
static void program(void) {
  one(SYS_getppid, SECCOMP_RET_ERRNO | 6);
  one(SYS_getsid, SECCOMP_RET_ERRNO | 7);
  fflush(stdout);
  execl("/proc/self/exe", "guest", "again", (char *)0);
}
static void computes(void) {  // getppid fails with ((first argument * 3 + 10) / 2 ^ 1) & 0xff, by way of memory and x
  struct sock_filter f[] = {
      LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS),
      LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0), RETURN(SECCOMP_RET_ALLOW),
      LOAD(args[0]), BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 10),
      BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1), BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 1),
      BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 63, 1, 0),
      RETURN(SECCOMP_RET_KILL_PROCESS), BPF_STMT(BPF_LD | BPF_MEM, 3), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 2),
      BPF_STMT(BPF_MISC | BPF_TXA, 0), BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_MISC | BPF_TXA, 0),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff), BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), BPF_STMT(BPF_RET | BPF_A, 0)};
  result("install", install(f, COUNT(f), 0));
  for (int i = 1; i < 5; i++) result("computed", syscall(SYS_getppid, i));
}
static void wrong(void) {
  struct sock_filter good[] = {RETURN(SECCOMP_RET_ALLOW)}, open_end[] = {LOAD(nr)}, far[] = {BPF_STMT(BPF_JMP | BPF_JA, 5), RETURN(0)},
                     offset[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(0)}, unread[] = {BPF_STMT(BPF_LD | BPF_MEM, 1), RETURN(0)},
                     zero[] = {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0)}, modulo[] = {BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(0)},
                     halves[] = {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(0)};
  result("open end", install(open_end, 1, 0));
  result("far", install(far, 2, 0));
  result("offset", install(offset, 2, 0));
  result("unread", install(unread, 2, 0));
  result("zero", install(zero, 2, 0));
  result("modulo", install(modulo, 2, 0));
  result("halves", install(halves, 2, 0));
  result("empty", install(good, 0, 0));
  result("flag", install(good, 1, 1 << 20));
  result("pointer", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 0));
  result("operation", syscall(SYS_seccomp, 77, 0, 0));
  result("mode", prctl(PR_GET_SECCOMP));
  unsigned action = SECCOMP_RET_TRAP, none = 0x12340000;
  result("available", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
  result("available", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &none));
}
static void unprivileged(void) {
  struct sock_filter good[] = {RETURN(SECCOMP_RET_ALLOW)};
  if (geteuid() == 0 && setresuid(65534, 65534, 65534)) puts("setresuid");
  result("without no_new_privs", install(good, 1, 0));
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  result("with", install(good, 1, 0));
}

int main(int argc, char **argv) {
  if (argc > 1) {
    result("after exec", syscall(SYS_getppid));
    result("after exec", syscall(SYS_getsid, 0));
    result("mode", prctl(PR_GET_SECCOMP));
    return 9;
  }
  child("unprivileged", unprivileged);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  child("wrong", wrong);
  child("computes", computes);
  child("errors", errors);
  child("others", others);
  child("trap", trap);
  child("trap_default", trap_default);
  child("trap_blocked", trap_blocked);
  child("kill_process", kill_process);
  child("kill_thread", kill_thread);
  child("unknown", unknown);
  child("clocks", clocks);
  child("strict", strict);
  child("strict_ends", strict_ends);
  child("threads", threads);
  child("synchronised", synchronised);
  child("synchronised_not", synchronised_not);
  child("thread_killed", thread_killed);
  child("program", program);
  return 0;
}
