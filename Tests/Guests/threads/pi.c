// Priority-inheritance futexes: pthread mutexes with PTHREAD_PRIO_INHERIT (contended, timed, robust, error-checking, with a
// condition), waits that signals interrupt, and the calls' own errors.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 6, ROUNDS = 3000 };
static pthread_mutex_t lock, robust, checked;
static pthread_cond_t full = PTHREAD_COND_INITIALIZER;
static long counter, produced, consumed;
static volatile sig_atomic_t handled;
static uint32_t word;

static void make(pthread_mutex_t *m, int type, int is_robust) {
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
  pthread_mutexattr_settype(&a, type);
  if (is_robust) pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  printf("init %d\n", pthread_mutex_init(m, &a));
}

static long futex(uint32_t *at, int op, const struct timespec *limit) {
  long r = syscall(SYS_futex, at, op | FUTEX_PRIVATE_FLAG, 0, limit, 0, 0);
  return r < 0 ? -errno : r;
}

static void *count(void *arg) {
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&lock);
    long seen = counter;
    if (i % 64 == 0) sched_yield();
    counter = seen + 1;
    pthread_mutex_unlock(&lock);
  }
  return arg;
}

static void *consume(void *arg) {
  pthread_mutex_lock(&lock);
  while (consumed < 200) {
    while (consumed == produced) pthread_cond_wait(&full, &lock);
    consumed++;
  }
  pthread_mutex_unlock(&lock);
  return arg;
}

static void *dies(void *arg) {
  pthread_mutex_lock(&robust);
  usleep(20000);
  return arg;
}

static void *inherits(void *arg) {
  int r = pthread_mutex_lock(&robust);
  if (r == EOWNERDEAD) {
    printf("owner died\n");
    pthread_mutex_consistent(&robust);
  } else {
    printf("lock %d\n", r);
  }
  pthread_mutex_unlock(&robust);
  return arg;
}

static void on_signal(int s) { handled += s == SIGUSR1; }

static void *waits(void *arg) {
  long r = futex(&word, FUTEX_LOCK_PI, 0);
  printf("locked %ld, mine %d\n", r, (word & FUTEX_TID_MASK) == (uint32_t)syscall(SYS_gettid));
  printf("unlock %ld\n", futex(&word, FUTEX_UNLOCK_PI, 0));
  return arg;
}

static void *tries(void *arg) {
  struct timespec limit;
  printf("trylock %ld\n", futex(&word, FUTEX_TRYLOCK_PI, 0));
  printf("unlock of another's %ld\n", futex(&word, FUTEX_UNLOCK_PI, 0));
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_nsec += 30000000;
  if (limit.tv_nsec >= 1000000000) limit.tv_sec++, limit.tv_nsec -= 1000000000;
  printf("timed %ld\n", futex(&word, FUTEX_LOCK_PI, &limit));
  limit.tv_nsec = 1000000000;
  printf("bad time %ld\n", futex(&word, FUTEX_LOCK_PI, &limit));
  clock_gettime(CLOCK_REALTIME, &limit);
  printf("past %d\n", pthread_mutex_timedlock(&checked, &limit));
  return arg;
}

int main(void) {
  pthread_t t[THREADS];
  setbuf(stdout, 0);
  make(&lock, PTHREAD_MUTEX_NORMAL, 0);
  make(&robust, PTHREAD_MUTEX_NORMAL, 1);
  make(&checked, PTHREAD_MUTEX_ERRORCHECK, 0);

  for (long i = 0; i < THREADS; i++) pthread_create(&t[i], 0, count, 0);
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], 0);
  printf("counted %ld\n", counter);

  for (int i = 0; i < 2; i++) pthread_create(&t[i], 0, consume, 0);
  for (int i = 0; i < 200; i++) {
    pthread_mutex_lock(&lock);
    produced++;
    pthread_cond_signal(&full);
    pthread_mutex_unlock(&lock);
  }
  pthread_mutex_lock(&lock);
  while (consumed < 200) {
    pthread_cond_broadcast(&full);
    pthread_mutex_unlock(&lock);
    usleep(1000);
    pthread_mutex_lock(&lock);
  }
  produced++, pthread_cond_broadcast(&full);
  pthread_mutex_unlock(&lock);
  for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
  printf("consumed %d\n", consumed >= 200);

  pthread_create(&t[0], 0, dies, 0);
  usleep(5000);
  pthread_create(&t[1], 0, inherits, 0);
  pthread_join(t[0], 0);
  pthread_join(t[1], 0);
  printf("robust again %d\n", pthread_mutex_lock(&robust));

  printf("checked %d", pthread_mutex_lock(&checked));
  printf(" %d\n", pthread_mutex_lock(&checked));

  struct sigaction action = {.sa_handler = on_signal};  // without SA_RESTART: such a wait goes on nevertheless
  sigaction(SIGUSR1, &action, 0);
  printf("free %ld\n", futex(&word, FUTEX_LOCK_PI, 0));
  printf("again %ld\n", futex(&word, FUTEX_LOCK_PI, 0));
  pthread_create(&t[0], 0, tries, 0);
  pthread_join(t[0], 0);
  pthread_create(&t[0], 0, waits, 0);
  usleep(20000);
  for (int i = 0; i < 3; i++) {
    pthread_kill(t[0], SIGUSR1);
    usleep(5000);
  }
  printf("handled %d\n", (int)handled);
  printf("unlock %ld\n", futex(&word, FUTEX_UNLOCK_PI, 0));
  pthread_join(t[0], 0);
  printf("word %x\n", word);

  word = 0x3FFFFFF0;
  printf("nobody's %ld\n", futex(&word, FUTEX_LOCK_PI, 0));
  printf("odd %ld\n", futex((uint32_t *)((char *)&word + 2), FUTEX_LOCK_PI, 0));
  printf("nowhere %ld %ld\n", futex(0, FUTEX_LOCK_PI, 0), futex(0, FUTEX_UNLOCK_PI, 0));
  word = FUTEX_OWNER_DIED;
  printf("dead %ld %x\n", futex(&word, FUTEX_LOCK_PI, 0), word & ~FUTEX_TID_MASK);
  return 0;
}
