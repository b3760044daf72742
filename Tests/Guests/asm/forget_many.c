// Twenty thousand functions in anonymous memory, which goes in one call; then again, at the same place.
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { COUNT = 20000, SIZE = 16 };

static unsigned long run(void *where, unsigned seed) {
  unsigned char *code = mmap(where, COUNT * SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
                             MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED : 0), -1, 0);
  for (unsigned i = 0; i < COUNT; i++) {
    unsigned value = i * seed;
    code[i * SIZE] = 0xB8;  // mov $value, %eax; ret
    memcpy(code + i * SIZE + 1, &value, 4);
    code[i * SIZE + 5] = 0xC3;
  }
  unsigned long sum = 0;
  for (unsigned i = 0; i < COUNT; i++) sum += ((unsigned (*)(void))(code + i * SIZE))();
  if (!where) return sum + run(code, seed + 1);  // (mmap takes the old ones away)
  munmap(code, COUNT * SIZE);
  return sum;
}

int main(void) {
  printf("%lu\n", run(0, 3));
  return 0;
}
