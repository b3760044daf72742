// Mappings with code that succeed, fail and replace each other: after each, what is called is what is there.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf back;
static void on_fault(int signal) { siglongjmp(back, signal); }

/// What the function at `p` returns, or minus the signal that calling it raises.
static int called(void *p) {
  int signal = sigsetjmp(back, 1);
  if (signal) return -signal;
  return ((int (*)(void))p)();
}

static void tried(const char *what, void *r) { printf("%s: %s\n", what, r == MAP_FAILED ? strerror(errno) : "mapped"); }

int main(void) {
  static const unsigned char first[] = {0xB8, 42, 0, 0, 0, 0xC3}, second[] = {0xB8, 7, 0, 0, 0, 0xC3};
  const int rx = PROT_READ | PROT_EXEC;
  signal(SIGSEGV, on_fault);
  char name[] = "map_code.XXXXXX";
  int f = mkstemp(name);
  int w = open(name, O_WRONLY);
  unlink(name);
  ftruncate(f, 8192);
  pwrite(f, first, sizeof first, 0);
  pwrite(f, second, sizeof second, 4096);

  unsigned char *p = mmap(0, 2 * 4096, PROT_READ, MAP_PRIVATE, f, 0), *q = p + 4096;
  printf("data %d %d, called %d\n", p[1], q[1], called(p));
  tried("code", mmap(p, 4096, rx, MAP_PRIVATE | MAP_FIXED, f, 0));
  printf("%d\n", called(p));
  tried("other code over it", mmap(p, 4096, rx, MAP_PRIVATE | MAP_FIXED, f, 4096));
  printf("%d\n", called(p));
  tried("at an odd offset", mmap(q, 4096, rx, MAP_PRIVATE | MAP_FIXED, f, 123));
  printf("%d %d\n", called(p), called(q));
  tried("unreadable", mmap(q, 4096, rx, MAP_PRIVATE | MAP_FIXED, w, 0));
  printf("%d %d\n", called(p), called(q));
  tried("unreadable over code", mmap(p, 4096, rx, MAP_PRIVATE | MAP_FIXED, w, 0));
  printf("%d\n", called(p));
  tried("no descriptor", mmap(q, 4096, rx, MAP_PRIVATE | MAP_FIXED, -1, 0));
  tried("of no length", mmap(q, 0, rx, MAP_PRIVATE | MAP_FIXED, f, 0));
  tried("not replacing", mmap(p, 4096, rx, MAP_PRIVATE | MAP_FIXED_NOREPLACE, f, 0));
  printf("%d %d\n", called(p), called(q));
  tried("second page", mmap(q, 4096, rx, MAP_PRIVATE | MAP_FIXED, f, 4096));
  printf("%d %d\n", called(p), called(q));
  tried("writable", mmap(p, 4096, rx | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, f, 0));
  printf("%d", called(p));
  p[1] = 99;
  printf(" %d\n", called(p));
  tried("data over code", mmap(p, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, f, 0));
  printf("%d %d\n", called(p), called(q));
  tried("anonymous", mmap(p, 4096, rx | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
  memcpy(p, second, sizeof second);
  printf("%d\n", called(p));
  unsigned char *any = mmap(0, 4096, rx, MAP_PRIVATE, f, 0);
  printf("anywhere %d\n", called(any));
  return 0;
}
