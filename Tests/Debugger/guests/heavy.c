// Writes to much memory again and again.
#include <stdio.h>
#include <string.h>

char memory[24 << 20];
int pass;

int main(void) {
  volatile unsigned long x = 1;
  for (pass = 0; pass < 40; pass++) {
    memset(memory, pass, sizeof memory);
    for (long i = 0; i < 20000000; i++) x = x * 3 + i;
  }
  printf("%d %lu\n", memory[1000], x);
  return 0;
}
