// A handler passes on what it got, as crash reporters do: the signal comes again, with the code of a fault, from a system call.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const int signals[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV};

static long pass(int signal, siginfo_t *info) { return syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), signal, info); }

static void report(int signal, siginfo_t *info, void *context) {
  (void)context;
  printf("signal %d code %d address %lx\n", signal, info->si_code, (long)info->si_addr);
}

/// The first time the default action is restored and the signal sent on: it kills at the return.
static void crash(int signal, siginfo_t *info, void *context) {
  (void)context;
  struct sigaction plain = {.sa_handler = SIG_DFL};
  printf("crashed with %d code %d\n", signal, info->si_code);
  sigaction(signal, &plain, 0);
  if (pass(signal, info)) _exit(3);
}

static void child(void (*what)(void)) {
  if (fork() == 0) {
    struct sigaction a = {.sa_sigaction = crash, .sa_flags = SA_SIGINFO};
    for (int i = 0; i < 5; i++) sigaction(signals[i], &a, 0);
    what();
    _exit(4);
  }
  int status;
  wait(&status);
  printf("died of %d\n", WTERMSIG(status));
}

static void by_breakpoint(void) { __asm__ volatile("int3"); }
static void by_illegal(void) { __asm__ volatile("ud2"); }
static void by_access(void) { *(volatile int *)16 = 1; }
static void by_division(void) { __asm__ volatile("xor %%ecx, %%ecx; mov $1, %%eax; cltd; idiv %%ecx" : : : "eax", "ecx", "edx"); }

int main(void) {
  setbuf(stdout, 0);
  struct sigaction a = {.sa_sigaction = report, .sa_flags = SA_SIGINFO | SA_RESTART};
  siginfo_t info;
  for (int i = 0; i < 5; i++) {
    sigaction(signals[i], &a, 0);
    memset(&info, 0, sizeof info);
    info.si_signo = signals[i];
    info.si_code = i == 1 ? 128 : i + 1;
    info.si_addr = (void *)(0x1000l * i);
    printf("sent %ld\n", pass(signals[i], &info));
  }
  child(by_breakpoint);
  child(by_illegal);
  child(by_access);
  child(by_division);
  return 0;
}
