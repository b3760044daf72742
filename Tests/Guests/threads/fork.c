// fork, vfork and posix_spawn from a thread while another one blocks.
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
#include <spawn.h>
#include <sys/wait.h>
static int e[2];
static void *blocked(void *p) {
  char c;
  read(e[0], &c, 1);
  printf("got %c\n", c);
  return 0;
}
static void *forker(void *p) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    pthread_t t;
    pipe(e);
    if (pthread_create(&t, 0, blocked, 0)) _exit(1);
    write(e[1], "f", 1);
    pthread_join(t, 0);
    fflush(stdout);
    _exit(3);
  }
  waitpid(pid, &status, 0);
  printf("child %d\n", WEXITSTATUS(status));
  char *argv[] = {"sh", "-c", "exit 4", 0}, *env[] = {0};
  if (posix_spawn(&pid, "/bin/sh", 0, 0, argv, env)) return 0;
  waitpid(pid, &status, 0);
  printf("spawned %d\n", WEXITSTATUS(status));
  return 0;
}
int main(void) {
  pthread_t t, u;
  pipe(e);
  pthread_create(&u, 0, forker, 0);
  pthread_join(u, 0);
  pthread_create(&t, 0, blocked, 0);
  pthread_create(&u, 0, forker, 0);
  pthread_join(u, 0);
  write(e[1], "m", 1);
  pthread_join(t, 0);
  return 0;
}
