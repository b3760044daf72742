// A stack overflow caught on an alternate stack; SS_ONSTACK; frames with vectors in them.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
static sigjmp_buf out;
static char *stack;
static volatile int on, flags;
static void h(int s, siginfo_t *i, void *u) {
  char here;
  stack_t k;
  (void)i;
  (void)u;
  on = &here > stack && &here < stack + 65536;
  sigaltstack(0, &k);
  flags = k.ss_flags;
  siglongjmp(out, s);
}
static int dive(volatile char *p) {
  volatile char b[1000];
  b[0] = p ? p[0] : 1;
  return dive(b) + b[0];
}
int main(void) {
  struct rlimit r = {1 << 20, 1 << 20};
  setrlimit(RLIMIT_STACK, &r);
  stack = malloc(65536);
  stack_t k = {.ss_sp = stack, .ss_size = 65536};
  printf("%d\n", sigaltstack(&k, 0));
  struct sigaction a = {0};
  a.sa_sigaction = h;
  a.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &a, 0);
  sigaction(SIGUSR1, &a, 0);
  for (int i = 0; i < 3; i++) {
    int s = sigsetjmp(out, 1);
    if (!s) printf("%d\n", dive(0));
    printf("%d %d %d\n", s, on, flags);
  }
  int s = sigsetjmp(out, 1);
  if (!s) raise(SIGUSR1);
  printf("%d %d\n", s, on);
  sigaltstack(0, &k);
  printf("%d\n", k.ss_flags);
  return 0;
}
