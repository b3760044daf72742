// Code that nobody has translated yet, all the time: bis answers questions for it without stops (Guest/Attention.swift). Meanwhile
// signals come, children and threads ask as well, and a child is killed while it asks.
// bis: env=BIS_NO_CACHE=1
// bis: libs=-lpthread
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

// Thousands of functions that differ, each with a loop, branches, a call by address and a call of the one before.
typedef uint64_t function(uint64_t);
static uint64_t start(uint64_t x) { return x + 1; }
#define F(n, before)                                                                  \
  __attribute__((noinline)) static uint64_t f##n(uint64_t x) {                        \
    static function *volatile last = before;                                          \
    for (int i = 0; i < (int)(x & 3) + 1; i++) x = x * (2 * 0x##n + 1) + (x >> 7);    \
    if (x & 8) x ^= 0x##n##5ull;                                                      \
    if (x & 1) return (x & 0x70) ? x : last(x);                                       \
    return (x & 0x70) ? x + 0x##n : before(x) ^ x;                                    \
  }
#define F16(n, prior)  \
  F(n##0, prior) F(n##1, f##n##0) F(n##2, f##n##1) F(n##3, f##n##2) F(n##4, f##n##3) F(n##5, f##n##4) F(n##6, f##n##5)       \
  F(n##7, f##n##6) F(n##8, f##n##7) F(n##9, f##n##8) F(n##a, f##n##9) F(n##b, f##n##a) F(n##c, f##n##b) F(n##d, f##n##c) \
  F(n##e, f##n##d) F(n##f, f##n##e)
#define F256(n)                                                                                            \
  F16(n##0, start) F16(n##1, f##n##0f) F16(n##2, f##n##1f) F16(n##3, f##n##2f) F16(n##4, f##n##3f)         \
  F16(n##5, f##n##4f) F16(n##6, f##n##5f) F16(n##7, f##n##6f) F16(n##8, f##n##7f) F16(n##9, f##n##8f)      \
  F16(n##a, f##n##9f) F16(n##b, f##n##af) F16(n##c, f##n##bf) F16(n##d, f##n##cf) F16(n##e, f##n##df)      \
  F16(n##f, f##n##ef)
F256(1) F256(2) F256(3) F256(4) F256(5) F256(6)
#define A16(n) f##n##0, f##n##1, f##n##2, f##n##3, f##n##4, f##n##5, f##n##6, f##n##7, f##n##8, f##n##9, f##n##a, f##n##b, f##n##c, f##n##d, f##n##e, f##n##f,
#define A256(n) A16(n##0) A16(n##1) A16(n##2) A16(n##3) A16(n##4) A16(n##5) A16(n##6) A16(n##7) A16(n##8) A16(n##9) A16(n##a) A16(n##b) A16(n##c) A16(n##d) A16(n##e) A16(n##f)
static function *const all[] = {A256(1) A256(2) A256(3) A256(4) A256(5) A256(6)};

static volatile sig_atomic_t signals;
static void note(int signal) { signals++; (void)signal; }

static void alarm_soon(void) {
  struct itimerval once = {{0, 0}, {0, 200}};
  setitimer(ITIMER_REAL, &once, 0);
}
static uint64_t run(int from, int to) {
  uint64_t x = (uint64_t)from;
  for (int i = from; i < to; i++) {
    if (i % 16 == 0) alarm_soon();
    x = all[i](x + (uint64_t)i);
  }
  return x;
}
static void *thread(void *from) { return (void *)(uintptr_t)run((int)(intptr_t)from, (int)(intptr_t)from + 256); }

int main(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, 0);
  printf("alone %llx\n", (unsigned long long)run(0, 256));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    printf("child %llx\n", (unsigned long long)run(256, 512));
    fflush(stdout);
    _exit(3);
  }
  uint64_t both = run(512, 768);
  int status;
  waitpid(child, &status, 0);
  printf("parent %llx, child's status %x\n", (unsigned long long)both, status);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    for (int i = 768; ; i = i == 1535 ? 0 : i + 1) all[i]((uint64_t)i);
  }
  usleep(2000);
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  printf("killed: %x\n", status);
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, thread, (void *)(intptr_t)(768 + 256 * i));
  for (int i = 0; i < 2; i++) {
    void *result;
    pthread_join(threads[i], &result);
    printf("thread %llx\n", (unsigned long long)(uintptr_t)result);
  }
  printf("the rest %llx\n", (unsigned long long)run(1280, 1536));
  while (!signals) {}
  return 0;
}
