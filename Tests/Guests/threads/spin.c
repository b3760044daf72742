// A thread spins until another sets a flag; no system call in between.
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
static volatile int flag, seen, ready;
static void *f(void *p) {
  ready = 1;
  while (!flag);
  seen = 1;
  while (flag != 2) __builtin_ia32_pause();
  return 0;
}
int main(void) {
  pthread_t t;
  pthread_create(&t, 0, f, 0);
  while (!ready);
  flag = 1;
  while (!seen);
  flag = 2;
  pthread_join(t, 0);
  puts("seen");
  return 0;
}
