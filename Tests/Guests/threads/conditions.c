// Producer and consumer with condition variables.
// bis: libs=-lpthread
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static int queue[4], count, head;
static void *producer(void *p) {
  for (int i = 1; i <= 500; i++) {
    pthread_mutex_lock(&m);
    while (count == 4) pthread_cond_wait(&not_full, &m);
    queue[(head + count++) % 4] = i;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&m);
  }
  return 0;
}
int main(void) {
  pthread_t t;
  long sum = 0;
  pthread_create(&t, 0, producer, 0);
  for (int i = 1; i <= 500; i++) {
    pthread_mutex_lock(&m);
    while (!count) pthread_cond_wait(&not_empty, &m);
    if (queue[head] != i) return printf("out of order\n"), 1;
    sum += queue[head];
    head = (head + 1) % 4;
    count--;
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&m);
  }
  pthread_join(t, 0);
  printf("sum %ld\n", sum);
  return 0;
}
