// Code made and changed at run time, as JITs do it: page by page, while other pages stay as they are.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 640, PAGE = 4096 };
static uint8_t *area;
typedef int function(int);

/// mov eax, value; add eax, edi; ret
static function *constant(size_t at, int value) {
  uint8_t code[8] = {0xB8, 0, 0, 0, 0, 0x01, 0xF8, 0xC3};
  memcpy(code + 1, &value, 4);
  memcpy(area + at, code, sizeof code);
  return (function *)(area + at);
}

/// Calls `target` edi times and adds up what it returns: push rbx; push rbp; mov ebx, edi; xor ebp, ebp;
/// 1: mov edi, ebx; mov eax, target; call rax; add ebp, eax; dec ebx; jnz 1b; mov eax, ebp; pop rbp; pop rbx; ret
static function *loop(size_t at, function *target) {
  uint8_t code[] = {0x53, 0x55, 0x89, 0xFB, 0x31, 0xED, 0x89, 0xDF, 0x48, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0,
                    0xFF, 0xD0, 0x01, 0xC5, 0xFF, 0xCB, 0x75, 0xEC, 0x89, 0xE8, 0x5D, 0x5B, 0xC3};
  memcpy(code + 10, &target, 8);
  memcpy(area + at, code, sizeof code);
  return (function *)(area + at);
}

/// jmp rel32 to `target`: a direct jump that another page's change must not leave stale.
static function *jump(size_t at, function *target) {
  int32_t distance = (int32_t)((uint8_t *)target - (area + at + 5));
  area[at] = 0xE9;
  memcpy(area + at + 1, &distance, 4);
  return (function *)(area + at);
}

int main(void) {
  area = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long sum = 0;
  function *f = constant(0, 1), *g = loop(8 * PAGE, f), *h = jump(16 * PAGE, f);
  for (int i = 0; i < 400; i++) {
    constant(0, i);  // the page of f changes, those of g and h do not
    sum += g(3) + h(i) + f(7);
  }
  printf("one page changes: %ld\n", sum);

  function *across = constant(5 * PAGE - 4, 5);  // on two pages
  for (int i = 0; i < 50; i++) {
    sum += across(i);
    area[5 * PAGE - 3] = (uint8_t)i;  // its first page
    sum += across(i);
    memcpy(area + 5 * PAGE, i & 1 ? "\x90\x01\xF8\xC3" : "\x00\x01\xF8\xC3", 4);  // the value's last byte
    sum += across(i) & 0xFFFF;
  }
  printf("across pages: %ld\n", sum);

  for (int i = 0; i < PAGES - 20; i++) sum += constant((size_t)(20 + i) * PAGE, i)(i);  // code is added
  for (int i = 0; i < PAGES - 20; i += 3) sum += ((function *)(area + (20 + i) * PAGE))(i);
  printf("code added: %ld\n", sum);

  int data = 0;  // data beside code that runs
  for (int i = 0; i < 300; i++) {
    memcpy(area + 0x800, &i, 4);
    sum += f(i);
    memcpy(&data, area + 0x800, 4);
    sum += data;
  }
  printf("data beside code: %ld\n", sum);

  int p[2], value;  // the kernel writes to code
  if (pipe(p)) return 1;
  for (int i = 0; i < 20; i++) {
    if (write(p[1], &i, 4) != 4) return 1;
    sum += f(1);
    if (read(p[0], area + 1, 4) != 4) perror("read");
    memcpy(&value, area + 1, 4);
    sum += f(1) + value;
  }
  printf("read into code: %ld\n", sum);

  fflush(stdout);
  constant(0, 1000);
  int before = g(2) + h(1);
  pid_t child = fork();
  if (child == 0) {  // changes its own copy
    int same = g(2) + h(1);
    constant(0, 77);
    int mine = g(2) + h(1) + f(0);
    printf("child: %d %d %d\n", before, same, mine);
    fflush(stdout);
    _exit(3);
  }
  int status;
  constant(0, 2000);
  int now = g(2) + h(1) + f(0);
  waitpid(child, &status, 0);
  printf("parent: %d %d\n", now, WEXITSTATUS(status));

  // Written while not executable, then executable again.
  for (int i = 0; i < 50; i++) {
    mprotect(area, PAGE, PROT_READ | PROT_WRITE);
    constant(0, i * 3);
    mprotect(area, PAGE, PROT_READ | PROT_EXEC);
    sum += f(i) + h(1) + g(2);
  }
  printf("flipped: %ld\n", sum);
  munmap(area, PAGES * PAGE);
  for (int i = 0; i < 300; i++) {
    area = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sum += constant(0, i)(1);
    munmap(area, PAGES * PAGE);
  }
  printf("mapped again: %ld\n", sum);
  return 0;
}
