// Several signals at once in calls that have a mask of their own while they wait (sigsuspend, ppoll, pselect, epoll_pwait): all
// unblocked ones run their handlers before the call returns, and what stays pending ends the next such call.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int usr1, usr2, nested;
static volatile unsigned long masks[64];

static unsigned long mask_now(void) {
  sigset_t now;
  unsigned long word;
  sigprocmask(SIG_BLOCK, 0, &now);
  memcpy(&word, &now, sizeof word);
  return word;
}

static void handler(int signal) {
  masks[signal] = mask_now();
  if (signal == SIGUSR1) usr1++;
  else usr2++;
  nested += signal == SIGUSR1 ? usr2 != usr1 : 0;
}

static int waits(int how, const sigset_t *mask) {
  struct timespec second = {1, 0};
  struct epoll_event event;
  int pipes[2], result;
  switch (how) {
  case 0: return sigsuspend(mask);
  case 1: return ppoll(0, 0, &second, mask);
  case 2: return pselect(0, 0, 0, 0, &second, mask);
  default:
    result = epoll_create1(0);
    pipe(pipes);
    how = epoll_pwait(result, &event, 1, 1000, mask);
    close(result);
    close(pipes[0]);
    close(pipes[1]);
    return how;
  }
}

int main(void) {
  struct sigaction action;
  sigset_t blocked, none, only2;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  sigaction(SIGUSR1, &action, 0);
  sigaction(SIGUSR2, &action, 0);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigaddset(&blocked, SIGUSR2);
  sigaddset(&blocked, SIGCHLD);
  sigprocmask(SIG_BLOCK, &blocked, 0);
  sigemptyset(&none);
  sigemptyset(&only2);
  sigaddset(&only2, SIGUSR1);

  for (int how = 0; how < 4; how++) {
    // Both are pending when the call begins.
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    int result = waits(how, &none);
    printf("%d: %d %d, %d %d, masks %lx %lx, now %lx\n", how, result, errno == EINTR, usr1, usr2, masks[SIGUSR1], masks[SIGUSR2], mask_now());
    // One that stays blocked in the call ends the next.
    usr1 = usr2 = 0;
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    result = waits(how, &only2);
    printf("%d: %d, %d %d, ", how, result, usr1, usr2);
    result = waits(how, &none);
    printf("%d, %d %d\n", result, usr1, usr2);
    // From another process, while it waits.
    usr1 = usr2 = 0;
    pid_t child = fork();
    if (!child) {
      usleep(20000);
      for (int i = 0; i < 5; i++) {
        kill(getppid(), SIGUSR1);
        kill(getppid(), SIGUSR2);
      }
      _exit(0);
    }
    while (!usr1 || !usr2) waits(how, &none);
    waitpid(child, 0, 0);
    while (sigpending(&action.sa_mask) == 0 && (sigismember(&action.sa_mask, SIGUSR1) || sigismember(&action.sa_mask, SIGUSR2)))
      waits(how, &none);
    sigemptyset(&action.sa_mask);
    printf("%d: got both\n", how);
    usr1 = usr2 = 0;
  }

  // A child's end, many times: each is seen, or none is left.
  int ends = 0;
  for (int i = 0; i < 20; i++) {
    if (!fork()) _exit(i & 1);
    if (!fork()) {
      usleep(i * 100);
      _exit(0);
    }
  }
  struct sigaction child = {.sa_handler = handler};
  sigaction(SIGCHLD, &child, 0);
  while (ends < 40) {
    pid_t pid;
    while ((pid = waitpid(-1, 0, WNOHANG)) > 0) ends++;
    if (ends < 40) sigsuspend(&none);
  }
  printf("%d ended\n", ends);
  return 0;
}
