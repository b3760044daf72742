// Code that is written, run and written over for as long as it lasts, by several threads and by children of theirs: more
// translations than the cache has room for.
// bis: env=BIS_CODE_LIMIT=1
// bis: libs=-pthread
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, ROUNDS = 30, FUNCTIONS = 24, STEPS = 40, ROOM = 1024 };

static uint32_t next(uint32_t *seed) { return *seed = *seed * 1664525 + 1013904223; }

// uint32_t f(void), made of STEPS steps that `seed` says; what it must return.
static uint32_t make(uint8_t *at, uint32_t seed) {
  uint32_t value = 0;
  *at++ = 0x31, *at++ = 0xC0;  // xor %eax, %eax
  for (int i = 0; i < STEPS; i++) {
    uint32_t n = next(&seed);
    if (n >> 31) {
      *at++ = 0x05;  // add $n, %eax
      memcpy(at, &n, 4);
      at += 4;
      value += n;
    } else {
      *at++ = 0x35;  // xor $n, %eax
      memcpy(at, &n, 4);
      at += 4;
      value ^= n;
      *at++ = 0x79, *at++ = 2;  // jns over
      *at++ = 0xF7, *at++ = 0xD0;  // not %eax
      if (value >> 31) value = ~value;
    }
  }
  *at = 0xC3;
  return value;
}

static int work(uint8_t *code, uint32_t seed, int rounds) {
  int wrong = 0;
  for (int r = 0; r < rounds; r++) {
    uint32_t expected[FUNCTIONS];
    for (int f = 0; f < FUNCTIONS; f++) expected[f] = make(code + f * ROOM, next(&seed));
    for (int f = 0; f < FUNCTIONS; f++) {
      uint32_t (*function)(void) = (uint32_t(*)(void))(code + f * ROOM);
      wrong += function() != expected[f];
    }
  }
  return wrong;
}

static uint8_t *room(void) {
  return mmap(0, FUNCTIONS * ROOM, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *thread(void *argument) {
  return (void *)(intptr_t)work(room(), (uint32_t)(intptr_t)argument, ROUNDS);
}

static int threads(uint32_t seed) {
  pthread_t list[THREADS];
  intptr_t wrong = 0;
  for (int i = 0; i < THREADS; i++) pthread_create(&list[i], 0, thread, (void *)(intptr_t)(seed + i));
  for (int i = 0; i < THREADS; i++) {
    void *result;
    pthread_join(list[i], &result);
    wrong += (intptr_t)result;
  }
  return (int)wrong;
}

int main(void) {
  uint8_t *own = room();
  printf("wrong before: %d\n", work(own, 1, ROUNDS / 4));
  fflush(stdout);
  for (int child = 0; child < 3; child++) {
    if (fork() == 0) {
      int wrong = work(own, 100 + child, ROUNDS);
      _exit(child < 2 ? wrong : wrong + threads(200));
    }
  }
  int wrong = threads(2), status, bad = 0;
  while (wait(&status) > 0) bad += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  printf("wrong: %d, children that failed: %d\n", wrong, bad);
  return 0;
}
