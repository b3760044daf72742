// getrandom, AT_RANDOM, /dev/urandom, addresses: what was random is the same in the replay.
// bis: varies
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <unistd.h>
int main(void) {
  unsigned long v[4], *a = (unsigned long *)getauxval(AT_RANDOM);
  getrandom(v, sizeof v, 0);
  printf("%lx %lx %lx %lx\n", v[0], v[1], a[0], a[1]);
  int f = open("/dev/urandom", O_RDONLY);
  read(f, v, sizeof v);
  printf("%lx %lx\n", v[0], v[3]);
  printf("%p %p %p\n", (void *)main, (void *)v, malloc(10));
  printf("%d %d\n", getpid(), getppid());
  return 0;
}
