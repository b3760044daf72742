// Calls that wait in the middle of writing shared memory, while another process takes the pages that are still to be
// written, and a signal comes that is ignored: they write everything, once.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
enum { SIZE = 400000 };
static char *p;
static void pause_ms(int ms) { nanosleep(&(struct timespec){0, ms * 1000000}, 0); }
static ssize_t writer(int how, int fd, int passed) {
  struct iovec v[3] = {{p, 100}, {p + 100, 250000}, {p + 250100, SIZE - 250100}};
  union { char space[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
  struct msghdr m = {.msg_iov = v, .msg_iovlen = 3, .msg_control = &control, .msg_controllen = sizeof control};
  switch (how) {
  case 0: return write(fd, p, SIZE);
  case 1: return writev(fd, v, 3);
  case 2: return send(fd, p, SIZE, 0);
  case 3:
    memset(&control, 0, sizeof control);
    control.align = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.align), &passed, sizeof passed);
    return sendmsg(fd, &m, 0);
  default: return pwritev(fd, v, 3, 4096) - pwrite(fd, p, SIZE, 0) + SIZE;
  }
}
int main(void) {
  static char got[SIZE];
  p = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  signal(SIGUSR1, SIG_IGN);
  for (int how = 0; how < 5; how++) {
    int ends[2], passed = -1, file = memfd_create("out", 0);
    if (how < 2 ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) return 1;
    for (int i = 0; i < SIZE; i++) p[i] = (char)(i * 7 + i / 4096 + how);
    pid_t child = fork();
    if (!child) {
      close(ends[0]);
      for (int i = 0; i < SIZE; i += 4096) ((volatile char *)p)[i] = p[i];
      ssize_t n = writer(how, how < 4 ? ends[1] : file, 1);
      if (n != SIZE) fprintf(stderr, "%d: %zd\n", how, n);
      _exit(n == SIZE ? how : 100);
    }
    close(ends[1]);
    for (int round = 0; round < 4; round++) {
      pause_ms(15);
      for (int i = 0; i < SIZE; i += 4096) ((volatile char *)p)[i] = p[i];
      kill(child, SIGUSR1);
    }
    ssize_t size = 0, n;
    if (how == 3) {
      union { char space[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
      struct iovec v = {got, 1000};
      struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
      size = recvmsg(ends[0], &m, 0);
      if (m.msg_controllen >= CMSG_LEN(sizeof(int))) memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof passed);
    }
    if (how == 4) size = pread(file, got, SIZE, 0);
    while (how < 4 && (n = read(ends[0], got + size, (size_t)(SIZE - size))) > 0) size += n;
    int status;
    waitpid(child, &status, 0);
    printf("%d: %zd bytes, %s, exit %d, descriptor %d\n", how, size, memcmp(p, got, SIZE) ? "others" : "the same",
           WEXITSTATUS(status), passed >= 0);
    if (passed >= 0) close(passed);
    close(ends[0]);
    close(file);
  }
  return 0;
}
