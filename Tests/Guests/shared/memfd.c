// A memory file that a child has by its descriptor; it maps it anew, and a part read-only.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  int fd = memfd_create("guest", 0), go[2], back[2];
  char c;
  if (ftruncate(fd, 40960) || pipe(go) || pipe(back)) return 1;
  if (write(fd, "written before", 14) != 14) return 2;
  char *p = mmap(0, 40960, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  strcpy(p + 20000, "by the parent");
  if (!fork()) {
    munmap(p, 40960);
    char *q = mmap(0, 40960, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *r = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 36864);
    if (read(go[0], &c, 1) != 1) _exit(3);
    sprintf(q + 30000, "child saw '%s' and '%s' and %c", q, q + 20000, r[0]);
    mprotect(q + 36864, 4096, PROT_READ);
    if (write(back[1], "x", 1) != 1) _exit(3);
    _exit(0);
  }
  p[36864] = 'R';
  if (write(go[1], "x", 1) != 1) return 3;
  if (read(back[0], &c, 1) != 1) return 4;
  printf("%s\n", p + 30000);
  wait(0);
  p = mremap(p, 40960, 81920, MREMAP_MAYMOVE);
  printf("%s, %s\n", p, p + 20000);
  return 0;
}
