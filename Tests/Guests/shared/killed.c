// Processes killed while they contend for pages of shared memory: in the middle of a fault, that is, more often than not.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile long *area;
static void contend(int first) {
  for (;;)
    for (int page = 0; page < 4; page++) area[(first + page) % 4 * 512]++;
}
int main(int count, char **arguments) {
  int rounds = count > 1 ? atoi(arguments[1]) : 20, killed = 0, others = 0;
  area = mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < rounds; i++) {
    pid_t children[3];
    for (int k = 0; k < 3; k++)
      if (!(children[k] = fork())) contend(k);
    usleep(500 + i % 7 * 300);
    for (int k = 0; k < 3; k++) {
      int status;
      kill(children[k], SIGKILL);
      waitpid(children[k], &status, 0);
      if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) killed++;
      else others++;
    }
  }
  printf("%d killed, %d others\n", killed, others);
  return 0;
}
