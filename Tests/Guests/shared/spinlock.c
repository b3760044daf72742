// A spin lock without system calls, contended by two processes; what it guards is on other pages.
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static void work(atomic_int *lock, long *data, int rounds) {
  for (int i = 0; i < rounds; i++) {
    while (atomic_exchange(lock, 1)) __builtin_ia32_pause();
    data[0]++;
    data[1000] += data[0];
    data[2000] ^= data[1000];
    atomic_store(lock, 0);
  }
}
int main(void) {
  char *p = mmap(0, 32768, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (!fork()) {
    atomic_store((atomic_int *)(p + 28672), 1);
    work((atomic_int *)p, (long *)(p + 4096), 40000);
    _exit(0);
  }
  while (!atomic_load((atomic_int *)(p + 28672))) {}
  work((atomic_int *)p, (long *)(p + 4096), 40000);
  wait(0);
  long *d = (long *)(p + 4096);
  printf("%ld %ld %ld\n", d[0], d[1000], d[2000]);
  return 0;
}
