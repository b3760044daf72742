// A ball goes between two processes, by futex(2) across processes.
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static void play(atomic_int *ball, int mine, int rounds) {
  for (int i = 0; i < rounds; i++) {
    int seen;
    while ((seen = atomic_load(ball)) % 2 != mine) syscall(SYS_futex, ball, FUTEX_WAIT, seen, 0, 0, 0);
    atomic_fetch_add(ball, 1);
    syscall(SYS_futex, ball, FUTEX_WAKE, 1, 0, 0, 0);
  }
}
int main(void) {
  atomic_int *ball = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (!fork()) {
    play(ball, 1, 200);
    _exit(0);
  }
  play(ball, 0, 200);
  wait(0);
  printf("%d\n", *ball);
  return 0;
}
