// exit_group while other threads are blocked in calls of all kinds; one of them would otherwise wait for ever.
// bis: libs=-lpthread
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
static int ends[2], sockets[2];
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t b;
static void *f(void *p) {
  char c[4];
  struct iovec v = {c, 4};
  struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
  struct pollfd one = {ends[0], POLLIN};
  struct epoll_event e;
  int set = epoll_create1(0);
  epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &e);
  pthread_barrier_wait(&b);
  switch ((long)p) {
  case 0: read(ends[0], c, 1); break;
  case 1: pthread_mutex_lock(&m); break;
  case 2: sleep(1000); break;
  case 3: poll(&one, 1, -1); break;
  case 4: epoll_wait(set, &e, 1, -1); break;
  case 5: recvmsg(sockets[0], &h, 0); break;
  case 6: readv(ends[0], &v, 1); break;
  case 7: for (;;) pause();
  }
  puts("never");
  return 0;
}
static void *ender(void *p) {
  usleep(20000);
  puts("the end");
  exit(5);
}
int main(void) {
  pthread_t t;
  pipe(ends);
  socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
  pthread_mutex_lock(&m);
  pthread_barrier_init(&b, 0, 9);
  for (long i = 0; i < 8; i++) pthread_create(&t, 0, f, (void *)i);
  pthread_barrier_wait(&b);
  pthread_create(&t, 0, ender, 0);
  pthread_join(t, 0);
  return 1;
}
