// A megabyte as a ring between a producer and a consumer that spin with sched_yield.
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
enum { SIZE = 1 << 20, TOTAL = 3 << 20, STEP = 32768 };
struct ring { atomic_long head; char pad[4088]; atomic_long tail; char pad2[4088]; unsigned char data[SIZE]; };
int main(void) {
  struct ring *r = mmap(0, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (!fork()) {
    uint32_t x = 1;
    for (long at = 0; at < TOTAL; at += STEP) {
      while (at + STEP - atomic_load(&r->tail) > SIZE) sched_yield();
      for (int i = 0; i < STEP; i++) r->data[(at + i) % SIZE] = (x = x * 1664525 + 1013904223) >> 24;
      atomic_store(&r->head, at + STEP);
    }
    _exit(0);
  }
  uint32_t sum = 0;
  for (long at = 0; at < TOTAL; at += STEP) {
    while (atomic_load(&r->head) < at + STEP) sched_yield();
    for (int i = 0; i < STEP; i++) sum = sum * 33 + r->data[(at + i) % SIZE];
    atomic_store(&r->tail, at + STEP);
  }
  wait(0);
  printf("%u\n", sum);
  return 0;
}
