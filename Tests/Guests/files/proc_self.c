// /proc/self shows the program's own addresses and name, nothing of bis.
// bis: variants=dynamic,no-pie
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/// Whether a file names the program, and bis.
static void shown(int fd) {
  static char text[200000];
  size_t done = 0;
  for (ssize_t n; done < sizeof text - 1 && (n = read(fd, text + done, sizeof text - 1 - done)) > 0; done += n) {}
  text[done] = 0;
  printf("shown %d %d\n", strstr(text, "proc_self") != 0, strstr(text, "5554d0000000") || strstr(text, "memfd:bis"));
  close(fd);
}

int main(int argc, char **argv) {
  char b[4096];
  ssize_t n = readlink("/proc/self/exe", b, sizeof b - 1);
  b[n] = 0;
  printf("exe %s\n", strrchr(b, '/'));
  FILE *f = fopen("/proc/self/cmdline", "r");
  n = fread(b, 1, sizeof b, f);
  printf("cmdline %d\n", strcmp(b, argv[0]) == 0);
  fclose(f);
  f = fopen("/proc/self/maps", "r");
  int main_seen = 0, stack = 0, heap = 0, bis = 0, lines = 0;
  unsigned long lo, hi, at = (unsigned long)main, here = (unsigned long)&lo;
  void *p = malloc(10);
  while (fgets(b, sizeof b, f)) {
    lines++;
    char perms[5];
    sscanf(b, "%lx-%lx %4s", &lo, &hi, perms);
    if (lo <= at && at < hi) main_seen = perms[2] == 'x' && strstr(b, "proc_self") != 0;
    if (lo <= here && here < hi) stack = strstr(b, "[stack]") != 0;
    if (strstr(b, "[heap]") && lo <= (unsigned long)p && (unsigned long)p < hi) heap = 1;
    if (strstr(b, "bis-") || strstr(b, "memfd")) bis = 1;
  }
  printf("main %d stack %d heap %d bis %d lines %d\n", main_seen, stack, heap, bis, lines > 5);
  int plain = open("/proc/self/maps", O_RDONLY), flagged = open("/proc/self/status", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  printf("flags %o %d, %o %d\n", fcntl(plain, F_GETFL), fcntl(plain, F_GETFD), fcntl(flagged, F_GETFL), fcntl(flagged, F_GETFD));
  n = write(plain, "x", 1);
  printf("write %zd %d, read %d\n", n, errno == EBADF, read(plain, b, 5) == 5);
  printf("next %d\n", dup(0) == flagged + 1);
  int self = open("/proc/self", O_PATH | O_DIRECTORY), proc = open("/proc", O_RDONLY | O_DIRECTORY);
  struct { unsigned long flags, mode, resolve; } how = {O_RDONLY | O_CLOEXEC, 0, 0};
  shown(openat(self, "maps", O_RDONLY));
  shown(openat(proc, "self/smaps", O_RDONLY));
  shown(openat(self, "./task/../maps", O_RDONLY) >= 0 ? openat(proc, "thread-self/maps", O_RDONLY) : -1);
  shown(syscall(437 /* openat2 */, self, "maps", &how, sizeof how));
  shown(chdir("/proc/self") == 0 ? open("maps", O_RDONLY) : -1);
  f = fopen("/proc/self/status", "r");
  while (fgets(b, sizeof b, f))
    if (!strncmp(b, "Name:", 5)) fputs(b, stdout);
  return 0;
}
