// An allocator at work: many sizes, realloc, calloc, memalign, large blocks.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
  static unsigned char *p[500];
  static size_t n[500];
  unsigned r = 7, h = 0;
  for (int i = 0; i < 40000; i++) {
    r = r * 1664525 + 1013904223;
    int k = (r >> 8) % 500;
    size_t want = (r >> 17) % (i % 97 == 0 ? 400000 : 900) + 1;
    switch ((r >> 5) % 4) {
      case 0: free(p[k]); p[k] = 0; n[k] = 0; break;
      case 1: free(p[k]); p[k] = calloc(1, want); n[k] = want; break;
      case 2: { p[k] = realloc(p[k], want); if (want > n[k]) memset(p[k] + n[k], i, want - n[k]); n[k] = want; break; }
      default: if (n[k]) { h = h * 33 + p[k][r % n[k]]; p[k][r % n[k]] = i; }
    }
  }
  void *a = memalign(4096, 100);
  printf("%u %d\n", h, ((unsigned long)a & 4095) == 0);
  return 0;
}
