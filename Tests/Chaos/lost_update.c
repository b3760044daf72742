// A lost update: threads count without a lock, a few times each. The right sum, or a race.
#include <pthread.h>
#include <stdio.h>
static volatile long count;
static void *f(void *p) {
  for (int i = 0; i < 200; i++) {
    long now = count;
    count = now + 1;
  }
  return 0;
}
int main(void) {
  pthread_t t[3];
  for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, f, 0);
  for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
  if (count == 600) { puts("right"); return 0; }
  printf("lost %s\n", count < 600 ? "updates" : "nothing");
  return 3;
}
