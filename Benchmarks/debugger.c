// Work for the debugger's measures. hits N: a function called N times; field N: N rounds of a loop over memory, after a
// tenth of which a variable is written that nothing else writes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

volatile long total;
volatile long rare;

__attribute__((noinline)) long called(long x) {
  total += x;
  return x ^ total;
}

__attribute__((noinline)) void seldom(long x) { rare = x; }

__attribute__((noinline)) static long hits(long count) {
  long sum = 0;
  for (long i = 0; i < count; i++) sum += called(i);
  return sum;
}

__attribute__((noinline)) static long field(long rounds) {
  long *memory = calloc(1 << 15, sizeof *memory);
  unsigned long x = 1;
  for (long i = 0; i < rounds; i++) {
    for (long j = 0; j < 20000000; j++) {
      x = x * 6364136223846793005 + 1442695040888963407;
      memory[x >> 49] += j;
    }
    if (i == rounds / 10) seldom(i);
    called(i);
  }
  return memory[7];
}

int main(int argc, char **argv) {
  long count = atol(argv[2]);
  printf("%ld\n", strcmp(argv[1], "hits") == 0 ? hits(count) : field(count));
  return 0;
}
