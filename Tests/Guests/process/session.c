// Process groups, sessions, prctl, a child that stops and continues, kill by group.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  int s;
  pid_t k = fork();
  if (!k) {
    setsid();
    _exit(getsid(0) == getpid() && getpgrp() == getpid() ? 5 : 6);
  }
  waitpid(k, &s, 0);
  printf("%d\n", WEXITSTATUS(s));
  k = fork();
  if (!k) {
    setpgid(0, 0);
    for (;;) pause();
  }
  while (setpgid(k, k) < 0 && errno == EINTR) {}
  usleep(10000);
  kill(-k, SIGTERM);
  waitpid(k, &s, 0);
  printf("%d\n", WTERMSIG(s));
  char n[16];
  prctl(PR_SET_NAME, "renamed");
  prctl(PR_GET_NAME, n);
  printf("%s %d\n", n, prctl(PR_GET_DUMPABLE));
  return 0;
}
