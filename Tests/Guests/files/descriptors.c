// Descriptors that are no files: eventfd, timerfd, signalfd, inotify, pidfd, and data moved between descriptors.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void counters(void) {
  uint64_t v = 0;
  int e = eventfd(5, EFD_SEMAPHORE | EFD_NONBLOCK), t = timerfd_create(CLOCK_MONOTONIC, 0), n = 0;
  while (read(e, &v, 8) == 8) n += (int)v;
  printf("eventfd %d %s\n", n, strerror(errno));
  struct itimerspec s = {{0, 5000000}, {0, 5000000}}, old;
  timerfd_settime(t, 0, &s, 0);
  for (n = 0; n < 3;) {
    if (read(t, &v, 8) != 8) break;
    n += (int)v;
  }
  timerfd_gettime(t, &old);
  printf("timerfd %d %ld\n", n >= 3, old.it_interval.tv_nsec);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGALRM);
  sigprocmask(SIG_BLOCK, &set, 0);
  int f = signalfd(-1, &set, 0);
  raise(SIGUSR1);
  alarm(1);
  struct signalfd_siginfo got[2];
  for (int i = 0; i < 2; i++) {
    long r = read(f, got, sizeof got);
    printf("signalfd %ld: %u from %d\n", r, got[0].ssi_signo, got[0].ssi_pid == (uint32_t)getpid());
  }
  sigprocmask(SIG_UNBLOCK, &set, 0);
  close(e);
  close(t);
  close(f);
}

static void watched(void) {
  int i = inotify_init1(IN_CLOEXEC), w = inotify_add_watch(i, ".", IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE);
  close(open("new", O_CREAT | O_WRONLY, 0644));
  rename("new", "renamed");
  unlink("renamed");
  _Alignas(8) char buffer[2000];
  long n = read(i, buffer, sizeof buffer);
  for (long at = 0; at < n;) {
    struct inotify_event *e = (struct inotify_event *)(buffer + at);
    printf("inotify %d %x %s %d\n", e->wd == w, e->mask, e->name, e->cookie != 0);
    at += (long)sizeof *e + e->len;
  }
  inotify_rm_watch(i, w);
  close(i);
}

static void processes(void) {
  int go[2], status;
  char there[20] = "of the child", here[20] = "of the parent";
  if (pipe(go)) return;
  pid_t child = fork();
  if (child == 0) {
    strcpy(there, "changed in child");
    if (write(go[1], "", 1) != 1) _exit(1);
    for (;;) pause();
  }
  if (read(go[0], &(char){0}, 1) != 1) return;
  int p = (int)syscall(SYS_pidfd_open, child, 0);
  struct iovec local[2] = {{here, 4}, {here + 6, 10}}, remote = {there, 14};
  long n = process_vm_readv(child, local, 2, &remote, 1, 0);
  printf("process_vm_readv %ld %.4s %.10s\n", n, here, here + 6);
  struct pollfd f = {p, POLLIN, 0};
  printf("runs: %d\n", poll(&f, 1, 10));
  printf("signal: %ld\n", syscall(SYS_pidfd_send_signal, p, SIGTERM, 0, 0));
  printf("ended: %d\n", poll(&f, 1, 5000));
  siginfo_t info = {0};
  waitid(P_PIDFD, (id_t)p, &info, WEXITED | WNOWAIT);
  printf("waitid %d %d %d\n", info.si_pid == child, info.si_code, info.si_status);
  waitpid(child, &status, 0);
  printf("killed by %d\n", WTERMSIG(status));
  close(p);
}

static void moved(void) {
  int p[2], q[2], from = open("from", O_RDWR | O_CREAT | O_TRUNC, 0644), to = open("to", O_RDWR | O_CREAT | O_TRUNC, 0644);
  char text[400], got[500] = {0};
  for (int i = 0; i < 400; i++) text[i] = (char)('a' + i % 26);
  if (write(from, text, 400) != 400 || pipe(p) || pipe(q)) return;
  off_t offset = 10;
  loff_t in = 20;
  printf("sendfile %ld", (long)sendfile(p[1], from, &offset, 100));
  printf(" %ld\n", (long)offset);
  printf("splice %ld", (long)splice(from, &in, p[1], 0, 50, 0));
  printf(" %ld\n", (long)in);
  printf("tee %ld\n", (long)tee(p[0], q[1], 120, 0));
  printf("splice %ld\n", (long)splice(p[0], 0, to, 0, 200, SPLICE_F_MOVE));
  struct iovec v[2] = {{text, 30}, {text + 5, 7}};
  printf("vmsplice %ld\n", (long)vmsplice(q[1], v, 2, 0));
  long n = read(q[0], got, sizeof got);
  printf("read %ld %.20s %.10s\n", n, got, got + 100);
  in = 0;
  loff_t out = 300;
  n = copy_file_range(from, &in, to, &out, 60, 0);
  printf("copy_file_range %ld %ld %ld\n", n, (long)in, (long)out);
  n = pread(to, got, sizeof got, 0);
  printf("to %ld %.10s %.10s\n", n, got, got + 300);
  int m = memfd_create("name", MFD_ALLOW_SEALING);
  if (ftruncate(m, 5000) == 0) printf("memfd %d %d\n", fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK), ftruncate(m, 10));
}

int main(void) {
  counters();
  watched();
  processes();
  moved();
  return 0;
}
