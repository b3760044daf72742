// ucontext: getcontext, makecontext, swapcontext between coroutines; a handler that edits the interrupted context.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>
static ucontext_t back, a, b;
static char sa[65536], sb[65536];
static int steps;
static void fa(int n) {
  for (int i = 0; i < n; i++) {
    steps = steps * 3 + 1;
    swapcontext(&a, &b);
  }
}
static void fb(void) {
  for (;;) {
    steps = steps * 2 + 1;
    swapcontext(&b, &a);
  }
}
static void h(int s, siginfo_t *i, void *u) {
  ucontext_t *c = u;
  (void)s;
  (void)i;
  c->uc_mcontext.gregs[REG_RBX] += 5;
  c->uc_mcontext.gregs[REG_EFL] |= 1;
  c->uc_mcontext.fpregs->_xmm[3].element[0] = 99;
  sigaddset(&c->uc_sigmask, SIGUSR2);
}
int main(void) {
  getcontext(&a);
  a.uc_stack.ss_sp = sa;
  a.uc_stack.ss_size = sizeof sa;
  a.uc_link = &back;
  makecontext(&a, (void (*)(void))fa, 1, 1000);
  getcontext(&b);
  b.uc_stack.ss_sp = sb;
  b.uc_stack.ss_size = sizeof sb;
  b.uc_link = 0;
  makecontext(&b, fb, 0);
  swapcontext(&back, &a);
  printf("%d\n", steps);
  struct sigaction s = {0};
  s.sa_sigaction = h;
  s.sa_flags = SA_SIGINFO;
  sigaction(SIGTRAP, &s, 0);
  long rbx;
  unsigned char carry;
  int x;
  __asm__ volatile("mov $10, %%rbx; pxor %%xmm3, %%xmm3; clc; int3; setc %1; movd %%xmm3, %2; mov %%rbx, %0"
                   : "=r"(rbx), "=&r"(carry), "=&r"(x)
                   :
                   : "rbx", "xmm3", "cc");
  sigset_t m;
  sigprocmask(SIG_BLOCK, 0, &m);
  printf("%ld %d %d %d\n", rbx, carry, x, sigismember(&m, SIGUSR2));
  return 0;
}
