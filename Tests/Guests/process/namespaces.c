// New namespaces: users, processes (with threads, children and programs in them), and what is said where they are not allowed.
// bis: variants=dynamic,static
// bis: libs=-pthread
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t robust, plain = PTHREAD_MUTEX_INITIALIZER;
static int count;
static void *body(void *p) {
  for (int i = 0; i < 100; i++) {
    pthread_mutex_lock(&plain);
    count++;
    pthread_mutex_unlock(&plain);
  }
  if (p) pthread_mutex_lock(&robust);  // and ends with it
  return (void *)syscall(SYS_gettid);
}
static int inside(void *name) {
  printf("%s: pid %d tid %ld user %d parent %d\n", (char *)name, getpid(), syscall(SYS_gettid), (int)geteuid(), getppid());
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &a);
  pthread_t t[3];
  for (long i = 0; i < 3; i++) pthread_create(&t[i], 0, body, (void *)(long)(i == 2));
  for (int i = 0; i < 3; i++) {
    void *tid;
    pthread_join(t[i], &tid);
    printf("thread %ld\n", (long)tid);
  }
  int r = pthread_mutex_lock(&robust);
  printf("%d, %s\n", count, r == EOWNERDEAD ? "its owner is dead" : strerror(r));
  fflush(stdout);
  int status;
  pid_t pid = fork();
  if (!pid) _exit(getpid() + 40);
  waitpid(pid, &status, 0);
  printf("child %d: %d\n", pid, WEXITSTATUS(status));
  pid = vfork();
  if (!pid) {
    execl("/proc/self/exe", "guest", "again", (char *)0);
    _exit(1);
  }
  waitpid(pid, &status, 0);
  printf("program %d: %d\n", pid, WEXITSTATUS(status));
  printf("kill myself: %d\n", kill(getpid(), 0));
  fflush(stdout);
  return 7;
}
static void report(const char *what, pid_t pid) {
  int status;
  if (pid < 0) printf("%s: %s\n", what, strerror(errno));
  else if (waitpid(pid, &status, 0) > 0) printf("%s: %d\n", what, WEXITSTATUS(status));
  fflush(stdout);
}
int main(int argc, char **argv) {
  static char stack[65536] __attribute__((aligned(16)));
  if (argc > 1) {
    printf("%s: pid %d\n", argv[1], getpid());
    return 5;
  }
  setvbuf(stdout, 0, _IOLBF, 4096);
  report("clone", clone(inside, stack + sizeof stack, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, "clone"));
  pid_t pid = fork();
  if (!pid) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)) {
      perror("unshare");
      _exit(1);
    }
    pid = fork();
    if (!pid) _exit(inside("unshare"));
    report("first child", pid);
    _exit(3);
  }
  report("unshare", pid);
  return 0;
}
