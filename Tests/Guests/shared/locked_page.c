// String instructions from one shared page to the next while another process writes both.
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  char *p = mmap(0, 16384, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  atomic_int *stop = (atomic_int *)(p + 12288);
  if (!fork()) {
    atomic_store(stop + 1, 1);
    while (!atomic_load(stop)) {
      p[100]++;
      p[5000]++;
    }
    _exit(0);
  }
  unsigned sum = 0;
  while (!atomic_load(stop + 1)) {}
  for (int i = 0; i < 30000; i++) {
    void *to = p + 4096 - 200, *from = p + 200;
    long n = 3000;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
    to = p + 7000, from = p + 3000, n = 300;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n)::"memory");
    sum += (unsigned char)p[4300];
  }
  atomic_store(stop, 1);
  wait(0);
  printf("%d\n", sum < 30000 * 256);
  return 0;
}
