// Calls paired with their returns (Translate/Pairs.swift), which large programs have: returns that no call belongs to, returns
// of calls whose return address was changed, stacks that change, overflow, and what is left of it all below the stack pointer.
// bis: env=BIS_PAIRED_FROM=0
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

static jmp_buf back;
static ucontext_t outside, inside;
static volatile long ticks, depth;
static char other[65536] __attribute__((aligned(64)));

__attribute__((noinline)) static long fib(long n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

// The words below the stack pointer after a call: its return address, and what the callee pushed.
uint64_t left[4];
void peek_below(void);
void by_push_and_ret(void), misaligned(void), through_registers(void), with_operand(void), swapped(void), moved_stack(char *top);
uint64_t returned_to, moved;
asm(".text\n"
    "leaf: push $77; pop %rax; ret\n"
    "peek_below: call leaf\n"
    "1: mov -8(%rsp), %rax; mov %rax, left(%rip)\n"
    "lea 1b(%rip), %rcx; mov %rcx, left+8(%rip)\n"
    "mov -16(%rsp), %rdx; mov %rdx, left+16(%rip)\n"
    "ret\n"
    "by_push_and_ret: lea 1f(%rip), %rax; push %rax; ret; ud2\n"
    "1: mov -8(%rsp), %rax; lea 1b(%rip), %rcx; sub %rcx, %rax; mov %rax, returned_to(%rip); ret\n"
    "misaligned: sub $3, %rsp; call leaf; call 2f; add $3, %rsp; ret\n"
    "2: sub $2, %rsp; call leaf; add $2, %rsp; ret\n"
    "through_registers: push %rbx; push %r12; lea leaf(%rip), %rbx; lea 3f(%rip), %r12; xor %ecx, %ecx; sub $8, %rsp\n"
    "call *%rbx; call *%r12; lea leaf(%rip), %rcx; call *%rcx; mov %rbx, (%rsp); call *(%rsp); add $8, %rsp; pop %r12; pop %rbx; ret\n"
    "3: stc; call leaf; jnc 4f; ret\n"
    "4: ud2\n"
    "with_operand: push $1; push $2; call 5f; ret\n"
    "5: mov $5, %eax; ret $16\n"
    "swapped: call 6f; ud2\n"
    "7: mov -8(%rsp), %rax; lea 7b(%rip), %rcx; sub %rcx, %rax; mov %rax, moved(%rip); ret\n"
    "6: lea 7b(%rip), %rax; mov %rax, (%rsp); ret\n"
    "moved_stack: mov %rsp, %rax; mov %rdi, %rsp; push %rax; call leaf; call leaf; pop %rsp; ret\n");

static int less(const void *a, const void *b) {
  long x = *(const long *)a, y = *(const long *)b;
  return fib(3) ? (x > y) - (x < y) : 0;
}

__attribute__((noinline)) static long deep(long n, char *p) {
  volatile char room[200];
  room[n % 200] = (char)n;
  depth = n;
  return deep(n + 1, (char *)room) + room[0] + (p ? *p : 0);
}

static void on_overflow(int s, siginfo_t *info, void *context) {
  (void)s, (void)info, (void)context;
  siglongjmp(back, 1);
}

static void on_alarm(int s) { ticks += fib(5) + s; }

__attribute__((noinline)) static void jump_out(long n) {
  if (n == 0) longjmp(back, 7);
  jump_out(n - 1);
  asm volatile("");
}

static void coroutine(void) {
  for (long i = 0; i < 50; i++) {
    fib(6);
    swapcontext(&inside, &outside);
  }
}

static void *work(void *arg) {
  long sum = 0;
  for (int i = 0; i < 200; i++) sum += fib(8 + i % 5);
  return (void *)(sum + (long)arg);
}

int main(void) {
  setbuf(stdout, 0);
  printf("fib %ld\n", fib(20));
  peek_below();
  printf("below: %d %ld\n", left[0] == left[1], (long)left[2]);
  by_push_and_ret();
  swapped();
  printf("returned %ld %ld\n", (long)returned_to, (long)moved);
  misaligned();
  through_registers();
  with_operand();
  moved_stack(other + sizeof other - 64);
  moved_stack(other + 4096);

  long values[500];
  for (int i = 0; i < 500; i++) values[i] = i * 7919 % 503;
  qsort(values, 500, sizeof *values, less);
  printf("sorted %ld %ld %ld\n", values[0], values[250], values[499]);
  size_t (*volatile length)(const char *) = strlen;
  long total = 0;
  for (int i = 0; i < 100; i++) total += (long)length("twelve bytes") + fib(4);
  printf("lengths %ld\n", total);

  if (setjmp(back) == 0) jump_out(30);
  for (int i = 0; i < 20; i++)
    if (setjmp(back) == 0) jump_out(i);
  printf("jumped, fib %ld\n", fib(12));

  getcontext(&inside);
  inside.uc_stack.ss_sp = other;
  inside.uc_stack.ss_size = sizeof other;
  inside.uc_link = &outside;
  makecontext(&inside, coroutine, 0);
  for (int i = 0; i < 51; i++) {
    swapcontext(&outside, &inside);
    fib(7);
  }
  printf("switched\n");

  pthread_t t[3];
  long sum = 0;
  for (long i = 0; i < 3; i++) pthread_create(&t[i], 0, work, (void *)i);
  for (int i = 0; i < 3; i++) {
    void *r;
    pthread_join(t[i], &r);
    sum += (long)r;
  }
  printf("threads %ld\n", sum);

  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, 0);
  struct itimerval once = {{0, 0}, {0, 1000}};  // (at an interval, a slow machine would do nothing but handle it)
  for (long i = 1; i <= 10; i++) {
    setitimer(ITIMER_REAL, &once, 0);
    while (ticks < i * 19) fib(15);
  }
  printf("alarms %d\n", ticks % 19 == 0);

  struct rlimit small = {1 << 20, 1 << 20};  // (checksums are of all that was written)
  setrlimit(RLIMIT_STACK, &small);
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&stack, 0);
  struct sigaction overflow = {.sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGSEGV, &overflow, 0);
  for (int i = 0; i < 3; i++)
    if (sigsetjmp(back, 1) == 0) deep(0, 0);
  printf("overflowed %d, fib %ld\n", depth > 1000, fib(10));
  return 0;
}
