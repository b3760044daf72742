// Several processes write to one standard output, in an order that pipes impose: the replay of all keeps it.
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  int a[2], b[2];
  char c;
  pipe(a);
  pipe(b);
  setbuf(stdout, 0);
  if (!fork()) {
    for (int i = 0; i < 50; i++) {
      read(a[0], &c, 1);
      printf("child %d\n", i);
      fprintf(stderr, "child error %d\n", i);
      write(b[1], "x", 1);
    }
    _exit(0);
  }
  for (int i = 0; i < 50; i++) {
    printf("parent %d\n", i);
    write(a[1], "x", 1);
    read(b[0], &c, 1);
  }
  wait(0);
  return 0;
}
