// Two processes of two threads each, on one process-shared mutex; one more is killed while it writes.
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
struct area { pthread_mutex_t mutex; long sum; atomic_int begun; char pad[4096]; volatile long victim; };
static struct area *a;
static void *work(void *step) {
  for (int i = 0; i < 50; i++) {
    pthread_mutex_lock(&a->mutex);
    a->sum += (long)step;
    pthread_mutex_unlock(&a->mutex);
  }
  return 0;
}
static void both(long first) {
  pthread_t t;
  pthread_create(&t, 0, work, (void *)first);
  work((void *)(first + 1));
  pthread_join(t, 0);
}
int main(void) {
  a = mmap(0, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t m;
  pthread_mutexattr_init(&m);
  pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&a->mutex, &m);
  int victim = fork(), status;
  if (!victim) {
    atomic_store(&a->begun, 1);
    for (;;) a->victim++;
  }
  int child = fork();
  if (!child) {
    both(10);
    _exit(0);
  }
  both(1000);
  while (!atomic_load(&a->begun) || a->victim < 10) usleep(100);
  kill(victim, SIGKILL);
  waitpid(victim, &status, 0);
  a->victim = -1;
  waitpid(child, 0, 0);
  printf("%ld %ld %d\n", a->sum, a->victim, WTERMSIG(status));
  return 0;
}
