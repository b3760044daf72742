// Processes that are killed while they make others, with fork or with vfork and exec: alone, so that their last child must
// live on (the reader sees the end of the pipe when the last one is gone), or with all their children, which may not have
// begun. Half of them have a second thread.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *program;

static void *thread(void *counter) {
  for (;;) {
    ++*(volatile long *)counter;
    usleep(100);
  }
  return 0;
}

static void children(int writer, int borrows, int has_thread) {
  static long counter;
  pthread_t other;
  if (has_thread && pthread_create(&other, 0, thread, &counter)) _exit(3);
  signal(SIGCHLD, SIG_IGN);
  dup2(writer, 1);
  close(writer);
  for (;;) {
    pid_t child = borrows ? vfork() : fork();
    if (child == 0) {
      if (write(1, "x", 1) != 1) _exit(1);
      if (borrows) execl(program, program, "child", (char *)0);
      _exit(0);
    }
    if (child < 0) _exit(2);
  }
}

/// One round; whether all went well.
static int killed(int i) {
  int ends[2];
  if (pipe(ends) < 0) exit(2);
  pid_t forker = fork();
  if (forker == 0) {
    setpgid(0, 0);
    close(ends[0]);
    children(ends[1], i & 1, i & 4);
  }
  close(ends[1]);
  char bytes[256];
  if (read(ends[0], bytes, 1) != 1) exit(2);
  usleep(i * 71 % 3000);
  if (kill(i & 2 ? forker : -forker, SIGKILL) < 0) exit(2);
  int status;
  int well = waitpid(forker, &status, 0) == forker && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  while (read(ends[0], bytes, sizeof bytes) > 0) {}
  close(ends[0]);
  return well;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "child") == 0) return 0;
  program = argv[0];
  int count = 0;
  for (int i = 0; i < 80; i++) count += killed(i);
  printf("%d killed\n", count);
  return 0;
}
