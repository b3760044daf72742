// exec from a thread that is not the leader while others block.
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
static void *execer(void *p) {
  execl("/bin/echo", "echo", "from exec", (char *)0);
  return 0;
}
int main(void) {
  pthread_t t, u;
  pipe(e);
  pthread_create(&t, 0, blocked, 0);
  pthread_create(&u, 0, execer, 0);
  pthread_join(t, 0);
  puts("never");
  return 0;
}
