// Four threads count under a mutex, and each its own.
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
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static long total;
static __thread long mine;
static void *f(void *p) {
  for (int i = 0; i < 5000; i++) {
    pthread_mutex_lock(&m);
    total++;
    pthread_mutex_unlock(&m);
    mine += (long)p;
    if (i % 1000 == 0) sched_yield();
  }
  return (void *)mine;
}
int main(void) {
  pthread_t t[4];
  for (long i = 0; i < 4; i++) pthread_create(&t[i], 0, f, (void *)(i + 1));
  for (int i = 0; i < 4; i++) {
    void *r;
    pthread_join(t[i], &r);
    printf("%ld\n", (long)r);
  }
  printf("total %ld, main's %ld\n", total, mine);
  return 0;
}
