// Threads end while they hold robust mutexes: the next owner hears of it (EOWNERDEAD), also one that waits at that time.
// bis: libs=-lpthread
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static pthread_mutex_t m[5];
static pthread_barrier_t b;
static void *dies(void *p) {
  for (int i = 0; i < 4; i++) pthread_mutex_lock(&m[i]);
  pthread_mutex_unlock(&m[2]);
  pthread_barrier_wait(&b);
  usleep(20000);
  return 0;
}
static void *waits(void *p) {
  pthread_barrier_wait(&b);
  return (void *)(long)pthread_mutex_lock(&m[0]);
}
static int word;
static struct robust_list_head head;
static struct { struct robust_list list; int lock; } own;
static void *raw(void *p) {
  head.list.next = &own.list;
  own.list.next = &head.list;
  head.futex_offset = (char *)&own.lock - (char *)&own.list;
  head.list_op_pending = 0;
  own.lock = syscall(SYS_gettid) | FUTEX_WAITERS;
  syscall(SYS_set_robust_list, &head, sizeof head);
  return 0;
}
int main(void) {
  pthread_mutexattr_t a;
  pthread_t t, u;
  void *r;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  for (int i = 0; i < 5; i++) pthread_mutex_init(&m[i], &a);
  pthread_barrier_init(&b, 0, 2);
  pthread_create(&t, 0, dies, 0);
  pthread_create(&u, 0, waits, 0);
  pthread_join(t, 0);
  pthread_join(u, &r);
  printf("waiter: %s\n", strerror((int)(long)r));
  for (int i = 1; i < 5; i++) {
    int e = pthread_mutex_trylock(&m[i]);
    printf("%d: %s", i, strerror(e));
    if (e == EOWNERDEAD) printf(", made consistent: %d", pthread_mutex_consistent(&m[i]));
    printf(", unlock: %d\n", pthread_mutex_unlock(&m[i]));
  }
  void *first, *second;
  size_t length;
  printf("raw set: %ld\n", syscall(SYS_set_robust_list, &head, 7L));
  printf("get: %ld", syscall(SYS_get_robust_list, 0, &first, &length));
  printf(", length %zu\n", length);
  pthread_create(&t, 0, raw, 0);
  pthread_join(t, 0);
  printf("raw lock: %#x\n", own.lock);
  return 0;
}
