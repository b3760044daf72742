// A file of 64 GiB with three bytes in it, mapped: the trace keeps the holes.
#define _FILE_OFFSET_BITS 64
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
static void look(int file, off_t at, int flags) {
  char *p = mmap(0, 4096, PROT_READ, flags, file, at & ~4095ll);
  if (p == MAP_FAILED) printf("no mapping\n");
  else printf("%d %d\n", p[at & 4095], p[(at + 1) & 4095]);
}
int main(void) {
  off_t gigabyte = 1ll << 30;
  int file = open("sparse", O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (ftruncate(file, 64 * gigabyte)) printf("this file system has no room\n");
  pwrite(file, "a", 1, 4095);
  pwrite(file, "b", 1, 5 * gigabyte + 17);
  pwrite(file, "c", 1, 63 * gigabyte);
  look(file, 4095, MAP_PRIVATE);
  look(file, 5 * gigabyte + 17, MAP_PRIVATE);
  look(file, 5 * gigabyte + 17, MAP_SHARED);
  look(file, 63 * gigabyte, MAP_PRIVATE);
  look(file, 40 * gigabyte, MAP_PRIVATE);
  unlink("sparse");
  return 0;
}
