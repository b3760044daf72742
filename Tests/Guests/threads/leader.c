// The first thread ends while another goes on.
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
static pthread_t leader;
static void *f(void *p) {
  pthread_join(leader, 0);
  puts("the leader is gone");
  for (int i = 0; i < 3; i++) {
    char b[8];
    int e[2];
    pipe(e);
    write(e[1], "abc", 3);
    printf("read %zd\n", read(e[0], b, 8));
  }
  fflush(stdout);
  exit(7);
}
int main(void) {
  pthread_t t;
  leader = pthread_self();
  pthread_create(&t, 0, f, 0);
  pthread_exit(0);
}
