// A thousand threads at once: each blocks in a read, is woken by another, and writes to the next.
// bis: libs=-lpthread
// bis: checksum=400
// bis: timeout=60
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
enum { N = 1000 };
static int pipes[N / 2][2];
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all = PTHREAD_COND_INITIALIZER, go = PTHREAD_COND_INITIALIZER;
static int here, started;
static long sum;
static void *f(void *p) {
  long i = (long)p;
  char c = 0;
  pthread_mutex_lock(&m);
  if (++here == N) pthread_cond_signal(&all);
  while (!started) pthread_cond_wait(&go, &m);
  pthread_mutex_unlock(&m);
  if (i % 2) read(pipes[i / 2][0], &c, 1);
  else { c = (char)(i / 2); write(pipes[i / 2][1], &c, 1); }
  pthread_mutex_lock(&m);
  sum += (unsigned char)c;
  pthread_mutex_unlock(&m);
  return p;
}
int main(void) {
  static pthread_t t[N];
  struct rlimit files = {2048, 2048};
  pthread_attr_t a;
  setrlimit(RLIMIT_NOFILE, &files);
  pthread_attr_init(&a);
  pthread_attr_setstacksize(&a, 16384);
  for (int i = 0; i < N / 2; i++) if (pipe(pipes[i])) return 2;
  for (long i = 0; i < N; i++) if (pthread_create(&t[i], &a, f, (void *)i)) { printf("only %ld\n", i); return 1; }
  pthread_mutex_lock(&m);
  while (here < N) pthread_cond_wait(&all, &m);
  started = 1;
  pthread_cond_broadcast(&go);
  pthread_mutex_unlock(&m);
  long ends = 0;
  for (int i = 0; i < N; i++) { void *r; pthread_join(t[i], &r); ends += (long)r; }
  printf("%d threads, sum %ld, ends %ld\n", here, sum, ends);
  return 0;
}
