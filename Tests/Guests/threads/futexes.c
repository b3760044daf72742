// Futex operations one by one: wait and its errors, bitsets, requeue, wake_op, timeouts; what is refused fails as on
// kernels without it.
// bis: libs=-lpthread
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static atomic_int a, b, c, woken;
static long futex(void *at, int op, int value, void *time, void *second, int third) {
  return syscall(SYS_futex, at, op, value, time, second, third);
}
static void show(const char *what, long result) {
  printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : "");
}
static void *waits(void *p) {
  long r = futex(&a, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
  woken++;
  return (void *)r;
}
static void *bits(void *p) {
  long r = futex(&c, FUTEX_WAIT_BITSET_PRIVATE, 0, 0, 0, (int)(long)p);
  woken++;
  return (void *)r;
}
static void *shared(void *p) { return (void *)futex(&b, FUTEX_WAIT, 0, 0, 0, 0); }
/// Until `count` threads wait at a word: moves them onto itself, which counts them.
static void until_waiting(void *at, int op, int count) {
  while (futex(at, op, 0, (void *)1000L, at, 0) < count) usleep(1000);
}
int main(void) {
  pthread_t t[6];
  struct timespec soon = {0, 5000000}, past = {1, 0}, bad = {0, 2000000000};
  show("again", futex(&a, FUTEX_WAIT_PRIVATE, 7, 0, 0, 0));
  show("timeout", futex(&a, FUTEX_WAIT_PRIVATE, 0, &soon, 0, 0));
  show("absolute", futex(&a, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &past, 0, -1));
  show("bad time", futex(&a, FUTEX_WAIT_PRIVATE, 0, &bad, 0, 0));
  show("no bits", futex(&a, FUTEX_WAIT_BITSET_PRIVATE, 0, 0, 0, 0));
  show("unaligned", futex((char *)&a + 1, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0));
  show("nowhere", futex((void *)16, FUTEX_WAKE, 0, 0, 0, 0));
  printf("wake nobody %ld\n", futex(&a, FUTEX_WAKE_PRIVATE, 5, 0, 0, 0));
  for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, waits, 0);
  until_waiting(&a, FUTEX_REQUEUE_PRIVATE, 4);
  show("compare", futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)9L, &b, 5));
  printf("requeued %ld\n", futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)9L, &b, 0));
  printf("left %ld\n", futex(&a, FUTEX_WAKE_PRIVATE, 9, 0, 0, 0));
  // b += 3; wakes one at a (none), and at b if it was 0.
  printf("wake_op %ld\n", futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &b, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 0)));
  printf("b %d, the rest %ld\n", b, futex(&b, FUTEX_WAKE_PRIVATE, 9, 0, 0, 0));
  for (int i = 0; i < 4; i++) { void *r; pthread_join(t[i], &r); printf("%ld ", (long)r); }
  printf("woken %d\n", woken);
  for (long i = 0; i < 2; i++) pthread_create(&t[i], 0, bits, (void *)(1L << i));
  until_waiting(&c, FUTEX_REQUEUE_PRIVATE, 2);
  printf("bit 1: %ld\n", futex(&c, FUTEX_WAKE_BITSET_PRIVATE, 9, 0, 0, 2));
  pthread_join(t[1], 0);
  show("bit 2", futex(&c, FUTEX_WAKE_BITSET_PRIVATE, 9, 0, 0, 4));
  show("bit 0", futex(&c, FUTEX_WAKE_BITSET_PRIVATE, 9, 0, 0, 1));
  pthread_join(t[0], 0);
  b = 0;
  pthread_create(&t[0], 0, shared, 0);
  until_waiting(&b, FUTEX_REQUEUE, 1);
  printf("private wake of a shared wait: %ld\n", futex(&b, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  printf("shared: %ld\n", futex(&b, FUTEX_WAKE, 1, 0, 0, 0));
  pthread_join(t[0], 0);
  show("unknown", futex(&a, 99, 0, 0, 0, 0));
  return 0;
}
