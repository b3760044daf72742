// Starts a thread: this version says that it does not record threads, and what to do.
// bis: refused=thread
// bis: libs=-lpthread
#include <pthread.h>
#include <stdio.h>
static void *f(void *p) { return p; }
int main(void) {
  pthread_t t;
  void *r;
  int e = pthread_create(&t, 0, f, "from the thread");
  if (e) return printf("pthread_create: %d\n", e), 3;
  pthread_join(t, &r);
  puts(r);
  return 0;
}
