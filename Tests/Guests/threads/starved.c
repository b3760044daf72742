// A thread that frees a lock only for a moment between two calls; the other one is woken, and must get it some time.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int stop, null;
static void *run(void *unused) {
  for (;;) {
    pthread_mutex_lock(&lock);
    write(null, ".", 1);
    int ends = stop;
    pthread_mutex_unlock(&lock);
    if (ends) return 0;
  }
}
int main(void) {
  null = open("/dev/null", O_WRONLY);
  pthread_t thread;
  pthread_create(&thread, 0, run, 0);
  for (int i = 0; i < 20; i++) {
    usleep(1000);
    pthread_mutex_lock(&lock);
    stop = i == 19;
    pthread_mutex_unlock(&lock);
  }
  pthread_join(thread, 0);
  puts("stopped");
  return 0;
}
