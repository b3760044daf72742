// Timers at full speed over a sum that must not be disturbed: registers, flags, vectors survive handlers.
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
static volatile int hits;
static void h(int s) {
  (void)s;
  double a = hits;
  for (int i = 0; i < 100; i++) a = a * 1.5 + 1;
  hits += a != 0;
}
int main(void) {
  signal(SIGALRM, h);
  struct itimerval t = {{0, 500}, {0, 500}};
  setitimer(ITIMER_REAL, &t, 0);
  unsigned long s = 1, c = 0;
  double d = 0;
  float v[64];
  for (int k = 0; k < 64; k++) v[k] = k;
  while (hits < 100 || c < 200) {
    s = 1;
    d = 0;
    for (unsigned i = 0; i < 20000; i++) {
      s = s * 6364136223846793005UL + (s > i) + (s & 1 ? 7 : 11);
      d += (double)(s >> 40) * 0.5;
    }
    for (int k = 0; k < 64; k++) v[k] = v[k] * 0.5f + 1;
    c++;
  }
  struct itimerval off = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &off, 0);
  printf("%lu %.17g\n", s, d);
  return 0;
}
