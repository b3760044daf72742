// Every way to ask for the time; the replay shows the recorded time.
// bis: varies
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
int main(void) {
  struct timespec t;
  struct timeval v;
  struct rusage u;
  struct tms m;
  for (int c = 0; c < 8; c++)
    if (!clock_gettime(c, &t)) printf("%d %ld.%09ld\n", c, (long)t.tv_sec, t.tv_nsec);
  gettimeofday(&v, 0);
  printf("%ld.%06ld %ld %ld\n", (long)v.tv_sec, (long)v.tv_usec, (long)time(0), clock());
  getrusage(RUSAGE_SELF, &u);
  printf("%ld %ld %ld\n", (long)u.ru_utime.tv_usec, u.ru_maxrss, u.ru_minflt);
  printf("%ld\n", (long)times(&m));
  char b[100];
  time_t n = time(0);
  strftime(b, 100, "%c %Z", localtime(&n));
  puts(b);
  return 0;
}
