// A thread kills the process with a signal while others compute and block.
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
static void *blocked(void *p) { char c; read(e[0], &c, 1); return 0; }
static void *spinning(void *p) { for (;;); }
int main(void) {
  pthread_t t, u;
  pipe(e);
  pthread_create(&t, 0, blocked, 0);
  pthread_create(&u, 0, spinning, 0);
  usleep(10000);
  puts("end");
  fflush(stdout);
  kill(getpid(), SIGTERM);
  for (;;) pause();
}
