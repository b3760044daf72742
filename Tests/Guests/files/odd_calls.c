// Calls that fail and write all the same, calls with pointers to the first page, exec of what cannot be read from.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static void say(const char *what, long result) {
  printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : "");
}
static volatile char sink;
int main(void) {
  for (long at = 1; at <= 9; at += 4) {
    say("poll", syscall(SYS_poll, at, 1, 0));
    say("select", syscall(SYS_select, 8, at, 0, 0, 0));
    say("stat", syscall(SYS_stat, "/", at));
    say("nanosleep", syscall(SYS_nanosleep, at, at));
    say("waitid", syscall(SYS_waitid, P_ALL, 0, at, WNOHANG | WEXITED, at));
  }
  // The number of the timer is there although there is no timer.
  int clocks[] = {CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM, 11, 77};
  for (int i = 0; i < 5; i++) {
    int id = -1;
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    long result = syscall(SYS_timer_create, clocks[i], &e, &id);
    say("timer_create", result);
    if (!result) syscall(SYS_timer_delete, id);
    printf("written: %d\n", id != -1);
  }
  // The length that would have been enough comes with ERANGE.
  int pair[2];
  gid_t groups[5] = {1, 2, 3, 4, 5};
  if (!geteuid()) syscall(SYS_setgroups, 5, groups);
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  socklen_t length = 1;
  long result = getsockopt(pair[0], SOL_SOCKET, 59 /* SO_PEERGROUPS */, groups, &length);
  if (!geteuid()) printf("SO_PEERGROUPS: %ld, length %u\n", result, length);
  say("mmap of a socket", (long)mmap(0, 4096, PROT_READ, MAP_SHARED, pair[0], 0));
  mkfifo("fifo", 0755);
  char *arguments[] = {"fifo", 0};
  say("exec of a fifo", execve("./fifo", arguments, 0));
  say("exec of a directory", execve("/", arguments, 0));
  say("exec of a device", execve("/dev/null", arguments, 0));
  unlink("fifo");
  return 0;
}
