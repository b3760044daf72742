// Waits with a time limit end in time, although signals come that are ignored.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <poll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>
static long now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000 + t.tv_nsec / 1000000; }
int main(void) {
  signal(SIGUSR1, SIG_IGN);
  pid_t me = getpid(), child = fork();
  if (!child) {
    for (;;) {
      usleep(60000);
      if (getppid() != me) _exit(0);
      kill(me, SIGUSR1);
    }
  }
  int ep = epoll_create1(0), pair[2], sem = semget(IPC_PRIVATE, 1, 0600);
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  struct timeval limit = {0, 250000};
  setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, 0);
  for (int what = 0; what < 8; what++) {
    struct epoll_event e; char c; struct timespec t = {0, 250000000}; fd_set f; FD_ZERO(&f); FD_SET(pair[0], &f);
    struct timeval tv = {0, 250000}; struct sembuf b = {0, -1, 0}; struct pollfd p = {pair[0], POLLIN, 0};
    long begin = now(); int r = 0;
    switch (what) {
    case 0: r = epoll_wait(ep, &e, 1, 250); break;
    case 1: r = recv(pair[0], &c, 1, 0); break;
    case 2: r = semtimedop(sem, &b, 1, &t); break;
    case 3: r = sigtimedwait(&set, 0, &t); break;
    case 4: r = select(pair[0] + 1, &f, 0, 0, &tv); break;
    case 5: r = poll(&p, 1, 250); break;
    case 6: r = nanosleep(&t, 0); break;
    case 7: r = epoll_pwait2(ep, &e, 1, &t, 0); break;
    }
    int error = r < 0 ? errno : 0;
    long took = now() - begin;
    printf("%d: %d %s, %s\n", what, r, error ? strerrorname_np(error) : "", took < 240 ? "too early" : took > 900 ? "too late" : "in time");
    fflush(stdout);
  }
  kill(child, SIGKILL);
  semctl(sem, 0, IPC_RMID);
  return 0;
}
