// Fifty threads at once, then a hundred one after another.
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
static long sum;
static void *f(void *p) {
  char text[32];
  snprintf(text, sizeof text, "%ld", (long)p);
  pthread_mutex_lock(&m);
  sum += atol(text);
  pthread_mutex_unlock(&m);
  return malloc(10);
}
int main(void) {
  pthread_t t[50];
  pthread_attr_t a;  // small stacks: every checksum reads them
  pthread_attr_init(&a);
  pthread_attr_setstacksize(&a, 32768);
  for (long i = 0; i < 50; i++) if (pthread_create(&t[i], &a, f, (void *)i)) return 1;
  for (int i = 0; i < 50; i++) { void *r; pthread_join(t[i], &r); free(r); }
  for (long i = 0; i < 100; i++) {
    if (pthread_create(&t[0], &a, f, (void *)i)) return 1;
    pthread_join(t[0], 0);
  }
  printf("%ld\n", sum);
  return 0;
}
