// SIGALRM and SIGCHLD during pause, read, nanosleep, wait, poll: EINTR or restart, as SA_RESTART says.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static volatile int alarms, children;
static int out = -1;
static void on_alarm(int s) {
  (void)s;
  alarms++;
  if (out >= 0) write(out, "late", 4);
}
static void on_child(int s) { (void)s; children++; }
static void arm(int flags) {
  struct sigaction a = {0};
  a.sa_handler = on_alarm;
  a.sa_flags = flags;
  sigaction(SIGALRM, &a, 0);
  struct itimerval t = {{0, 0}, {0, 150000}};
  setitimer(ITIMER_REAL, &t, 0);
}
int main(void) {
  char b[10] = {0};
  int p[2], s;
  pipe(p);
  arm(0);
  int r = pause();
  printf("pause %d %d %d\n", r, errno == EINTR, alarms);
  arm(0);
  r = read(p[0], b, 4);
  printf("read %d %d %d\n", r, errno == EINTR, alarms);
  out = p[1];
  arm(SA_RESTART);
  r = read(p[0], b, 4);
  printf("restarted %d %s %d\n", r, b, alarms);
  out = -1;
  arm(SA_RESTART);
  struct timespec t = {5, 0}, left = {0, 0};
  r = nanosleep(&t, &left);
  printf("nanosleep %d %d %d\n", r, errno == EINTR, left.tv_sec == 4);
  arm(SA_RESTART);
  struct pollfd f = {p[0], POLLIN, 0};
  r = poll(&f, 1, 5000);
  printf("poll %d %d\n", r, errno == EINTR);
  fflush(stdout);
  signal(SIGCHLD, on_child);
  if (!fork()) {
    usleep(150000);
    _exit(3);
  }
  r = pause();
  printf("child %d %d\n", r, children);
  printf("%d %d\n", wait(&s) > 0, WEXITSTATUS(s));
  if (!fork()) {
    usleep(100000);
    kill(getppid(), SIGALRM);
    usleep(100000);
    _exit(4);
  }
  r = wait(&s);
  printf("wait %d %d\n", r > 0, WEXITSTATUS(s));
  printf("alarms %d\n", alarms);
  return 0;
}
