// Several threads read from one pipe and one socket: each message goes to one of them, the others go on waiting, and
// nobody keeps the writer from writing the next.
// bis: libs=-lpthread
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
enum { N = 30 };
static int ends[2], sockets[2];
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int got;
static long sum;
static void take(const int *value) {
  pthread_mutex_lock(&m);
  got++;
  sum += *value;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&m);
}
static void *reads(void *p) {
  int v[2];
  struct iovec i[2] = {{v, 4}, {v + 1, 4}};
  while (readv(ends[0], i, 2) == 8 && v[0] >= 0) take(v + 1);
  return 0;
}
static void *receives(void *p) {
  int v;
  struct iovec i = {&v, 4};
  struct msghdr h = {.msg_iov = &i, .msg_iovlen = 1};
  while (recvmsg(sockets[0], &h, 0) == 4 && v >= 0) take(&v);
  return 0;
}
static void *large(void *p) {  // (more than there is room for in small buffers)
  size_t size = 400000;
  int *v = malloc(size);
  while (recv(sockets[0], v, size, 0) == 4 && *v >= 0) take(v);
  free(v);
  return 0;
}
int main(void) {
  pthread_t t[9];
  pipe(ends);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets);
  for (int i = 0; i < 9; i++) pthread_create(&t[i], 0, i % 3 == 0 ? reads : i % 3 == 1 ? receives : large, 0);
  for (int i = 0; i < N; i++) {
    int v[2] = {i, i};
    if (i % 2) write(ends[1], v, 8); else send(sockets[1], v, 4, 0);
    pthread_mutex_lock(&m);
    while (got <= i) pthread_cond_wait(&changed, &m);
    pthread_mutex_unlock(&m);
  }
  int no[2] = {-1, -1};
  for (int i = 0; i < 3; i++) write(ends[1], no, 8);
  for (int i = 0; i < 6; i++) send(sockets[1], no, 4, 0);
  for (int i = 0; i < 9; i++) pthread_join(t[i], 0);
  printf("%d, sum %ld\n", got, sum);
  return 0;
}
