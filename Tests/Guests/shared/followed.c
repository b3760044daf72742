// A process (and a thread of it) follows in its mapping what another one writes to the file with system calls.
// bis: libs=-pthread
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 150, PAGE = 4096 };
static volatile uint64_t *p;
static int wrong;
static void *follow(void *from) {
  uint64_t last = 0;
  volatile uint64_t *mine = p + (intptr_t)from;
  while (last < ROUNDS) {
    uint64_t now = *mine;
    if (now < last) wrong++;
    last = now;
  }
  return 0;
}
int main(void) {
  char name[] = "followed-XXXXXX";
  int fd = mkstemp(name), status;
  if (ftruncate(fd, 2 * PAGE)) return 1;
  p = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (!fork()) {
    int own = open(name, O_RDWR);
    for (uint64_t i = 1; i <= ROUNDS; i++) {
      if (pwrite(own, &i, 8, 0) != 8 || pwrite(own, &i, 8, PAGE + 80) != 8) _exit(1);
      if (i == 50 && ftruncate(own, 3 * PAGE)) _exit(2);
      if (i == 100 && (lseek(own, 0, SEEK_END) != 3 * PAGE || write(own, "the end", 7) != 7)) _exit(3);
    }
    for (int i = 0; i < 5000 && p[1] != 77; i++) usleep(1000);  // (the parent may come later)
    _exit(p[1] != 77);
  }
  p[1] = 77;
  pthread_t t;
  pthread_create(&t, 0, follow, (void *)(intptr_t)(PAGE / 8 + 10));
  follow(0);
  pthread_join(t, 0);
  wait(&status);
  printf("%d wrong, status %d, %s\n", wrong, status, (char *)(p + 3 * PAGE / 8));
  unlink(name);
  return 0;
}
