// A small debugger: breakpoints by POKE, single steps, registers and memory that it changes, calls that it changes or skips.
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int shared = 5;
static const char fixed[16] = "constant";

__attribute__((noinline)) int work(int a, int b) {
  __asm__ volatile("" ::: "memory");
  return a * b + shared;
}
__attribute__((noinline)) int loop(int n) {
  int sum = 0;
  for (int i = 0; i < n; i++) sum += work(i, 3);
  return sum;
}

static int tracee(void) {
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  raise(SIGSTOP);
  int sum = loop(4);
  printf("sum %d, shared %d, %s\n", sum, shared, fixed);
  fflush(stdout);
  long a = syscall(SYS_getppid);
  long b = write(1, "short\n", 6);
  long c = syscall(SYS_getuid);
  printf("a %ld b %ld c %ld\n", a, b, c);
  double x = 1.5;
  __asm__ volatile("int3" : "+x"(x));
  printf("x %g\n", x);
  fflush(stdout);
  return 7;
}

static pid_t pid;
static int status;
static void check(int ok, const char *what) {
  if (ok) return;
  printf("failed: %s (%s), status %x\n", what, strerror(errno), status);
  fflush(stdout);
  kill(pid, SIGKILL);
  exit(1);
}
static int go(int request, int signal) {
  check(ptrace(request, pid, 0, signal) == 0, "resume");
  check(waitpid(pid, &status, 0) == pid, "wait");
  return WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}
static struct user_regs_struct regs(void) {
  struct user_regs_struct r;
  check(ptrace(PTRACE_GETREGS, pid, 0, &r) == 0, "getregs");
  return r;
}
static long peek(const volatile void *at) {
  errno = 0;
  long v = ptrace(PTRACE_PEEKTEXT, pid, at, 0);
  check(errno == 0, "peek");
  return v;
}

int main(void) {
  pid = fork();
  if (pid == 0) _exit(tracee());
  check(waitpid(pid, &status, 0) == pid && WSTOPSIG(status) == SIGSTOP, "first stop");
  ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);

  // A breakpoint; the arguments are changed each time; steps over it, and a few more.
  long code = peek(work), trap = (code & ~0xFFL) | 0xCC;
  check(ptrace(PTRACE_POKETEXT, pid, work, trap) == 0, "poke");
  for (int i = 0; i < 4; i++) {
    check(go(PTRACE_CONT, 0) == SIGTRAP, "breakpoint");
    struct user_regs_struct r = regs();
    check(r.rip == (uintptr_t)work + 1, "address of the breakpoint");
    printf("work(%lld, %lld)\n", r.rdi, r.rsi);
    r.rip = (uintptr_t)work;
    if (i == 2) r.rdi = 100;
    check(ptrace(PTRACE_SETREGS, pid, 0, &r) == 0, "setregs");
    check(ptrace(PTRACE_POKETEXT, pid, work, code) == 0, "poke");
    int steps = 0;
    do {
      check(go(PTRACE_SINGLESTEP, 0) == SIGTRAP, "step");
      steps++;
      if (steps == 2 && i == 1) {
        long v = peek(&shared);
        check(ptrace(PTRACE_POKEDATA, pid, &shared, (v & ~0xFFFFFFFFL) | 1000) == 0, "poke data");
      }
      r = regs();
    } while (r.rip >= (uintptr_t)work && r.rip < (uintptr_t)loop && steps < 50);
    printf("returned %d\n", (int)r.rax);
    check(ptrace(PTRACE_POKETEXT, pid, work, trap) == 0, "poke");
  }
  check(ptrace(PTRACE_POKETEXT, pid, work, code) == 0, "poke");
  // Read-only memory.
  long word;
  memcpy(&word, "CONSTANT", 8);
  check(ptrace(PTRACE_POKEDATA, pid, fixed, word) == 0, "poke constant");
  check(ptrace(PTRACE_POKEDATA, pid, 8, word) == -1 && errno == EIO, "poke nothing");

  // System calls: a result, arguments, another call, none.
  int entry = 0;
  for (;;) {
    int s = go(PTRACE_SYSCALL, 0);
    if (s == SIGTRAP) break;
    check(s == (SIGTRAP | 0x80), "call");
    entry = !entry;
    struct user_regs_struct r = regs();
    if (r.orig_rax == SYS_getppid && !entry) r.rax = 4711;
    else if (r.orig_rax == SYS_write && entry && r.rdx == 6) r.rdx = 5;
    else if (r.orig_rax == SYS_write && !entry && r.rax == 5) r.rax = 55;
    else if (r.orig_rax == SYS_getuid && entry) r.orig_rax = -1;
    else continue;
    check(ptrace(PTRACE_SETREGS, pid, 0, &r) == 0, "setregs in a call");
  }

  // Vector registers, at an int3 of the program's own.
  struct user_fpregs_struct fp;
  check(ptrace(PTRACE_GETFPREGS, pid, 0, &fp) == 0, "getfpregs");
  double x;
  int found = -1;
  for (int i = 0; i < 16; i++) {
    memcpy(&x, &fp.xmm_space[4 * i], 8);
    if (x == 1.5) found = i;
  }
  check(found >= 0, "1.5");
  x = 2.25;
  memcpy(&fp.xmm_space[4 * found], &x, 8);
  check(ptrace(PTRACE_SETFPREGS, pid, 0, &fp) == 0, "setfpregs");
  errno = 0;
  long rip = ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, rip), 0);
  check(rip == (long)regs().rip, "peekuser");
  check(go(PTRACE_CONT, 0) == -1, "end");
  printf("exit %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  return 0;
}
