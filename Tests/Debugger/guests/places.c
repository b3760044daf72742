// One of every kind of place that a debugger steps over: a system call, a repeated instruction, pushed flags, signals, code
// that changes, a child, a trap.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int alarms, raised, trapped;
char from[64], to[64];

void by_timer(int number) { alarms++; }
void by_raise(int number) { raised++; }
void by_trap(int number) { trapped++; }
void copying(void) {
  char *d = to, *s = from;
  long n = 20;
  __asm__ volatile("pushfq; popfq; rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory", "cc");
}
void calling(void) { getppid(); write(1, "", 0); }
void patching(unsigned char *code) {
  for (int i = 0; i < 3; i++) {
    code[0] = 0xB8;
    *(int32_t *)(code + 1) = i;
    code[5] = 0xC3;
    if (((int (*)(void))code)() != i) abort();
  }
}
void trapping(void) {
  __asm__ volatile("int3");
  if (trapped != 1) abort();
}
void forking(void) {
  int status;
  if (fork() == 0) _exit(3);
  wait(&status);
}

int main(void) {
  signal(SIGALRM, by_timer);
  signal(SIGUSR1, by_raise);
  copying();
  calling();
  raise(SIGUSR1);
  signal(SIGTRAP, by_trap);
  trapping();
  patching(mmap(0, 8192, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  forking();
  struct itimerval soon = {{0, 0}, {0, 3000}};
  setitimer(ITIMER_REAL, &soon, 0);
  for (volatile long i = 0; alarms == 0; i++) ;
  return 0;
}
