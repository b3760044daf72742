// A child that is stopped and continued, seen through waitpid.
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  int s;
  pid_t k = fork();
  if (!k) {
    raise(SIGSTOP);
    _exit(7);
  }
  waitpid(k, &s, WUNTRACED);
  printf("%d %d\n", WIFSTOPPED(s), WSTOPSIG(s));
  kill(k, SIGCONT);
  waitpid(k, &s, WCONTINUED);
  printf("%d\n", WIFCONTINUED(s));
  waitpid(k, &s, 0);
  printf("%d\n", WEXITSTATUS(s));
  return 0;
}
