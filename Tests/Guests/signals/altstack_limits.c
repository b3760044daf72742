// Alternate stacks at their edges: SS_AUTODISARM, frames that do not fit, frames that rt_sigreturn cannot use.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif
static char *stack;
static sigjmp_buf out;
static void action(int signal, void (*handler)(int, siginfo_t *, void *), int flags) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
  sigaction(signal, &a, 0);
}
static void alternate(char *at, size_t size, unsigned flags) {
  stack_t s = {.ss_sp = at, .ss_size = size, .ss_flags = (int)flags};
  printf("sigaltstack %zu: %d\n", size, sigaltstack(&s, 0));
}
static void show(const char *where) {
  stack_t s;
  sigaltstack(0, &s);
  printf("%s: flags %x size %zu\n", where, s.ss_flags, s.ss_size);
}
static void disarmed(int signal, siginfo_t *info, void *context) {
  show("in the handler");
  printf("saved: %x\n", ((ucontext_t *)context)->uc_stack.ss_flags);
}
static void leave(int signal, siginfo_t *info, void *context) {
  printf("signal %d code %d address %p\n", signal, info->si_code, info->si_addr);
  siglongjmp(out, 1);
}
static volatile int depth;
static void deeper(int signal, siginfo_t *info, void *context) {
  depth++;
  raise(SIGUSR1);
}
static void bad_pointer(int signal, siginfo_t *info, void *context) {
  ((ucontext_t *)context)->uc_mcontext.fpregs = (void *)1;
}
static void bad_header(int signal, siginfo_t *info, void *context) {
  uint64_t *fp = (uint64_t *)((ucontext_t *)context)->uc_mcontext.fpregs;
  if (((uint32_t *)fp)[116] == 0x46505853) fp[512 / 8] |= 1ull << 63;
  else ((uint32_t *)fp)[6] = ~0u;  // no XSAVE: MXCSR
}
static void bad_control(int signal, siginfo_t *info, void *context) {
  ((uint32_t *)((ucontext_t *)context)->uc_mcontext.fpregs)[6] = 0xFFFF0000u;
}
static void try(const char *what, void (*handler)(int, siginfo_t *, void *)) {
  printf("%s\n", what);
  if (sigsetjmp(out, 1)) return;
  action(SIGUSR1, handler, SA_ONSTACK);
  raise(SIGUSR1);
  printf("came back\n");
}
static void in_child(const char *what, void (*body)(void)) {
  fflush(stdout);
  int status;
  pid_t child = fork();
  if (!child) {
    body();
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, &status, 0);
  printf("%s: %s %d\n", what, WIFSIGNALED(status) ? "signal" : "status",
         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}
static void overflow(void) {
  alternate(stack, 16384, 0);
  action(SIGUSR1, deeper, SA_ONSTACK | SA_NODEFER);
  action(SIGSEGV, leave, SA_ONSTACK);  // has no room, either
  if (!sigsetjmp(out, 1)) raise(SIGUSR1);
}
static void no_frame(void) {  // rt_sigreturn where no memory is
  if (sigsetjmp(out, 1)) return;
  __asm__ volatile("mov $15, %%eax; mov $16, %%rsp; syscall" : : : "rax", "rcx", "r11", "memory");
}
static void no_frame_blocked(void) {
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGSEGV);
  sigprocmask(SIG_BLOCK, &s, 0);
  no_frame();
}
int main(void) {
  stack = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  alternate(stack, 2047, 0);
  alternate(stack, 32768, SS_AUTODISARM);
  show("set");
  action(SIGUSR1, disarmed, SA_ONSTACK);
  raise(SIGUSR1);
  show("after the handler");
  alternate(stack, 32768, SS_ONSTACK);  // a mode that means the same as 0
  action(SIGUSR1, disarmed, SA_ONSTACK);
  raise(SIGUSR1);
  action(SIGSEGV, leave, SA_ONSTACK);
  try("floating-point state at 1", bad_pointer);
  try("a header with bit 63", bad_header);
  try("MXCSR", bad_control);
  in_child("overflow", overflow);
  in_child("no frame", no_frame);
  in_child("no frame, blocked", no_frame_blocked);
  return 0;
}
