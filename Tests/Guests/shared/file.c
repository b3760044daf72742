// A file that two processes map, with msync; what it holds at the end.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  char name[] = "shared-XXXXXX", buffer[64];
  int fd = mkstemp(name);
  for (int i = 0; i < 1000; i++)
    if (write(fd, "0123456789abcdef", 16) != 16) return 1;
  char *p = mmap(0, 16000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  p[1] = 'X';
  if (!fork()) {
    int own = open(name, O_RDWR);
    char *q = mmap(0, 16000, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
    for (int i = 0; i < 16000; i += 160) q[i] = q[1];
    msync(q, 16000, MS_SYNC);
    munmap(q, 16000);
    _exit(0);
  }
  wait(0);
  p[2] = p[160];
  msync(p, 16000, MS_SYNC);
  if (pread(fd, buffer, 20, 0) != 20) return 1;
  printf("%.20s %.4s\n", buffer, p + 8000);
  unlink(name);
  return 0;
}
