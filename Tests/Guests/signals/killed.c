// Children that are killed with SIGKILL at any instruction, while they make calls with small and large results; one in
// five shares its parent's memory (vfork), waits in a call, and the parent goes on.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static char buffer[1 << 20];
static int zero;

static void work(int kind) {
  for (volatile unsigned long i = 0;; i++) {
    if (kind == 0) i += __rdtsc() & 1;
    if (kind == 1) {
      struct timespec now;
      clock_gettime(CLOCK_MONOTONIC, &now);
    }
    if (kind == 2 && read(zero, buffer, sizeof buffer) < 0) _exit(2);
    if (kind == 3 && (read(zero, buffer, 100) < 0 || getppid() < 0)) _exit(2);
  }
}

static void *thread(void *kind) {
  work((int)(long)kind);
  return 0;
}

static int is_killed(pid_t child) {
  int status;
  return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/// The child says that it works; it is killed some time later.
static int killed(int i) {
  int ready[2];
  if (pipe(ready) < 0) exit(2);
  pid_t child = fork();
  if (child == 0) {
    if (write(ready[1], "x", 1) != 1) _exit(1);
    pthread_t other;
    if (i % 3 == 0 && pthread_create(&other, 0, thread, (void *)(long)(i / 3 % 4))) _exit(1);
    work(i % 4);
  }
  char byte;
  if (read(ready[0], &byte, 1) != 1) exit(2);
  close(ready[0]);
  close(ready[1]);
  usleep(i * 37 % 4000);
  kill(child, SIGKILL);
  return is_killed(child);
}

/// The child tells its number to a third process, which kills it.
static int killed_in_vfork(int i) {
  int number[2];
  if (pipe(number) < 0) exit(2);
  pid_t killer = fork();
  if (killer == 0) {
    pid_t victim;
    if (read(number[0], &victim, sizeof victim) != sizeof victim) _exit(1);
    usleep(20000);
    _exit(kill(victim, SIGKILL) != 0);
  }
  pid_t child = vfork();
  if (child == 0) {
    pid_t own = getpid();
    if (write(number[1], &own, sizeof own) != sizeof own) _exit(1);
    pause();
  }
  close(number[0]);
  close(number[1]);
  int status;
  return is_killed(child) && waitpid(killer, &status, 0) == killer && status == 0;
}

int main(void) {
  zero = open("/dev/zero", O_RDONLY);
  int count = 0;
  for (int i = 0; i < 80; i++) count += i % 5 == 4 ? killed_in_vfork(i) : killed(i);
  printf("%d killed\n", count);
  return 0;
}
