// Detached threads; main waits for a counter.
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
static atomic_int left = 5;
static void *f(void *p) {
  usleep(1000 * (int)(long)p);
  left--;
  return 0;
}
int main(void) {
  pthread_attr_t a;
  pthread_attr_init(&a);
  pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
  for (long i = 0; i < 5; i++) {
    pthread_t t;
    if (pthread_create(&t, &a, f, (void *)i)) return 1;
  }
  while (left) usleep(500);
  puts("all done");
  return 0;
}
