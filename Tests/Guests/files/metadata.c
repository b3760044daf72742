// stat, statx, access, chmod, rename, link, symlink, readlink, mkdir, rmdir, unlink, utimensat, getdents, statfs, umask.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>
static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }
int main(void) {
  umask(022);
  mkdir("d", 0777);
  for (int i = 0; i < 300; i++) {
    char n[40];
    sprintf(n, "d/file-with-a-name-%d", i);
    close(open(n, O_CREAT | O_WRONLY, 0666));
  }
  struct dirent **l;
  int n = scandir("d", &l, 0, by_name);
  printf("%d %s %s\n", n, l[2]->d_name, l[n - 1]->d_name);
  struct stat s;
  struct statx x;
  stat("d/file-with-a-name-7", &s);
  printf("%o %ld %ld\n", s.st_mode, (long)s.st_size, (long)s.st_nlink);
  truncate("d/file-with-a-name-7", 12345);
  chmod("d/file-with-a-name-7", 0600);
  link("d/file-with-a-name-7", "d/second");
  statx(AT_FDCWD, "d/second", 0, STATX_ALL, &x);
  printf("%o %lld %u\n", x.stx_mode, (long long)x.stx_size, x.stx_nlink);
  symlink("second", "d/soft");
  char b[100] = {0};
  printf("%zd %s\n", readlink("d/soft", b, 99), b);
  lstat("d/soft", &s);
  printf("%d %d\n", S_ISLNK(s.st_mode), (int)s.st_size);
  struct timespec t[2] = {{1000000000, 5}, {1234567890, 7}};
  utimensat(AT_FDCWD, "d/second", t, 0);
  stat("d/soft", &s);
  printf("%ld.%ld\n", (long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
  printf("%d %d %s\n", access("d/soft", R_OK), access("d/none", R_OK), strerror(errno));
  printf("%d %d\n", rename("d/soft", "d/softer"), unlink("d/softer"));
  printf("%d %s\n", rmdir("d"), strerror(errno));
  printf("%d %s\n", mkdir("d", 0777), strerror(errno));
  struct statfs f;
  int r = statfs(".", &f);
  printf("%d %d\n", r, f.f_bsize > 0);
  chdir("d");
  char *c = getcwd(0, 0);
  printf("%s\n", strrchr(c, '/'));
  return 0;
}
