// A pipeline of five processes, backpressure, SIGPIPE, EPIPE.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  int in = -1, s;
  for (int i = 0; i < 5; i++) {
    int p[2];
    pipe(p);
    if (!fork()) {
      close(p[0]);
      char b[1000];
      if (i == 0)
        for (int k = 0; k < 300; k++) {
          memset(b, 'a' + k % 20, sizeof b);
          for (size_t d = 0; d < sizeof b;) d += write(p[1], b + d, sizeof b - d);
        }
      else
        for (ssize_t n; (n = read(in, b, 777)) > 0;) {
          for (int k = 0; k < n; k++) b[k]++;
          for (ssize_t d = 0; d < n;) d += write(p[1], b + d, n - d);
        }
      _exit(0);
    }
    close(p[1]);
    if (in >= 0) close(in);
    in = p[0];
  }
  char b[333];
  unsigned h = 1, t = 0;
  for (ssize_t n; (n = read(in, b, sizeof b)) > 0; t += n)
    for (int k = 0; k < n; k++) h = h * 31 + b[k];
  while (wait(&s) > 0) {}
  printf("%u %u\n", t, h);
  int p[2];
  pipe(p);
  close(p[0]);
  fflush(stdout);
  if (!fork()) {
    write(p[1], "x", 1);
    _exit(0);
  }
  wait(&s);
  printf("%d %d\n", WIFSIGNALED(s), WTERMSIG(s));
  signal(SIGPIPE, SIG_IGN);
  printf("%zd %d\n", write(p[1], "x", 1), errno == EPIPE);
  return 0;
}
