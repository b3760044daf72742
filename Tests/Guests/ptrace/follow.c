// What a tracee makes is traced, too: fork, vfork, clone, exec, threads; and the end of all of them.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *thread(void *p) {
  syscall(SYS_getppid);
  return p;
}
static int tracee(const char *self) {
  pthread_t t;
  int s;
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  raise(SIGSTOP);
  pid_t k = fork();
  if (!k) _exit(21);
  waitpid(k, &s, 0);
  printf("fork: %d\n", WEXITSTATUS(s));
  k = vfork();
  if (!k) _exit(22);
  waitpid(k, &s, 0);
  printf("vfork: %d\n", WEXITSTATUS(s));
  k = vfork();
  if (!k) {
    execl(self, self, "23", (char *)0);
    _exit(9);
  }
  waitpid(k, &s, 0);
  printf("exec: %d\n", WEXITSTATUS(s));
  pthread_create(&t, 0, thread, 0);
  pthread_join(t, 0);
  printf("thread\n");
  fflush(stdout);
  execl(self, self, "24", (char *)0);
  return 9;
}

static pid_t known[64];
static int count;
static int number(pid_t pid) {
  for (int i = 0; i < count; i++)
    if (known[i] == pid) return i;
  known[count] = pid;
  return count++;
}

static int seen[10][16];
static const char *names[] = {"", "fork", "vfork", "clone", "exec", "vfork done", "exit"};

int main(int argc, char **argv) {
  if (argc == 2) return atoi(argv[1]);
  int status, live = 1, starts = 0, exits = 0, sum = 0;
  pid_t first = fork();
  if (first == 0) _exit(tracee(argv[0]));
  if (waitpid(first, &status, 0) != first) return 1;
  number(first);
  long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SETOPTIONS, first, 0, options)) return 2;
  ptrace(PTRACE_SYSCALL, first, 0, 0);
  while (live) {
    pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0) break;
    int n = number(pid);
    if (!WIFSTOPPED(status)) {
      exits++;
      sum += WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
      if (pid == first) printf("the first: %d\n", WEXITSTATUS(status));
      if (pid == first) break;
      continue;
    }
    int e = status >> 16, s = WSTOPSIG(status), go = 0;
    unsigned long message = 0;
    if (e) {
      ptrace(PTRACE_GETEVENTMSG, pid, 0, &message);
      seen[e][n ? 1 : 0]++;
      if (e <= 3) {
        number((pid_t)message);
        live++;
      }
    } else if (s == SIGSTOP) {
      starts++;
    } else if (s != (SIGTRAP | 0x80)) {
      go = s;
    }
    if (ptrace(PTRACE_SYSCALL, pid, 0, go) && errno != ESRCH) return 4;
  }
  for (int e = 1; e < 7; e++) printf("%s: %d and %d\n", names[e], seen[e][0], seen[e][1]);
  printf("tasks %d, first stops %d, ends %d, sum %d\n", count, starts, exits, sum);
  return 0;
}
