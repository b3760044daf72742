// System calls that read and write memory which another process has at the moment.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
int main(void) {
  char *p = mmap(0, 131072, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int pair[2], bytes = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return 1;
  if (!fork()) {
    for (int round = 0; round < 20; round++) {
      memset(p, 'a' + round, 40000);
      strcpy(p + 50000, "/tmp");
      if (write(pair[1], p + 1000, 30000) != 30000) _exit(1);
      if (read(pair[1], p + 41000, 5) != 5) _exit(2);
      struct iovec v[2] = {{p + 100, 6000}, {p + 20000, 4000}};
      if (writev(pair[1], v, 2) != 10000) _exit(3);
      if (read(pair[1], p + 41005, 1) != 1) _exit(4);
    }
    _exit(0);
  }
  unsigned sum = 0;
  struct stat *st = (struct stat *)(p + 60000);
  for (int round = 0; round < 20; round++) {
    int got = 0, n;
    while (got < 30000 && (n = read(pair[0], p + 80000 + got, 30000 - got)) > 0) got += n;
    bytes += got;
    for (int i = 0; i < 30000; i++) sum = sum * 31 + (unsigned char)p[80000 + i];
    strcpy(p + 40990, "hello");
    if (write(pair[0], p + 40990, 5) != 5) return 2;
    for (got = 0; got < 10000; got += n) {
      struct iovec v[2] = {{p + 81000 + got, 100}, {p + 92000 + got, 9900 - (got > 9900 ? 9900 : got)}};
      if ((n = readv(pair[0], v, 2)) <= 0) return 3;
    }
    bytes += got;
    if (stat(p + 50000, st)) return 4;
    sum += S_ISDIR(st->st_mode);
    clock_gettime(CLOCK_REALTIME, (struct timespec *)(p + 61000));
    if (write(pair[0], "y", 1) != 1) return 5;
  }
  int status;
  wait(&status);
  printf("%d %u %.6s %d\n", bytes, sum, p + 41000, status);
  return 0;
}
