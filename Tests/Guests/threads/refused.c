// What bis makes absent, as some kernels are: priority-inheriting futexes, segments for threads.
// bis: libs=-lpthread
// bis: varies
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static void show(const char *what, long result) {
  printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : "");
}
int main(void) {
  int word = 0;
  struct user_desc d = {.entry_number = -1};
  pthread_mutexattr_t a;
  pthread_mutex_t m;
  show("lock_pi", syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, 0));
  show("trylock_pi", syscall(SYS_futex, &word, FUTEX_TRYLOCK_PI, 0, 0));
  printf("word %d\n", word & 0);
  show("set_thread_area", syscall(SYS_set_thread_area, &d));
  show("modify_ldt", syscall(SYS_modify_ldt, 0, &d, sizeof d));
  pthread_mutexattr_init(&a);
  printf("protocol %d\n", pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT));
  printf("init %d\n", pthread_mutex_init(&m, &a));
  printf("lock and unlock %d\n", pthread_mutex_lock(&m) | pthread_mutex_unlock(&m));
  return 0;
}
