// A child that is stopped and continued, seen through waitpid.
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  int s, end[2];
  char byte;
  if (pipe(end)) return 1;
  pid_t k = fork();
  if (!k) {
    close(end[1]);
    raise(SIGSTOP);
    if (read(end[0], &byte, 1)) _exit(1);  // (its end would hide that it was continued)
    _exit(7);
  }
  waitpid(k, &s, WUNTRACED);
  printf("%d %d\n", WIFSTOPPED(s), WSTOPSIG(s));
  kill(k, SIGCONT);
  waitpid(k, &s, WCONTINUED);
  printf("%d\n", WIFCONTINUED(s));
  close(end[1]);
  waitpid(k, &s, 0);
  printf("%d\n", WEXITSTATUS(s));
  return 0;
}
