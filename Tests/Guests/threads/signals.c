// Signals to threads that block, wait for their turn and compute.
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
static volatile int handled, stop;
static __thread int own;
static pthread_t expected;
static void handler(int s) {
  own++;
  if (!pthread_equal(pthread_self(), expected)) write(1, "wrong thread\n", 13);
  handled++;
}
static int e[2];
static void *blocked(void *p) {
  char c;
  ssize_t n = read(e[0], &c, 1);
  printf("read %zd errno %d own %d\n", n, n < 0 ? errno : 0, own);
  n = read(e[0], &c, 1);
  printf("read %zd own %d\n", n, own);
  return 0;
}
static void *spinning(void *p) {
  while (!stop);
  printf("spun, own %d\n", own);
  return 0;
}
int main(void) {
  struct sigaction a = {.sa_handler = handler};
  pthread_t t, u;
  pipe(e);
  sigaction(SIGUSR1, &a, 0);
  pthread_create(&t, 0, blocked, 0);
  usleep(20000);
  expected = t;
  pthread_kill(t, SIGUSR1);
  while (!handled) usleep(1000);
  usleep(20000);
  write(e[1], "x", 1);
  pthread_join(t, 0);
  handled = 0;
  pthread_create(&u, 0, spinning, 0);
  expected = u;
  usleep(1000);
  for (int i = 0; i < 5; i++) {
    int before = handled;
    pthread_kill(u, SIGUSR1);
    while (handled == before) sched_yield();
  }
  stop = 1;
  pthread_join(u, 0);
  printf("handled %d\n", handled);
  return 0;
}
