// File input and output in the way of a database: pages at random offsets, locks, fsync, a journal renamed into place,
// shared and private file mappings.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
  int f = open("db", O_RDWR | O_CREAT | O_TRUNC, 0644);
  char page[4096];
  unsigned r = 1;
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100};
  printf("%d\n", fcntl(f, F_SETLK, &l));
  for (int i = 0; i < 2000; i++) {
    r = r * 1103515245 + 12345;
    memset(page, r >> 16, sizeof page);
    memcpy(page, &i, 4);
    pwrite(f, page, sizeof page, (off_t)(r >> 8) % 256 * 4096);
    if (i % 500 == 0) fdatasync(f);
  }
  l.l_type = F_UNLCK;
  fcntl(f, F_SETLK, &l);
  printf("%d\n", flock(f, LOCK_EX | LOCK_NB));
  off_t n = lseek(f, 0, SEEK_END);
  unsigned char *m = mmap(0, n, PROT_READ, MAP_PRIVATE, f, 0);
  unsigned long h = 0;
  for (off_t i = 0; i < n; i++) h = h * 131 + m[i];
  printf("%ld %lx\n", (long)n, h);
  unsigned char *w = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE, f, 0);
  w[5] = 99;
  printf("%d %d\n", w[5], m[5] == 99);
  munmap(w, n);
  int j = open("journal", O_RDWR | O_CREAT | O_EXCL, 0600);
  write(j, m, n);
  fsync(j);
  rename("journal", "db2");
  printf("%d\n", access("journal", F_OK));
  return 0;
}
