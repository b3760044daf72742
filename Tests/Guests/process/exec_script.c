// Scripts with interpreters, a missing interpreter, a text file, a directory, a file without permission.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
static void put(const char *name, const char *text, int mode) {
  int f = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700);
  write(f, text, strlen(text));
  fchmod(f, mode);
  close(f);
}
static void run(const char *name) {
  int s;
  fflush(stdout);
  if (!fork()) {
    execl(name, name, "argument", (char *)0);
    printf("%s: %s\n", name, strerror(errno));
    fflush(stdout);
    _exit(100);
  }
  wait(&s);
  printf("%s -> %d\n", name, WEXITSTATUS(s));
}
int main(void) {
  put("ok.sh", "#!/bin/sh\necho \"$0 $1\"\nexit 4\n", 0700);
  put("env.sh", "#!/usr/bin/env sh\necho through env\n", 0700);
  put("bad.sh", "#!/no/such/interpreter\n", 0700);
  put("text", "just text\n", 0700);
  put("empty", "", 0700);
  mkdir("directory", 0700);
  run("./ok.sh");
  run("./env.sh");
  run("./bad.sh");
  run("./text");
  run("./empty");
  run("./directory");
  run("./missing");
  return 0;
}
