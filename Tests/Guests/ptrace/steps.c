// bis: varies
// bis: variants=dynamic,static
// Thousands of single steps through libc and system calls, with changes of memory and registers at many of them.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile long changed;
static char text[4096];

static int tracee(void) {
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  raise(SIGSTOP);
  long seen = 0;
  for (int i = 0; i < 6; i++) {
    long before = changed;
    snprintf(text, sizeof text, "%d %ld %g %s", i, before, i * 0.37, getppid() > 0 ? "yes" : "no");
    memset(text + 100, i, 900);
    char *copy = strdup(text);
    seen += changed != before;
    qsort(text, 60, 1, (int (*)(const void *, const void *))strcmp);
    free(copy);
  }
  printf("%ld %d %s\n", changed, seen > 0, text);
  return 3;
}

int main(int argc, char **argv) {
  int status, steps = 0;
  pid_t pid = fork();
  if (pid == 0) exit(tracee());
  waitpid(pid, &status, 0);
  while (steps < 4000) {
    if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0)) return 1;
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) return 2;
    if (WSTOPSIG(status) != SIGTRAP) return 3;
    steps++;
    if (steps % 37 == 0) ptrace(PTRACE_POKEDATA, pid, &changed, (long)steps);
    if (steps % 101 == 0) {
      struct user_regs_struct r;
      ptrace(PTRACE_GETREGS, pid, 0, &r);
      r.eflags ^= 0x10;  // AF
      ptrace(PTRACE_SETREGS, pid, 0, &r);
    }
  }
  ptrace(PTRACE_CONT, pid, 0, 0);
  waitpid(pid, &status, 0);
  printf("steps %d, exit %d\n", steps, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  return 0;
}
