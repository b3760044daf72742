// A terminal of its own: a foreground job that is interrupted and stopped by typed characters, a background job that
// is stopped because it reads or writes, and what its parent sees of all this.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int master;
static volatile sig_atomic_t continued;
static void on_continue(int s) { (void)s; continued++; }

static const char *describe(int status, char *text) {
  if (WIFSTOPPED(status)) sprintf(text, "stopped by %d", WSTOPSIG(status));
  else if (WIFCONTINUED(status)) sprintf(text, "continued");
  else if (WIFSIGNALED(status)) sprintf(text, "killed by %d", WTERMSIG(status));
  else sprintf(text, "exited with %d", WEXITSTATUS(status));
  return text;
}

static void tell(int report, const char *what, pid_t child) {
  char text[40], line[120];
  int status = 0;
  pid_t found = waitpid(child, &status, WUNTRACED | WCONTINUED);
  int n = sprintf(line, "%s: %s\n", what, found == child ? describe(status, text) : "?");
  if (write(report, line, (size_t)n) != n) _exit(9);
}

static pid_t job(int tty, int foreground, int action) {
  int ready[2];
  if (pipe(ready)) _exit(9);
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    if (foreground) tcsetpgrp(tty, getpid());  // (SIGTTOU is ignored here)
    signal(SIGTTOU, SIG_DFL);
    signal(SIGCONT, on_continue);
    close(ready[0]);
    close(ready[1]);
    char c = 0;
    int n;
    if (action == 1) for (;;) pause();
    if (action == 2) n = read(tty, &c, 1) == 1 && c == 'x' ? continued : 90;
    else if (action == 3) n = write(tty, "w", 1) == 1 ? continued : 91;
    else for (volatile long i = 0; !(n = 4 * continued); i++) {}
    usleep(200000);  // (its parent sees that it was continued before it sees that it has ended)
    _exit(n);
  }
  close(ready[1]);
  while (read(ready[0], &(char){0}, 1) > 0) {}
  close(ready[0]);
  return child;
}

static int shell(const char *name, int report) {
  setsid();
  int tty = open(name, O_RDWR);
  ioctl(tty, TIOCSCTTY, 0);
  signal(SIGTTOU, SIG_IGN);
  struct termios t;
  tcgetattr(tty, &t);
  t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  t.c_lflag |= TOSTOP;
  t.c_oflag = 0;
  tcsetattr(tty, TCSANOW, &t);

  pid_t a = job(tty, 1, 1);
  if (write(report, "!\x1a", 2) != 2) return 9;  // asks for Ctrl-Z to be typed
  tell(report, "Ctrl-Z", a);
  kill(-a, SIGCONT);
  tell(report, "SIGCONT", a);
  if (write(report, "!\x03", 2) != 2) return 9;
  tell(report, "Ctrl-C", a);
  tcsetpgrp(tty, getpid());

  pid_t b = job(tty, 0, 2);
  tell(report, "a background job reads", b);
  tcsetpgrp(tty, b);
  if (write(report, "!x", 2) != 2) return 9;
  kill(-b, SIGCONT);
  tell(report, "in the foreground", b);
  tell(report, "it has read", b);
  tcsetpgrp(tty, getpid());

  pid_t c = job(tty, 0, 3);
  tell(report, "a background job writes", c);
  tcsetpgrp(tty, c);
  kill(-c, SIGCONT);
  tell(report, "in the foreground", c);
  tell(report, "it has written", c);
  tcsetpgrp(tty, getpid());

  pid_t d = job(tty, 1, 4);
  if (write(report, "!\x1a", 2) != 2) return 9;
  tell(report, "Ctrl-Z in a loop", d);
  kill(-d, SIGCONT);
  tell(report, "SIGCONT", d);
  tell(report, "it was told", d);
  return 5;
}

int main(void) {
  signal(SIGINT, SIG_DFL);  // (whoever started this may ignore it)
  master = posix_openpt(O_RDWR | O_NOCTTY);
  grantpt(master);
  unlockpt(master);
  int report[2];
  if (pipe(report)) return 9;
  char *name = ptsname(master);
  pid_t child = fork();
  if (child == 0) {
    close(report[0]);
    _exit(shell(name, report[1]));
  }
  close(report[1]);
  char c;
  while (read(report[0], &c, 1) == 1) {
    if (c != '!') { putchar(c); continue; }
    if (read(report[0], &c, 1) != 1) break;
    usleep(30000);
    if (write(master, &c, 1) != 1) break;
  }
  int status;
  waitpid(child, &status, 0);
  printf("shell: %d\n", WEXITSTATUS(status));
  return 0;
}
