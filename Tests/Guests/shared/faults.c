// Processes that take a page from each other while each raises SIGFPE and SIGILL all the time.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;
static void caught(int signal) { siglongjmp(back, signal); }

int main(void) {
  volatile unsigned *counts = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {.sa_handler = caught};
  sigaction(SIGFPE, &action, 0);
  sigaction(SIGILL, &action, 0);
  for (int child = 0; child < 3; child++)
    if (fork() == 0) {
      for (volatile int i = 0; i < 3000; i++)
        switch (sigsetjmp(back, 1)) {
        case 0:
          if (i & 1) __asm__ volatile("ud2");
          __asm__ volatile("xorl %%ecx, %%ecx; idivl %%ecx" : : : "eax", "ecx", "edx", "cc");
          break;
        default: counts[child * 16]++;
        }
      _exit(0);
    }
  while (wait(0) > 0) {}
  printf("%u %u %u\n", counts[0], counts[16], counts[32]);
  return 0;
}
