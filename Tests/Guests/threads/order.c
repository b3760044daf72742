// Threads end in another order than they began; the process ends while some are blocked.
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
static int e[2];
static void *f(void *p) {
  usleep(3000 * (3 - (int)(long)p));
  return p;
}
static void *blocked(void *p) {
  char c;
  read(e[0], &c, 1);
  puts("never");
  return 0;
}
int main(void) {
  pthread_t t[3], b[3];
  pipe(e);
  for (int i = 0; i < 3; i++) pthread_create(&b[i], 0, blocked, 0);
  for (long i = 0; i < 3; i++) pthread_create(&t[i], 0, f, (void *)i);
  for (int i = 2; i >= 0; i--) {
    void *r;
    pthread_join(t[i], &r);
    printf("%ld\n", (long)r);
  }
  fflush(stdout);
  return 5;
}
