// A file in /proc that has no end for those who read all of it.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
  static char page[8192];
  page[4096] = 1;
  int fd = open("/proc/self/pagemap", O_RDONLY);
  uint64_t entry = 0;
  ssize_t n = pread(fd, &entry, sizeof entry, (uintptr_t)(page + 4096) / 4096 * 8);
  printf("%d bytes, present %d\n", (int)n, (int)(entry >> 63));
  return 0;
}
