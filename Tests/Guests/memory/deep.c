// Deep recursion grows the stack by 7 MB; longjmp comes out of the depth; alloca.
#include <alloca.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
static jmp_buf out;
static volatile long total;
static __attribute__((noinline)) long dive(int n) {
  volatile char pad[100];
  memset((void *)pad, n, sizeof pad);
  if (n == 0) longjmp(out, 5);
  long r = dive(n - 1) + pad[50];
  return r;
}
static __attribute__((noinline)) long depth(int n) {
  volatile char *p = alloca(64 + n % 64);
  p[3] = n;
  return n == 0 ? 0 : depth(n - 1) + p[3];
}
int main(void) {
  for (int i = 0; i < 5; i++) {
    int r = setjmp(out);
    if (!r) dive(40000 + i);
    total += r;
  }
  printf("%ld %ld\n", total, depth(30000));
  return 0;
}
