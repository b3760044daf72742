// Process-shared mutex, condition and barrier of pthreads.
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
struct area {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  pthread_barrier_t barrier;
  int turn, sum, done[4];
};
static void work(struct area *a, int me) {
  pthread_barrier_wait(&a->barrier);
  for (int i = 0; i < 30; i++) {
    pthread_mutex_lock(&a->mutex);
    while (a->turn != me) pthread_cond_wait(&a->cond, &a->mutex);
    a->sum = a->sum * 3 + me;
    a->turn = (me + 1) % 4;
    pthread_cond_broadcast(&a->cond);
    pthread_mutex_unlock(&a->mutex);
  }
  a->done[me] = 1;
  pthread_barrier_wait(&a->barrier);
}
int main(void) {
  struct area *a = mmap(0, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t m;
  pthread_condattr_t c;
  pthread_barrierattr_t b;
  pthread_mutexattr_init(&m);
  pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
  pthread_condattr_init(&c);
  pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED);
  pthread_barrierattr_init(&b);
  pthread_barrierattr_setpshared(&b, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&a->mutex, &m);
  pthread_cond_init(&a->cond, &c);
  pthread_barrier_init(&a->barrier, &b, 4);
  for (int i = 1; i < 4; i++)
    if (!fork()) {
      work(a, i);
      _exit(0);
    }
  work(a, 0);
  while (wait(0) > 0) {}
  printf("%d %d\n", a->sum, a->done[0] + a->done[1] + a->done[2] + a->done[3]);
  return 0;
}
