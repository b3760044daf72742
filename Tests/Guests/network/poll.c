// select, pselect, poll, ppoll, epoll, eventfd, timerfd, signalfd on pipes and sockets.
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
int main(void) {
  int p[2], q[2];
  pipe(p);
  pipe(q);
  struct timeval t = {0, 10000};
  fd_set r;
  FD_ZERO(&r);
  FD_SET(p[0], &r);
  FD_SET(q[0], &r);
  printf("select %d\n", select(q[1] + 1, &r, 0, 0, &t));
  write(q[1], "x", 1);
  FD_SET(p[0], &r);
  FD_SET(q[0], &r);
  t.tv_sec = 5;
  printf("select %d", select(q[1] + 1, &r, 0, 0, &t));
  printf(" %d %d %d\n", FD_ISSET(p[0], &r) != 0, FD_ISSET(q[0], &r) != 0, t.tv_sec == 4);
  struct pollfd f[3] = {{p[0], POLLIN, 0}, {q[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
  printf("poll %d", poll(f, 3, 1000));
  printf(" %d %d %d\n", f[0].revents, f[1].revents, f[2].revents);
  struct timespec n = {0, 1000000};
  printf("ppoll %d\n", ppoll(f, 1, &n, 0));
  int e = epoll_create1(EPOLL_CLOEXEC), v = eventfd(3, 0), w = timerfd_create(CLOCK_MONOTONIC, 0);
  struct epoll_event a = {.events = EPOLLIN, .data.u64 = 11}, out[10];
  epoll_ctl(e, EPOLL_CTL_ADD, v, &a);
  a.data.u64 = 12;
  epoll_ctl(e, EPOLL_CTL_ADD, w, &a);
  printf("epoll %d", epoll_wait(e, out, 10, -1));
  printf(" %d %x\n", (int)out[0].data.u64, out[0].events);
  uint64_t x;
  read(v, &x, 8);
  printf("eventfd %d\n", (int)x);
  struct itimerspec i = {{0, 0}, {0, 20000000}};
  timerfd_settime(w, 0, &i, 0);
  printf("epoll %d", epoll_wait(e, out, 10, 5000));
  printf(" %d\n", (int)out[0].data.u64);
  read(w, &x, 8);
  printf("timerfd %d\n", (int)x);
  sigset_t m;
  sigemptyset(&m);
  sigaddset(&m, SIGUSR1);
  sigprocmask(SIG_BLOCK, &m, 0);
  int s = signalfd(-1, &m, 0);
  raise(SIGUSR1);
  struct signalfd_siginfo si;
  printf("signalfd %zd", read(s, &si, sizeof si));
  printf(" %d\n", si.ssi_signo);
  return 0;
}
