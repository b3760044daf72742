// A lost wake-up: the condition is looked at without the lock, so that the signal may come before the wait, which then
// only a timeout ends.
#include <pthread.h>
#include <stdio.h>
#include <time.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static volatile int ready;
static void *consumer(void *p) {
  struct timespec until;
  if (ready) return 0;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 1;
  pthread_mutex_lock(&m);
  int late = pthread_cond_timedwait(&changed, &m, &until);
  pthread_mutex_unlock(&m);
  return (void *)(long)late;
}
int main(void) {
  for (int i = 0; i < 20; i++) {
    pthread_t t;
    void *late;
    ready = 0;
    pthread_create(&t, 0, consumer, 0);
    ready = 1;
    pthread_mutex_lock(&m);
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&m);
    pthread_join(t, &late);
    if (late) { puts("a wake-up was lost"); return 3; }
  }
  puts("all woken");
  return 0;
}
