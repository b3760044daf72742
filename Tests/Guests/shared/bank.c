// Processes that each need many of the same pages at a time, as the backends of a database do: transfers between accounts in
// different pages, each with a lock of its own; some wait for a lock while they hold others.
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
enum { ACCOUNTS = 24, PROCESSES = 4, TRANSFERS = 40, PARTS = 5 };
struct account { atomic_int lock; long balance, moves; char space[4096 - 24]; };
static struct account *bank;
static void lock(int i) {
  for (int tries = 0; atomic_exchange(&bank[i].lock, 1); tries++)
    if (tries > 50) sched_yield();
}
static void transfer(unsigned *seed) {
  int part[PARTS], count = 0;
  for (int i = 0; i < ACCOUNTS && count < PARTS; i++) {
    *seed = *seed * 1103515245 + 12345;
    if ((*seed >> 16) % ACCOUNTS < PARTS * 2) part[count++] = i;  // (ascending: nobody waits in a circle)
  }
  for (int i = 0; i < count; i++) lock(part[i]);
  long taken = 0;
  for (int i = 0; i + 1 < count; i++) {
    bank[part[i]].balance -= i + 1;
    taken += i + 1;
    bank[part[i]].moves++;
  }
  if (count) bank[part[count - 1]].balance += taken;
  for (int i = 0; i < count; i++) atomic_store(&bank[part[i]].lock, 0);
}
int main(void) {
  bank = mmap(0, ACCOUNTS * sizeof *bank, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < ACCOUNTS; i++) bank[i].balance = 1000;
  for (unsigned p = 0; p < PROCESSES; p++)
    if (!fork()) {
      unsigned seed = p * 7919 + 1;
      for (int i = 0; i < TRANSFERS; i++) transfer(&seed);
      _exit(0);
    }
  while (wait(0) > 0) {}
  long sum = 0, moves = 0;
  for (int i = 0; i < ACCOUNTS; i++) sum += bank[i].balance, moves += bank[i].moves;
  printf("%ld in all, %ld moves\n", sum, moves);
  return 0;
}
