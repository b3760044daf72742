// Faults that handlers repair: SIGSEGV on a protected page, SIGILL and SIGTRAP stepped over, SIGFPE left by siglongjmp,
// SIGBUS behind the end of a file; siginfo says what and where.
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
static char *page;
static sigjmp_buf out;
static volatile int faults, code, at, trapno, err;
static void segv(int s, siginfo_t *i, void *u) {
  ucontext_t *c = u;
  (void)s;
  faults++;
  code = i->si_code;
  at = (char *)i->si_addr - page;
  trapno = c->uc_mcontext.gregs[REG_TRAPNO];
  err = c->uc_mcontext.gregs[REG_ERR];
  mprotect((char *)((long)i->si_addr & -4096), 4096, PROT_READ | PROT_WRITE);
}
static void skip(int s, siginfo_t *i, void *u) {
  ucontext_t *c = u;
  faults++;
  code = i->si_code;
  if (s == SIGILL) c->uc_mcontext.gregs[REG_RIP] += 2;
  c->uc_mcontext.gregs[REG_RAX] = 1000 + s;
}
static void leap(int s, siginfo_t *i, void *u) {
  (void)u;
  code = i->si_code;
  siglongjmp(out, s);
}
static void set(int s, void (*f)(int, siginfo_t *, void *)) {
  struct sigaction a = {0};
  a.sa_sigaction = f;
  a.sa_flags = SA_SIGINFO;
  sigaction(s, &a, 0);
}
int main(void) {
  page = mmap(0, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  set(SIGSEGV, segv);
  for (int i = 0; i < 100; i++) page[i * 4096 + i] += i;
  printf("%d %d %d %d %d\n", faults, code, at == 99 * 4096 + 99, trapno, err);
  mprotect(page, 4096, PROT_READ);
  page[5] = 7;
  printf("%d %d %d %d\n", page[5], code, trapno, err);
  char buffer[5000];
  mprotect(page + 4096, 4096, PROT_NONE);
  memset(page, 3, 8192);                    // inside a string instruction or a vector loop
  memcpy(buffer, page, 5000);
  printf("%d %d %d\n", faults, buffer[4999], code);
  long rax;
  set(SIGILL, skip);
  set(SIGTRAP, skip);
  __asm__ volatile("xor %%eax, %%eax; ud2" : "=a"(rax));
  printf("%ld %d\n", rax, code);
  __asm__ volatile("xor %%eax, %%eax; int3" : "=a"(rax));
  printf("%ld %d\n", rax, code);
  set(SIGFPE, leap);
  set(SIGSEGV, leap);
  set(SIGBUS, leap);
  volatile int zero = 0, r = 0;
  for (int i = 0; i < 3; i++) {
    int s = sigsetjmp(out, 1);
    if (!s) r = 100 / zero;
    printf("%d %d %d\n", s, code, r);
  }
  int s = sigsetjmp(out, 1);
  if (!s) r = *(volatile int *)16;
  printf("%d %d\n", s, code);
  s = sigsetjmp(out, 1);
  if (!s) ((void (*)(void))0x123456)();      // execution at an unmapped address
  printf("%d %d\n", s, code);
  s = sigsetjmp(out, 1);
  if (!s) ((void (*)(void))page)();          // execution of data
  printf("%d %d\n", s, code);
  s = sigsetjmp(out, 1);
  if (!s) r = *(volatile int *)(0x8000000000000000UL);
  printf("%d %d\n", s, code);
  int f = open("short", O_RDWR | O_CREAT | O_TRUNC, 0600);
  write(f, "abc", 3);
  volatile char *m = mmap(0, 8192, PROT_READ, MAP_PRIVATE, f, 0);
  s = sigsetjmp(out, 1);
  if (!s) r = m[4096];
  printf("%d %d %c\n", s, code, m[1]);
  return 0;
}
