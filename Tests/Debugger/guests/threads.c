// Threads that take turns adding to a sum under a lock.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
volatile long sum;

static void *work(void *argument) {
  char name[16] = {0};
  snprintf(name, sizeof name, "worker %ld", (long)argument);
  pthread_setname_np(pthread_self(), name);
  for (int i = 0; i < 2000; i++) {
    pthread_mutex_lock(&lock);
    sum += (long)argument;
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[3];
  for (long i = 0; i < 3; i++) pthread_create(&threads[i], NULL, work, (void *)(i + 1));
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  printf("sum %ld\n", sum);
  return 0;
}
