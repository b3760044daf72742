// Starts a thread and joins it.
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
static void *f(void *p) { return p; }
int main(void) {
  pthread_t t;
  void *r;
  int e = pthread_create(&t, 0, f, "from the thread");
  if (e) return printf("pthread_create: %d\n", e), 3;
  pthread_join(t, &r);
  puts(r);
  return 0;
}
