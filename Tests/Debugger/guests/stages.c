// A process that is several programs: itself twice, then echo. It forks and spawns on the way.
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int stage;
long work;

void begin(int number) { stage = number; }

int child(int number) {
  work = number * 100;
  return number;
}

int main(int count, char **words) {
  begin(count > 1 ? atoi(words[1]) : 1);
  for (int i = 0; i < 1000; i++) work += i * stage;
  if (stage == 1) {
    pid_t pid = fork();
    if (pid == 0) _exit(child(7));
    int status;
    waitpid(pid, &status, 0);
    char *arguments[] = {"echo", "spawned", 0};
    posix_spawn(&pid, "/bin/echo", 0, 0, arguments, environ);
    waitpid(pid, &status, 0);
    execl(words[0], words[0], "2", (char *)0);
  }
  printf("stage %d\n", stage);
  fflush(stdout);
  execl("/bin/echo", "echo", "the", "end", (char *)0);
  return 1;
}
