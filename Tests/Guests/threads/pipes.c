// Blocking calls between threads: pipes, sockets, poll, epoll, select, readv, recvmsg.
// bis: libs=-lpthread
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
static int a[2], s[2];
static void *f(void *p) {
  char b[16];
  for (int i = 0; i < 6; i++) {
    usleep(2000);
    write(a[1], "word", 4);
    recv(s[1], b, sizeof b, 0);
  }
  usleep(2000);
  send(s[1], "first", 5, 0);
  usleep(2000);
  send(s[1], "second", 6, 0);
  return 0;
}
int main(void) {
  pthread_t t;
  char b[16] = {0}, d[16] = {0};
  pipe(a);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pthread_create(&t, 0, f, 0);
  printf("read %zd", read(a[0], b, 16));
  printf(" %s\n", b);
  send(s[0], "x", 1, 0);
  struct pollfd q = {a[0], POLLIN};
  printf("poll %d %x\n", poll(&q, 1, -1), q.revents);
  read(a[0], b, 16);
  send(s[0], "x", 1, 0);
  int e = epoll_create1(0);
  struct epoll_event v = {EPOLLIN, {.u64 = 77}};
  epoll_ctl(e, EPOLL_CTL_ADD, a[0], &v);
  v.data.u64 = 0;
  printf("epoll %d", epoll_wait(e, &v, 1, -1));
  printf(" %lu\n", v.data.u64);
  read(a[0], b, 16);
  send(s[0], "x", 1, 0);
  fd_set r;
  FD_ZERO(&r);
  FD_SET(a[0], &r);
  struct timeval w = {10, 0};
  printf("select %d", select(a[0] + 1, &r, 0, 0, &w));
  printf(" %d %d\n", !!FD_ISSET(a[0], &r), w.tv_sec < 10);
  read(a[0], b, 16);
  send(s[0], "x", 1, 0);
  struct iovec x[2] = {{b, 2}, {d, 10}};
  printf("readv %zd", readv(a[0], x, 2));
  printf(" %.2s %s\n", b, d);
  send(s[0], "x", 1, 0);
  read(a[0], b, 16);
  send(s[0], "x", 1, 0);
  memset(d, 0, 16);
  printf("recv %zd", recv(s[0], d, 15, 0));
  printf(" %s\n", d);
  memset(d, 0, 16);
  x[1].iov_len = 15;
  struct msghdr h = {.msg_iov = x + 1, .msg_iovlen = 1};
  printf("recvmsg %zd", recvmsg(s[0], &h, 0));
  printf(" %s\n", d);
  pthread_join(t, 0);
  return 0;
}
