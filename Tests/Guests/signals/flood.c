// Timers whose signals come faster than they can be delivered, in two processes, and a third that has other signals to wait for.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t count;
static timer_t timer;
static void tick(int signal) {
  (void)signal;
  static const struct itimerspec off;
  if (++count == 500) timer_settime(timer, 0, &off, 0);
}

static int flooded(void) {
  struct sigaction action = {.sa_handler = tick};
  sigaction(SIGRTMIN, &action, 0);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  struct itimerspec often = {{0, 2000}, {0, 2000}};
  if (timer_create(CLOCK_MONOTONIC, &event, &timer)) return 1;
  // (A signal that came before another program began is none of ours.)
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  timer_settime(timer, 0, &often, 0);
  sigprocmask(SIG_SETMASK, &before, 0);
  volatile unsigned long sum = 0;
  while (count < 500)
    for (int i = 0; i < 1000; i++) sum += (unsigned long)i;
  return 0;
}

int main(void) {
  pid_t flood[2];
  for (int i = 0; i < 2; i++)
    if ((flood[i] = fork()) == 0) _exit(flooded());
  int good = 0, status;
  for (int i = 0; i < 20; i++) {  // others get on meanwhile
    pid_t child = fork();
    if (child == 0) _exit(i);
    good += waitpid(child, &status, 0) == child && WEXITSTATUS(status) == i;
  }
  for (int i = 0; i < 2; i++) good += waitpid(flood[i], &status, 0) == flood[i] && status == 0;
  printf("%d\n", good);
  return 0;
}
