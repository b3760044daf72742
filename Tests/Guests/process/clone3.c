// clone3: what it refuses, and a process with both its descriptor and its number written by the kernel.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
struct arguments { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; };
static char buffer[8192];
static void wrong(const char *what, struct arguments a, size_t size) {
  memset(buffer, 0, sizeof buffer);
  memcpy(buffer, &a, sizeof a);
  if (size > 4096) memset(buffer + 4096, 0, 1);
  if (strstr(what, "rest")) buffer[100] = 1;
  long result = syscall(435, buffer, size);
  if (!result) _exit(0);
  printf("%s: %ld %s\n", what, result > 0 ? 1 : result, result < 0 ? strerror(errno) : "");
  if (result > 0) waitpid(result, 0, __WALL);
}
int main(void) {
  struct arguments none = {.exit_signal = SIGCHLD};
  wrong("size 0", none, 0);
  wrong("size 63", none, 63);
  wrong("size 4097", none, 4097);
  wrong("size 88", none, 88);
  wrong("size 200", none, 200);
  wrong("a rest that is not 0", none, 200);
  wrong("signal 65", (struct arguments){.exit_signal = 65}, 88);
  wrong("signal 0x100", (struct arguments){.exit_signal = 0x100}, 88);
  wrong("a signal among the flags", (struct arguments){.flags = SIGCHLD}, 88);
  wrong("unknown flag", (struct arguments){.flags = 1ull << 40, .exit_signal = SIGCHLD}, 88);
  wrong("CLONE_DETACHED", (struct arguments){.flags = 0x400000, .exit_signal = SIGCHLD}, 88);
  wrong("stack without size", (struct arguments){.stack = (uint64_t)buffer, .exit_signal = SIGCHLD}, 88);
  wrong("size without stack", (struct arguments){.stack_size = 4096, .exit_signal = SIGCHLD}, 88);
  wrong("numbers without a list", (struct arguments){.set_tid_size = 1, .exit_signal = SIGCHLD}, 88);
  wrong("too many numbers", (struct arguments){.set_tid = (uint64_t)buffer, .set_tid_size = 33, .exit_signal = SIGCHLD}, 88);
  wrong("sibling with a signal", (struct arguments){.flags = CLONE_PARENT, .exit_signal = SIGCHLD}, 88);
  int descriptor = -1, number = -1, status;
  struct arguments both = {.flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .pidfd = (uint64_t)&descriptor,
                           .parent_tid = (uint64_t)&number, .exit_signal = SIGCHLD};
  long child = syscall(435, &both, sizeof both);
  if (!child) _exit(number == -1 ? 7 : 8);
  struct pollfd p = {.fd = descriptor, .events = POLLIN};
  printf("%d %d\n", number == child, poll(&p, 1, -1));
  waitpid(child, &status, 0);
  printf("status %d\n", WEXITSTATUS(status));
  return 0;
}
