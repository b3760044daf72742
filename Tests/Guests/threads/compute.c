// Two threads compute for several time slices.
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
static void *f(void *p) {
  unsigned long x = (unsigned long)p;
  double d = 1;
  for (long i = 0; i < 15000000; i++) {
    x = x * 6364136223846793005ul + 1442695040888963407ul;
    if (x >> 63) d = d * 0.5 + 1;
  }
  return (void *)(x ^ (unsigned long)(d * 1e9));
}
int main(void) {
  pthread_t t[2];
  void *r[2];
  for (long i = 0; i < 2; i++) pthread_create(&t[i], 0, f, (void *)(i + 7));
  for (int i = 0; i < 2; i++) pthread_join(t[i], &r[i]);
  printf("%lx %lx\n", (long)r[0], (long)r[1]);
  return 0;
}
