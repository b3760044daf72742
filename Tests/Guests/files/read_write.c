// read, write, lseek, pread, pwrite, readv, writev, ftruncate, dup, O_APPEND, short reads at the end, errors.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
int main(void) {
  char b[100] = {0};
  int f = open("data", O_RDWR | O_CREAT | O_TRUNC, 0640);
  printf("%zd %zd\n", write(f, "hello ", 6), write(f, "world\n", 6));
  printf("%ld\n", (long)lseek(f, 0, SEEK_SET));
  printf("%zd [%s]\n", read(f, b, sizeof b), b);
  printf("%zd\n", read(f, b, sizeof b));
  printf("%zd\n", pwrite(f, "W", 1, 6));
  memset(b, 0, sizeof b);
  printf("%zd [%s]\n", pread(f, b, 5, 6), b);
  char x[4] = {0}, y[20] = {0};
  struct iovec v[2] = {{x, 3}, {y, 19}};
  lseek(f, 0, SEEK_SET);
  printf("%zd [%s] [%s]\n", readv(f, v, 2), x, y);
  struct iovec o[3] = {{"a", 1}, {"", 0}, {"bcd", 3}};
  printf("%zd\n", writev(f, o, 3));
  int d = dup(f), e = dup2(f, 77), g = fcntl(f, F_DUPFD_CLOEXEC, 90);
  printf("%d %d %d %ld\n", d > f, e, g, (long)lseek(77, 0, SEEK_CUR));
  ftruncate(f, 3);
  printf("%ld\n", (long)lseek(f, 0, SEEK_END));
  int a = open("data", O_WRONLY | O_APPEND);
  write(a, "end", 3);
  memset(b, 0, sizeof b);
  printf("%zd [%s]\n", pread(f, b, 50, 0), b);
  printf("%d %s\n", open("missing", O_RDONLY), strerror(errno));
  printf("%zd %s\n", write(99, "x", 1), strerror(errno));
  printf("%zd %s\n", read(f, (void *)1, 10), strerror(errno));
  printf("%zd %s\n", read(-1, b, 1), strerror(errno));
  close(f);
  printf("%d %s\n", close(f), strerror(errno));
  return 0;
}
