// vfork and exec, vfork and _exit, memory written by the vfork child, posix_spawn with redirections, system, popen.
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
int main(void) {
  int s;
  volatile int shared = 1;
  setbuf(stdout, 0);
  for (int i = 0; i < 20; i++) {
    pid_t k = vfork();
    if (!k) {
      shared += i;
      _exit(i);
    }
    waitpid(k, &s, 0);
    if (WEXITSTATUS(s) != i) printf("wrong %d\n", s);
  }
  printf("%d\n", shared);
  pid_t k = vfork();
  if (!k) {
    execl("/bin/echo", "echo", "from", "vfork", (char *)0);
    _exit(127);
  }
  waitpid(k, &s, 0);
  printf("%d\n", WEXITSTATUS(s));
  k = vfork();
  if (!k) {
    execl("/nonexistent", "x", (char *)0);
    _exit(126);
  }
  waitpid(k, &s, 0);
  printf("%d\n", WEXITSTATUS(s));
  posix_spawn_file_actions_t f;
  posix_spawn_file_actions_init(&f);
  posix_spawn_file_actions_addopen(&f, 1, "spawned", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  char *v[] = {"sh", "-c", "echo spawned; exit 3", 0};
  printf("%d\n", posix_spawn(&k, "/bin/sh", &f, 0, v, environ));
  waitpid(k, &s, 0);
  printf("%d\n", WEXITSTATUS(s));
  printf("%d\n", posix_spawnp(&k, "no-such-program", 0, 0, v, environ));
  printf("%d\n", WEXITSTATUS(system("cat spawned; exit 9")));
  FILE *p = popen("printf 'a b c' | wc -c", "r");
  char line[100] = {0};
  fgets(line, 99, p);
  printf("%s %d\n", strtok(line, "\n"), pclose(p));
  return 0;
}
