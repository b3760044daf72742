// mmap, munmap, mremap, mprotect, brk, madvise: contents survive moves; zeros come back after MADV_DONTNEED.
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
  char *a = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 1 << 20; i += 4096) a[i] = i >> 12;
  char *b = mremap(a, 1 << 20, 8 << 20, MREMAP_MAYMOVE);
  unsigned s = 0;
  for (int i = 0; i < 8 << 20; i += 4096) s = s * 31 + (unsigned char)b[i];
  printf("%u\n", s);
  b = mremap(b, 8 << 20, 4096 * 3, 0);
  printf("%d %d %d\n", b[0], b[4096], b[8192]);
  char *c = mmap(0, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  printf("%d\n", mremap(b, 4096 * 3, 4096 * 3, MREMAP_MAYMOVE | MREMAP_FIXED, c) == c);
  printf("%d %d\n", c[4096], c[8192]);
  printf("%d\n", mprotect(c, 4096, PROT_READ));
  printf("%d\n", madvise(c + 4096, 4096, MADV_DONTNEED));
  printf("%d %d\n", c[4096], c[8192]);
  munmap(c + 4096, 4096);
  printf("%d\n", c[8192]);
  printf("%d\n", mmap(c + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == c + 4096);
  printf("%d %d\n", mmap(c, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED, errno);
  char *h = sbrk(0);
  for (int i = 0; i < 50; i++) {
    char *p = sbrk(40000);
    if (p == (void *)-1) return 1;
    memset(p, i, 40000);
  }
  s = 0;
  for (int i = 0; i < 2000000; i += 100) s = s * 7 + h[i];
  printf("%u %ld\n", s, (long)((char *)sbrk(0) - h));
  sbrk(-1000000);
  printf("%ld\n", (long)((char *)sbrk(0) - h));
  char *g = sbrk(500000);
  s = 0;
  for (int i = 0; i < 500000; i++) s |= g[i] && i > 8192;
  printf("%u\n", s);
  unsigned char v[256];
  printf("%d\n", mincore(c, 4096, v));
  for (int i = 0; i < 3000; i++) {
    char *p = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p[100] = i;
    munmap(p, 65536);
  }
  return 0;
}
