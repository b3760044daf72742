// What a program learns about its CPU, and functions chosen by it: the answers agree with each other.
// bis: varies
#include <cpuid.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
int main(void) {
  unsigned a, b, c, d;
  __cpuid(1, a, b, c, d);
  printf("%08x %08x %08x\n", a, c, d);
  printf("hwcap %d %lx %lx\n", getauxval(AT_HWCAP) == d, getauxval(AT_HWCAP2), getauxval(AT_MINSIGSTKSZ));
  printf("%s\n", (char *)getauxval(AT_PLATFORM));
  __builtin_cpu_init();
  printf("avx2 %d avx512f %d bmi2 %d\n", !!__builtin_cpu_supports("avx2"), !!__builtin_cpu_supports("avx512f"), !!__builtin_cpu_supports("bmi2"));
  static char x[5000], y[5000];
  for (int i = 0; i < 5000; i++) x[i] = i * 7 | 1;
  for (int n = 0; n < 5000; n += 37) memcpy(y, x, n), x[n % 4000] += strlen(y) + memcmp(x, y, n) + (memchr(x, 3, n) != 0);
  unsigned h = 0;
  for (int i = 0; i < 5000; i++) h = h * 31 + y[i];
  printf("%u\n", h);
  return 0;
}
