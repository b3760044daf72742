// Sleeps take their time when recorded, and none when replayed; time does not run backwards.
#include <stdio.h>
#include <time.h>
#include <unistd.h>
static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}
int main(void) {
  long long a = now();
  usleep(30000);
  struct timespec d = {0, 20000000}, r;
  nanosleep(&d, &r);
  clock_nanosleep(CLOCK_REALTIME, 0, &d, 0);
  long long b = now();
  printf("%d\n", b - a >= 70000000);
  long long last = b;
  int back = 0;
  for (int i = 0; i < 20000; i++) {
    long long t = now();
    if (t < last) back++;
    last = t;
  }
  printf("%d\n", back);
  return 0;
}
