// One memory file mapped twice in one process: what is written here is read there, in one stretch without a jump.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
  int fd = memfd_create("twice", 0);
  if (ftruncate(fd, 8192)) return 1;
  volatile int *a = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  volatile int *b = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  int sum = 0;
  for (int i = 0; i < 50; i++) {
    a[0] = i;
    int x = b[0];
    b[1] = x * 3;
    b[1025] = x;
    int y = a[1];
    a[2] = y + x;
    sum = sum * 5 + b[2] + a[1025];
  }
  printf("%d\n", sum);
  return 0;
}
