// Signals to oneself: handler before raise returns, masks, pending, order, siginfo, nested, SA_NODEFER, SA_RESETHAND.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static volatile int log_[100], n;
static void h(int s) { log_[n++] = s; }
static void nested(int s) {
  log_[n++] = s;
  if (n < 5) raise(s);
  log_[n++] = -s;
}
static volatile int code, value, own;
static void info(int s, siginfo_t *i, void *u) {
  (void)s;
  (void)u;
  code = i->si_code;
  value = i->si_value.sival_int;
  own = i->si_pid == getpid();
}
static void set(int s, void (*f)(int), int flags) {
  struct sigaction a = {0};
  a.sa_handler = f;
  a.sa_flags = flags;
  sigaction(s, &a, 0);
}
static void show(const char *t) {
  printf("%s:", t);
  for (int i = 0; i < n; i++) printf(" %d", log_[i]);
  puts("");
  n = 0;
}
int main(void) {
  set(SIGUSR1, h, 0);
  set(SIGUSR2, h, 0);
  raise(SIGUSR1);
  kill(getpid(), SIGUSR2);
  show("raise");
  sigset_t m, old, pend;
  sigemptyset(&m);
  sigaddset(&m, SIGUSR1);
  sigaddset(&m, SIGUSR2);
  sigprocmask(SIG_BLOCK, &m, &old);
  raise(SIGUSR2);
  raise(SIGUSR1);
  raise(SIGUSR1);
  sigpending(&pend);
  printf("%d %d %d\n", sigismember(&pend, SIGUSR1), sigismember(&pend, SIGUSR2), n);
  sigprocmask(SIG_SETMASK, &old, 0);
  show("unblocked");
  set(SIGUSR1, nested, SA_NODEFER);
  raise(SIGUSR1);
  show("nodefer");
  set(SIGUSR1, nested, 0);
  raise(SIGUSR1);
  show("deferred");
  set(SIGUSR1, h, SA_RESETHAND);
  raise(SIGUSR1);
  struct sigaction a;
  sigaction(SIGUSR1, 0, &a);
  printf("%d\n", a.sa_handler == SIG_DFL);
  show("reset");
  memset(&a, 0, sizeof a);
  a.sa_sigaction = info;
  a.sa_flags = SA_SIGINFO;
  sigaction(SIGRTMIN + 3, &a, 0);
  union sigval v = {.sival_int = 4711};
  sigqueue(getpid(), SIGRTMIN + 3, v);
  printf("%d %d %d\n", code == SI_QUEUE, value, own);
  sigaddset(&m, SIGRTMIN + 3);
  sigprocmask(SIG_BLOCK, &m, 0);
  for (int i = 0; i < 3; i++) {
    v.sival_int = i;
    sigqueue(getpid(), SIGRTMIN + 3, v);
  }
  siginfo_t si;
  for (int i = 0; i < 3; i++) printf("%d", sigwaitinfo(&m, &si) == SIGRTMIN + 3), printf(" %d\n", si.si_value.sival_int);
  struct timespec t = {0, 1000000};
  printf("%d\n", sigtimedwait(&m, &si, &t));
  set(SIGUSR1, h, 0);
  raise(SIGUSR1);
  sigemptyset(&m);
  printf("%d\n", sigsuspend(&m));
  show("suspend");
  signal(SIGUSR1, SIG_IGN);
  raise(SIGUSR1);
  show("ignored");
  return 0;
}
