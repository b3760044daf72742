// Single reads and writes of 10 MB, to a file and through a pipe.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static unsigned long sum(const unsigned char *p, size_t n) {
  unsigned long h = 1;
  for (size_t i = 0; i < n; i++) h = h * 31 + p[i];
  return h;
}
int main(void) {
  size_t n = 10 << 20;
  unsigned char *b = malloc(n);
  for (size_t i = 0; i < n; i++) b[i] = i * 7 + (i >> 9);
  int f = open("big", O_RDWR | O_CREAT | O_TRUNC, 0600);
  printf("%zd\n", write(f, b, n));
  unsigned char *c = malloc(n);
  printf("%zd %lx\n", pread(f, c, n, 0), sum(c, n));
  int p[2];
  pipe(p);
  fflush(stdout);
  pid_t k = fork();
  if (!k) {
    close(p[0]);
    size_t done = 0;
    while (done < n) {
      ssize_t r = write(p[1], b + done, n - done);
      if (r < 0) _exit(1);
      done += r;
    }
    _exit(0);
  }
  close(p[1]);
  size_t got = 0;
  for (ssize_t r; (r = read(p[0], c + got, n - got)) > 0;) got += r;
  int s;
  waitpid(k, &s, 0);
  printf("%zu %lx %d\n", got, sum(c, n), s);
  return 0;
}
