// Attaching: to a process that computes, to one that waits in a call, to one that is stopped; letting go again.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile long flag;
static int ends[2], answer[2];

static int computes(void) {
  while (!flag) {}
  return 11;
}
static int waits(void) {
  char c;
  return read(ends[0], &c, 1) == 1 ? c : 99;
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
static void start(int (*what)(void)) {
  char c = 0;
  pid = fork();
  if (pid == 0) {
    write(answer[1], &c, 1);
    _exit(what());
  }
  read(answer[0], &c, 1);
}
static void await(const char *what) { check(waitpid(pid, &status, __WALL) == pid, what); }
static void finish(const char *what) {
  await(what);
  printf("%s: exit %d\n", what, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  fflush(stdout);
}
static int event(void) { return status >> 16; }

int main(void) {
  if (pipe(ends) || pipe(answer)) return 1;

  start(computes);
  check(ptrace(PTRACE_SEIZE, pid, 0, 0) == 0, "seize");
  errno = 0;
  check(ptrace(PTRACE_PEEKDATA, pid, &flag, 0) == -1 && errno == ESRCH, "it runs");
  check(ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0, "interrupt");
  await("interrupted");
  check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP && event() == PTRACE_EVENT_STOP, "event stop");
  check(ptrace(PTRACE_POKEDATA, pid, &flag, 1) == 0, "poke");
  check(ptrace(PTRACE_CONT, pid, 0, 0) == 0, "cont");
  finish("seized");

  start(computes);
  check(ptrace(PTRACE_ATTACH, pid, 0, 0) == 0, "attach");
  await("attached");
  check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "stop signal");
  check(ptrace(PTRACE_ATTACH, pid, 0, 0) == -1 && errno == EPERM, "attached twice");
  check(ptrace(PTRACE_POKEDATA, pid, &flag, 1) == 0, "poke");
  check(ptrace(PTRACE_DETACH, pid, 0, 0) == 0, "detach");
  check(ptrace(PTRACE_CONT, pid, 0, 0) == -1 && errno == ESRCH, "not ours any more");
  finish("attached");

  // A call that waits: stopped in it, it goes on waiting.
  start(waits);
  usleep(20000);
  check(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD) == 0, "seize");
  check(ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0, "interrupt");
  await("interrupted");
  struct user_regs_struct r;
  check(ptrace(PTRACE_GETREGS, pid, 0, &r) == 0, "getregs");
  printf("in call %lld, result %lld\n", r.orig_rax, r.rax);
  check(ptrace(PTRACE_CONT, pid, 0, 0) == 0, "cont");
  usleep(20000);
  check(waitpid(pid, &status, WNOHANG) == 0, "it waits again");
  check(ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0, "interrupt");
  await("interrupted again");
  // ... and with system calls seen, it begins the call anew.
  check(ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0, "syscall");
  await("entry");
  check(WSTOPSIG(status) == (SIGTRAP | 0x80), "entry stop");
  check(ptrace(PTRACE_GETREGS, pid, 0, &r) == 0, "getregs");
  printf("entry of %lld\n", r.orig_rax);
  check(ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0, "syscall");
  write(ends[1], "\x21", 1);
  await("exit");
  check(ptrace(PTRACE_GETREGS, pid, 0, &r) == 0, "getregs");
  printf("exit of %lld: %lld\n", r.orig_rax, r.rax);
  check(ptrace(PTRACE_DETACH, pid, 0, 0) == 0, "detach");
  finish("waiting");

  // A call that waits, changed: it returns what the tracer says.
  start(waits);
  usleep(20000);
  check(ptrace(PTRACE_ATTACH, pid, 0, 0) == 0, "attach");
  await("attached");
  check(ptrace(PTRACE_GETREGS, pid, 0, &r) == 0, "getregs");
  r.rax = -1;
  r.orig_rax = -1;
  check(ptrace(PTRACE_SETREGS, pid, 0, &r) == 0, "setregs");
  check(ptrace(PTRACE_DETACH, pid, 0, 0) == 0, "detach");
  finish("cancelled");

  // Stopped by a signal before: listens until it is continued.
  start(waits);
  kill(pid, SIGSTOP);
  check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status), "stopped");
  check(ptrace(PTRACE_SEIZE, pid, 0, 0) == 0, "seize");
  check(ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0, "interrupt");
  await("group stop");
  printf("group stop %d, event %d\n", WSTOPSIG(status), event());
  check(ptrace(PTRACE_LISTEN, pid, 0, 0) == 0, "listen");
  kill(pid, SIGCONT);
  for (;;) {
    await("continued");
    if (!WIFSTOPPED(status)) break;
    if (event() == PTRACE_EVENT_STOP && WSTOPSIG(status) == SIGSTOP) {
      check(ptrace(PTRACE_LISTEN, pid, 0, 0) == 0, "listen");
      continue;
    }
    int signal = event() == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
    if (signal == SIGCONT) write(ends[1], "\x22", 1);
    check(ptrace(PTRACE_CONT, pid, 0, signal) == 0, "cont");
  }
  printf("stopped: exit %d\n", WEXITSTATUS(status));

  check(ptrace(PTRACE_ATTACH, getpid(), 0, 0) == -1 && errno == EPERM, "oneself");
  check(ptrace(PTRACE_CONT, 999999, 0, 0) == -1 && errno == ESRCH, "nobody");
  return 0;
}
