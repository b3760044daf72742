// Limits on address space and data: what is said of them, and that they hold; for programs started under them, too.
// bis: variants=dynamic,static
// bis: libs=-pthread
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void *body(void *p) { return p; }
static void show(const char *what, int resource) {
  struct rlimit l;
  getrlimit(resource, &l);
  printf("%s: %lld %lld\n", what, (long long)l.rlim_cur, (long long)l.rlim_max);
}
static int can_map(size_t megabytes) {
  void *p = mmap(0, megabytes << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p != MAP_FAILED) munmap(p, megabytes << 20);
  return p != MAP_FAILED;
}
static int limited(const char *what, int resource) {
  struct rlimit l = {100 << 20, 300 << 20}, old;
  show(what, resource);
  printf("set %d\n", setrlimit(resource, &l));
  show(what, resource);
  l.rlim_cur = 90 << 20;
  printf("prlimit %d", prlimit(0, resource, &l, &old));
  printf(" old %lld %lld\n", (long long)old.rlim_cur, (long long)old.rlim_max);
  printf("40: %d, 1000: %d, 8000: %d\n", can_map(40), can_map(1000), can_map(8000));
  l.rlim_cur = 400 << 20;
  printf("too much %d\n", setrlimit(resource, &l));
  pthread_t t;
  pthread_attr_t a;
  pthread_attr_init(&a);
  pthread_attr_setstacksize(&a, 1 << 20);
  int r = pthread_create(&t, &a, body, 0);
  if (!r) pthread_join(t, 0);
  printf("thread %d\n", r);
  fflush(stdout);
  int status;
  if (!fork()) {
    execl("/proc/self/exe", "guest", resource == RLIMIT_AS ? "as" : "data", (char *)0);
    _exit(1);
  }
  wait(&status);
  printf("program %d\n", WEXITSTATUS(status));
  return 0;
}
int main(int argc, char **argv) {
  if (argc > 1) {
    show(argv[1], argv[1][0] == 'a' ? RLIMIT_AS : RLIMIT_DATA);
    printf("40: %d, 1000: %d\n", can_map(40), can_map(1000));
    return 4;
  }
  setvbuf(stdout, 0, _IOLBF, 4096);
  if (!fork()) exit(limited("address space", RLIMIT_AS));
  wait(0);
  return limited("data", RLIMIT_DATA);
}
