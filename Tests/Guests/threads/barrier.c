// Threads meet at a barrier, ten times.
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
static pthread_barrier_t b;
static int in[3];
static void *f(void *p) {
  int me = (int)(long)p;
  for (int i = 1; i <= 10; i++) {
    in[me] = i;
    pthread_barrier_wait(&b);
    for (int j = 0; j < 3; j++) if (in[j] != i) printf("thread %d: %d has %d, not %d\n", me, j, in[j], i);
    pthread_barrier_wait(&b);
  }
  return 0;
}
int main(void) {
  pthread_t t[3];
  pthread_barrier_init(&b, 0, 3);
  for (long i = 0; i < 3; i++) pthread_create(&t[i], 0, f, (void *)i);
  for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
  printf("%d %d %d\n", in[0], in[1], in[2]);
  return 0;
}
