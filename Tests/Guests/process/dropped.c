// A program that has given up its privileges (or its root) starts programs: they cannot reach what bis has.
// bis: variants=static
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static void child(const char *what, int (*body)(void)) {
  int status;
  fflush(stdout);
  if (!fork()) _exit(body() ? 90 : 91);
  wait(&status);
  printf("%s: %d\n", what, WEXITSTATUS(status));
}
static int self;
static int run(void) {
  char *argv[] = {"guest", "again", 0};
  return fexecve(self, argv, environ);
}
static int drops(void) {
  if (geteuid() == 0 && (setgroups(0, 0) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))) return 1;
  return run();
}
static int changes_root(void) {
  mkdir("empty", 0755);
  if (geteuid() == 0 && (chroot("empty") || chdir("/"))) return 1;
  return run();
}
static int both(void) {
  mkdir("empty", 0755);
  if (geteuid() == 0 && (chroot("empty") || chdir("/"))) return 1;
  return drops();
}
int main(int argc, char **argv) {
  if (argc > 1) {
    struct stat s;
    printf("%s: root may write: %d; proc is there: %d\n", argv[1], geteuid() == 0, stat("/proc/self", &s) == 0);
    return 9;
  }
  self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  child("drops", drops);
  child("changes root", changes_root);
  child("both", both);
  rmdir("empty");
  return 0;
}
