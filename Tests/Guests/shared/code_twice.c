// A JIT that writes its code through one mapping and executes it through another.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 64, PAGE = 4096 };
static uint8_t *w, *x;
static int fd;
typedef int function(int);

/// mov eax, value; add eax, edi; ret
static function *constant(size_t at, int value) {
  uint8_t code[8] = {0xB8, 0, 0, 0, 0, 0x01, 0xF8, 0xC3};
  memcpy(code + 1, &value, 4);
  memcpy(w + at, code, sizeof code);
  return (function *)(x + at);
}

/// jmp rel32, direct, to another page.
static function *jump(size_t at, size_t to) {
  int32_t distance = (int32_t)(to - (at + 5));
  w[at] = 0xE9;
  memcpy(w + at + 1, &distance, 4);
  return (function *)(x + at);
}

static void *in_thread(void *p) {
  long sum = 0;
  for (int i = 0; i < 20; i++) sum += constant((size_t)(40 + (long)p) * PAGE, i)(i);
  return (void *)(sum + (long)p);
}

int main(void) {
  fd = memfd_create("code", 0);
  if (ftruncate(fd, PAGES * PAGE)) return 1;
  w = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  x = mmap(0, PAGES * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  if (w == MAP_FAILED || x == MAP_FAILED) return puts("no second mapping"), 1;
  long sum = 0;
  for (int i = 0; i < 100; i++) sum += constant(0, i)(i);
  printf("one page: %ld\n", sum);
  for (int i = 0; i < PAGES; i++) sum += constant((size_t)i * PAGE + 100, i)(1);
  for (int i = 0; i < PAGES; i++) sum += ((function *)(x + i * PAGE + 100))(2);
  printf("all pages: %ld\n", sum);

  function *j = jump(8 * PAGE, 16 * PAGE);
  for (int i = 0; i < 20; i++) {
    constant(16 * PAGE, i * 3);  // what is jumped to changes
    sum += j(i);
    if (i == 10) jump(8 * PAGE, 17 * PAGE), constant(17 * PAGE, 77), constant(16 * PAGE, 78);
  }
  printf("jumps: %ld\n", sum);

  constant(5 * PAGE - 4, 0x01020304);  // on two pages
  function *across = (function *)(x + 5 * PAGE - 4);
  for (int i = 0; i < 20; i++) {
    sum += across(i);
    w[5 * PAGE - 3] = (uint8_t)i;
    sum += across(i);
    sum += x[5 * PAGE - 3] + ((volatile uint8_t *)x)[0];  // (code is read as well)
  }
  printf("across pages: %ld\n", sum);

  int p[2];
  uint8_t six[] = {0xB8, 6, 0, 0, 0, 0xC3};  // mov eax, 6; ret
  if (pipe(p) || write(p[1], six, sizeof six) != sizeof six || read(p[0], w + 30 * PAGE, sizeof six) != sizeof six) return 1;
  printf("read by a call: %d\n", ((function *)(x + 30 * PAGE))(0));
  six[1] = 7;
  if (pwrite(fd, six, sizeof six, 30 * PAGE) != sizeof six) return 1;
  printf("written to the file: %d\n", ((function *)(x + 30 * PAGE))(0));

  pthread_t t[3];
  for (long i = 0; i < 3; i++) pthread_create(&t[i], 0, in_thread, (void *)i);
  for (int i = 0; i < 3; i++) {
    void *r;
    pthread_join(t[i], &r);
  }
  sum += ((function *)(x + 40 * PAGE))(0);
  printf("threads: %ld\n", sum);

  // One of the mappings comes and goes, as with memory that is never writable and executable at a time.
  for (int i = 0; i < 10; i++) {
    uint8_t *once = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 50 * PAGE);
    once[0] = 0xB8;
    memcpy(once + 1, &i, 4);
    once[5] = 0xC3;
    munmap(once, PAGE);
    sum += ((function *)(x + 50 * PAGE))(0);
    mprotect(x + 51 * PAGE, PAGE, PROT_READ | PROT_WRITE);
    memcpy(x + 51 * PAGE, six, sizeof six);
    x[51 * PAGE + 1] = (uint8_t)i;
    mprotect(x + 51 * PAGE, PAGE, PROT_READ | PROT_EXEC);
    sum += ((function *)(x + 51 * PAGE))(0);
  }
  printf("flipped: %ld\n", sum);
  fflush(stdout);
  if (fork() == 0) {
    printf("child: %d\n", ((function *)(x + 50 * PAGE))(0));
    return 0;
  }
  wait(0);
  printf("parent: %d\n", ((function *)(x + 50 * PAGE))(0));
  return 0;
}
