// The CPUs that a program may use are those it was given, with threads as without; a thread may choose among them.
// bis: libs=-lpthread
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static cpu_set_t all;
static int same(void) {
  cpu_set_t now;
  CPU_ZERO(&now);
  return sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &all);
}
static int first(void) { for (int i = 0; i < CPU_SETSIZE; i++) if (CPU_ISSET(i, &all)) return i; return -1; }
static pthread_barrier_t b;
static void *f(void *p) {
  printf("in a thread: %d\n", same());
  pid_t child = fork();
  if (child == 0) { printf("in a child: %d\n", same()); fflush(stdout); _exit(0); }
  waitpid(child, 0, 0);
  fflush(stdout);
  system("nproc");
  pthread_barrier_wait(&b);
  pthread_barrier_wait(&b);
  return 0;
}
static void *chooses(void *p) {
  cpu_set_t one, now;
  CPU_ZERO(&one);
  CPU_SET(first(), &one);
  int set = sched_setaffinity(0, sizeof one, &one);
  sched_yield();
  sched_getaffinity(0, sizeof now, &now);
  printf("chosen: %d, now %d\n", set, CPU_EQUAL(&one, &now));
  return 0;
}
int main(void) {
  pthread_t t, u;
  sched_getaffinity(0, sizeof all, &all);
  pthread_barrier_init(&b, 0, 2);
  pthread_create(&t, 0, f, 0);
  pthread_barrier_wait(&b);
  printf("in main: %d\n", same());
  pthread_create(&u, 0, chooses, 0);
  pthread_join(u, 0);
  printf("in main: %d\n", same());
  pthread_barrier_wait(&b);
  pthread_join(t, 0);
  printf("alone again: %d\n", same());
  return 0;
}
