// A tracer that goes away: its tracees go on, or are killed with EXITKILL.
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  int status, ends[2]; char c;
  for (int kill_ = 0; kill_ < 2; kill_++) {
    pipe(ends);
    pid_t tracee = fork();
    if (!tracee) { close(ends[1]); read(ends[0], &c, 1); _exit(5); }
    pid_t tracer = fork();
    if (!tracer) {
      if (ptrace(PTRACE_SEIZE, tracee, 0, kill_ ? PTRACE_O_EXITKILL : 0)) _exit(9);
      ptrace(PTRACE_INTERRUPT, tracee, 0, 0);
      if (waitpid(tracee, &status, __WALL) != tracee) _exit(8);
      _exit(WIFSTOPPED(status) ? 1 : 2);
    }
    waitpid(tracer, &status, 0);
    printf("tracer %d\n", WEXITSTATUS(status));
    close(ends[0]); close(ends[1]);
    waitpid(tracee, &status, 0);
    printf("tracee %d %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    fflush(stdout);
  }
  return 0;
}
