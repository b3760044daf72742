// fork: exit statuses, copies of memory, children that outlive siblings, wait in all its forms, orphans, 500 in a row.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  int x = 1, s;
  for (int i = 0; i < 5; i++) {
    pid_t k = fork();
    if (!k) {
      x += i;
      _exit(x * 10);
    }
    waitpid(k, &s, 0);
    printf("%d %d\n", x, WEXITSTATUS(s));
  }
  pid_t k[4];
  for (int i = 0; i < 4; i++)
    if (!(k[i] = fork())) _exit(i + 1);
  for (int i = 3; i >= 0; i--) {
    struct rusage u;
    printf("%d", wait4(k[i], &s, 0, &u) == k[i]);
    printf(" %d\n", WEXITSTATUS(s));
  }
  if (!(k[0] = fork())) abort();
  siginfo_t si;
  waitid(P_PID, k[0], &si, WEXITED | WNOWAIT);
  printf("%d %d\n", si.si_code == CLD_DUMPED || si.si_code == CLD_KILLED, si.si_status);
  printf("%d %d\n", waitpid(-1, &s, 0) == k[0], WTERMSIG(s));
  printf("%d %d\n", waitpid(-1, &s, 0), errno == ECHILD);
  fflush(stdout);
  int p[2];
  pipe(p);
  if (!fork()) {                   // a grandchild that outlives its parent
    if (!fork()) {
      usleep(20000);
      write(p[1], "g", 1);
      _exit(0);
    }
    _exit(0);
  }
  wait(&s);
  char c;
  close(p[1]);
  printf("%zd %c", read(p[0], &c, 1), c);
  printf(" %zd\n", read(p[0], &c, 1));
  return 0;
}
