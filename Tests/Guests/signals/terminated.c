// Killed by SIGKILL and SIGTERM from a child; here: the child kills its parent.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
  puts("waiting");
  fflush(stdout);
  if (!fork()) {
    usleep(20000);
    kill(getppid(), SIGTERM);
    _exit(0);
  }
  for (;;) pause();
}
