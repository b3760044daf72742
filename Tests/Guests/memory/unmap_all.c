// munmap, mprotect and mremap of ranges in which the program has next to nothing, so that what bis has in the process lies in them.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void in_child(const char *name, int what) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    errno = 0;
    if (what == 0) munmap((void *)0x1000, 0x7fffffffe000);
    if (what == 1) munmap((void *)0x100000000, ((unsigned long)&child & ~0xfffffUL) - 0x100000 - 0x100000000);
    if (what == 2) mprotect((void *)0x10000, 0x7ffff0000000, PROT_READ);
    if (what == 3) mremap((void *)0x555000000000, 0x600000000, 0x600000000, MREMAP_MAYMOVE);
    _exit(errno);
  }
  int status;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) printf("%s: signal %d\n", name, WTERMSIG(status));
  else printf("%s: status %d\n", name, WEXITSTATUS(status));
}

int main(void) {
  in_child("munmap of everything", 0);
  in_child("munmap below the stack", 1);
  in_child("mprotect", 2);
  in_child("mremap", 3);
  return 0;
}
