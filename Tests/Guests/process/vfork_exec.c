// vfork and exec, vfork and _exit, memory written by the vfork child, posix_spawn with redirections, system, popen.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;

// The child ends at once.
static pid_t vforked(long flags, int *of_parent, int *of_child) {
  register int *child __asm__("r10") = of_child;
  long pid;
  __asm__ volatile(
      "syscall\n"
      "test %%rax, %%rax\n"
      "jnz 1f\n"
      "mov $60, %%eax\n"
      "xor %%edi, %%edi\n"
      "syscall\n"
      "1:"
      : "=a"(pid)
      : "0"(SYS_clone), "D"(flags), "S"(0), "d"(of_parent), "r"(child)
      : "rcx", "r11", "memory");
  return pid;
}

static const char *link_of(int fd) {
  static char path[40], target[100];
  sprintf(path, "/proc/self/fd/%d", fd);
  memset(target, 0, sizeof target);
  if (readlink(path, target, sizeof target - 1) < 0) strcpy(target, "nothing");
  return target[0] == 'a' || target[0] == 'p' ? "process" : target;  // anon_inode:[pidfd] or, since Linux 6.14, pidfd:[n]
}

int main(void) {
  int s;
  volatile int shared = 1;
  setbuf(stdout, 0);
  for (int i = 0; i < 20; i++) {
    pid_t k = vfork();
    if (!k) {
      shared += i;
      _exit(i);
    }
    waitpid(k, &s, 0);
    if (WEXITSTATUS(s) != i) printf("wrong %d\n", s);
  }
  printf("%d\n", shared);
  pid_t k = vfork();
  if (!k) {
    execl("/bin/echo", "echo", "from", "vfork", (char *)0);
    _exit(127);
  }
  waitpid(k, &s, 0);
  printf("%d\n", WEXITSTATUS(s));
  k = vfork();
  if (!k) {
    execl("/nonexistent", "x", (char *)0);
    _exit(126);
  }
  waitpid(k, &s, 0);
  printf("%d\n", WEXITSTATUS(s));
  posix_spawn_file_actions_t f;
  posix_spawn_file_actions_init(&f);
  posix_spawn_file_actions_addopen(&f, 1, "spawned", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  char *v[] = {"sh", "-c", "echo spawned; exit 3", 0};
  printf("%d\n", posix_spawn(&k, "/bin/sh", &f, 0, v, environ));
  waitpid(k, &s, 0);
  printf("%d\n", WEXITSTATUS(s));
  printf("%d\n", posix_spawnp(&k, "no-such-program", 0, 0, v, environ));
  printf("%d\n", WEXITSTATUS(system("cat spawned; exit 9")));
  FILE *p = popen("printf 'a b c' | wc -c", "r");
  char line[100] = {0};
  fgets(line, 99, p);
  printf("%s %d\n", strtok(line, "\n"), pclose(p));
  // What the kernel tells of the child: a descriptor of it to the parent (as Go does), numbers to both, and its end.
  int fd = -1;
  k = vforked(CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &fd, 0);
  printf("%d, ", waitid(P_PIDFD, fd, &(siginfo_t){0}, WEXITED));
  printf("%d: a file called %.7s\n", fd > 2, link_of(fd));
  int of_parent = -1, of_child = -1;
  k = vforked(CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, &of_parent, &of_child);
  printf("%d %d\n", k == of_parent, k == of_child);
  k = vforked(CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, &of_parent,
              &of_child);
  printf("%d %d\n", k == of_parent, of_child);
  while (wait(0) > 0) {}
  return 0;
}
