// pthread_cancel of a thread that sleeps and of one that waits; timed waits.
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
#include <time.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static void cleanup(void *p) { printf("cleanup %s\n", (char *)p); }
static void *sleeper(void *p) {
  pthread_cleanup_push(cleanup, "sleeper");
  sleep(100);
  pthread_cleanup_pop(0);
  return 0;
}
int main(void) {
  pthread_t t;
  void *r;
  pthread_create(&t, 0, sleeper, 0);
  usleep(10000);
  pthread_cancel(t);
  pthread_join(t, &r);
  printf("cancelled %d\n", r == PTHREAD_CANCELED);
  struct timespec w;
  clock_gettime(CLOCK_REALTIME, &w);
  w.tv_nsec += 20000000;
  if (w.tv_nsec >= 1000000000) w.tv_nsec -= 1000000000, w.tv_sec++;
  pthread_mutex_lock(&m);
  printf("timed wait %d\n", pthread_cond_timedwait(&c, &m, &w) == ETIMEDOUT);
  pthread_mutex_unlock(&m);
  return 0;
}
