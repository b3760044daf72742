// A timer interrupts computing loops: the handler samples a counter, and the replay sees the same samples.
// bis: varies
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
static volatile unsigned long counter;
static volatile int samples;
static unsigned long seen[50];
static void h(int s) {
  (void)s;
  if (samples < 40) seen[samples] = counter;
  samples++;
}
static double work(double x) {
  for (int i = 0; i < 50; i++) x = x * 1.0000001 + i;
  return x;
}
int main(void) {
  signal(SIGALRM, h);
  struct itimerval t = {{0, 3000}, {0, 3000}}, off = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &t, 0);
  double x = 1;
  while (samples < 20) counter++;             // no call, no system call in this loop
  while (samples < 40) {
    x = work(x);
    counter++;
  }
  setitimer(ITIMER_REAL, &off, 0);
  for (int i = 0; i < 40; i++) printf("%lu\n", seen[i]);
  printf("%g\n", x);
  return 0;
}
