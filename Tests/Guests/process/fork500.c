// 500 children, one after the other, and 50 at once.
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  int s, sum = 0;
  for (int i = 0; i < 500; i++) {
    if (!fork()) _exit(i & 63);
    wait(&s);
    sum += WEXITSTATUS(s);
  }
  printf("%d\n", sum);
  fflush(stdout);
  for (int i = 0; i < 50; i++)
    if (!fork()) _exit(i);
  while (wait(&s) > 0) sum += WEXITSTATUS(s);
  printf("%d\n", sum);
  return 0;
}
