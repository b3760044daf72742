// Four processes count in anonymous shared memory with atomic instructions.
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  atomic_long *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  p[600] = 7;
  for (int i = 0; i < 3; i++)
    if (!fork()) {
      for (int k = 0; k < 2000; k++) {
        atomic_fetch_add(p, 1);
        if (k % 10 == 0) atomic_fetch_add(p + 600, k);
      }
      _exit(0);
    }
  for (int k = 0; k < 2000; k++) atomic_fetch_add(p, 1);
  while (wait(0) > 0) {}
  printf("%ld %ld\n", *p, p[600]);
  return 0;
}
