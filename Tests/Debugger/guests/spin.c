// Some seconds of work in which nothing happens.
#include <stdio.h>

int main(void) {
  volatile unsigned long x = 1;
  for (long i = 0; i < 2500000000; i++) x = x * 3 + i;
  printf("%lu\n", x);
  return 0;
}
