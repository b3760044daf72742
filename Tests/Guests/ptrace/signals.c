// Signals of a tracee: seen, suppressed, replaced, sent along, faults and group stops among them.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t count[65];
static void handler(int s, siginfo_t *i, void *c) {
  char line[40];
  count[s]++;
  int n = snprintf(line, sizeof line, "handler %d code %d\n", s, i->si_code);
  write(1, line, (size_t)n);
}
static int tracee(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  for (int s = 1; s < 32; s++) sigaction(s, &a, 0);
  signal(SIGWINCH, SIG_IGN);
  signal(SIGTSTP, SIG_DFL);
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  raise(SIGUSR1);  // suppressed
  raise(SIGUSR2);  // delivered
  raise(SIGHUP);   // replaced by SIGTERM
  raise(SIGWINCH);  // ignored, but seen
  struct itimerval t = {{0, 0}, {0, 30000}};
  setitimer(ITIMER_REAL, &t, 0);
  while (!count[SIGALRM]) {}  // in a loop
  char c;
  int p[2];
  if (pipe(p)) return 1;
  setitimer(ITIMER_REAL, &t, 0);
  long r = read(p[0], &c, 1);  // suppressed: goes on; the next one is delivered: EINTR
  printf("read %ld %s\n", r, r < 0 ? strerror(errno) : "");
  fflush(stdout);
  *(volatile int *)8 = 1;  // the tracer moves the program past it
  __asm__ volatile("nop");
  raise(SIGTSTP);
  printf("counts %d %d %d %d %d\n", count[SIGUSR1], count[SIGUSR2], count[SIGHUP], count[SIGTERM], count[SIGALRM]);
  fflush(stdout);
  raise(SIGKILL);
  return 0;
}

#include <sys/user.h>
int main(void) {
  int status, alarms = 0;
  pid_t pid = fork();
  if (pid == 0) _exit(tracee());
  for (;;) {
    if (waitpid(pid, &status, 0) != pid) return 1;
    if (!WIFSTOPPED(status)) break;
    int s = WSTOPSIG(status), go = s;
    siginfo_t info;
    int group = ptrace(PTRACE_GETSIGINFO, pid, 0, &info);
    printf("stopped by %d code %d\n", s, group ? 0 : info.si_code);
    fflush(stdout);
    if (group) go = 0;
    if (s == SIGUSR1) go = 0;
    if (s == SIGHUP) go = SIGTERM;
    if (s == SIGALRM && ++alarms == 2) {
      go = 0;
      kill(pid, SIGALRM);
    }
    if (s == SIGSEGV) {
      struct user_regs_struct r;
      unsigned char code[8];
      ptrace(PTRACE_GETREGS, pid, 0, &r);
      long word = ptrace(PTRACE_PEEKTEXT, pid, r.rip, 0);
      memcpy(code, &word, 8);
      printf("at a store: %d\n", code[0] == 0xC7);
      int n = 0;  // to the nop behind it
      for (; n < 16; n++)
        if ((ptrace(PTRACE_PEEKTEXT, pid, r.rip + n, 0) & 0xFF) == 0x90) break;
      r.rip += n;
      if (ptrace(PTRACE_SETREGS, pid, 0, &r)) return 2;
      go = 0;
    }
    if (group) kill(pid, SIGCONT);
    if (ptrace(PTRACE_CONT, pid, 0, go)) return 3;
  }
  printf("killed by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  return 0;
}
