// Threads made by clone and clone3 without a library: the flags of glibc, musl, Go and Java, TIDs stored and cleared,
// what is not allowed.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
static atomic_int ran, stored;
static int parent_tid, child_tid;
static char tls[256] __attribute__((aligned(64)));
struct start { void (*f)(void); };
/// On the new thread's stack, without thread-local storage of its own unless asked for.
static void body(void) { ran++; }
static void stores(void) { stored = child_tid == (int)syscall(SYS_gettid) && parent_tid == child_tid; ran++; }
static long thread(long flags, void *stack_top, int *ptid, int *ctid, void *fs, void (*f)(void)) {
  void **top = stack_top;
  *--top = f;
  long r;
  register long r10 __asm__("r10") = (long)ctid;
  register long r8 __asm__("r8") = (long)fs;
  __asm__ volatile("syscall; test %%eax, %%eax; jne 1f; xorl %%ebp, %%ebp; popq %%rax; callq *%%rax; movl $60, %%eax; "
                   "xorl %%edi, %%edi; syscall; 1:"
                   : "=a"(r) : "a"(56), "D"(flags), "S"(top), "d"(ptid), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
  return r;
}
static long thread3(struct clone_args *args, size_t size, void (*f)(void)) {
  long r;
  register void (*r12)(void) __asm__("r12") = f;
  __asm__ volatile("syscall; test %%eax, %%eax; jne 1f; xorl %%ebp, %%ebp; andq $-16, %%rsp; callq *%%r12; "
                   "movl $60, %%eax; xorl %%edi, %%edi; syscall; 1:"
                   : "=a"(r) : "a"(435), "D"(args), "S"(size), "r"(r12) : "rcx", "r11", "memory");
  return r;
}
static void until_cleared(int *word) {
  for (int value; (value = *(volatile int *)word) != 0;) syscall(SYS_futex, word, FUTEX_WAIT, value, 0, 0, 0);
}
static void until(int count) { while (ran < count) usleep(500); }
int main(void) {
  size_t size = 65536;
  char *stack = mmap(0, 12 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *top = stack;
  // glibc: pthread_create
  long glibc = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS |
               CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
  void *fs;
  syscall(SYS_arch_prctl, 0x1003, &fs);  // our own thread area: these threads touch nothing of it
  child_tid = -1;
  long r = thread(glibc, top += size, &parent_tid, &child_tid, fs, body);
  until_cleared(&child_tid);
  printf("glibc's flags: %d, stored %d, ran %d\n", r > 0, parent_tid == r, ran);
  // musl: the same and CLONE_DETACHED
  child_tid = -1;
  r = thread(glibc | CLONE_DETACHED, top += size, &parent_tid, &child_tid, fs, body);
  until_cleared(&child_tid);
  printf("musl's flags: %d, ran %d\n", r > 0, ran);
  // Go: no TLS, no TIDs
  r = thread(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_SYSVSEM | CLONE_THREAD, top += size, 0, 0, 0, body);
  until(3);
  printf("Go's flags: %d, ran %d\n", r > 0, ran);
  // Both TIDs, seen by the child.
  child_tid = parent_tid = -1;
  r = thread(glibc | CLONE_CHILD_SETTID, top += size, &parent_tid, &child_tid, fs, stores);
  until_cleared(&child_tid);
  printf("both TIDs: %d, ran %d, seen %d\n", r > 0, ran, stored);
  // clone3, as glibc does it.
  struct clone_args a = {.flags = glibc & ~CLONE_DETACHED, .parent_tid = (uintptr_t)&parent_tid, .child_tid = (uintptr_t)&child_tid,
                         .stack = (uintptr_t)top, .stack_size = size, .tls = (uintptr_t)fs};
  top += size;
  child_tid = -1;
  r = thread3(&a, sizeof a, body);
  until_cleared(&child_tid);
  printf("clone3: %d, stored %d, ran %d\n", r > 0, parent_tid == r, ran);
  // An old, short clone_args; one that is too short.
  a.stack = (uintptr_t)top;
  top += size;
  child_tid = -1;
  r = thread3(&a, 64, body);
  until_cleared(&child_tid);
  printf("64 bytes: %d, ran %d\n", r > 0, ran);
  printf("63 bytes: %ld\n", thread3(&a, 63, body));
  // What is not allowed.
  printf("thread without sighand: %ld\n", thread(CLONE_VM | CLONE_THREAD, top, 0, 0, 0, body));
  printf("sighand without vm: %ld\n", thread(CLONE_SIGHAND, top, 0, 0, 0, body));
  a.exit_signal = SIGCHLD;
  printf("thread with exit signal: %ld\n", thread3(&a, sizeof a, body));
  a.exit_signal = 0;
  a.stack_size = 0;
  printf("stack without size: %ld\n", thread3(&a, sizeof a, body));
  printf("nowhere: %ld\n", thread3((void *)16, sizeof a, body));
  printf("ran %d\n", ran);
  return 0;
}
