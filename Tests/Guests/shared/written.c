// A file that is mapped MAP_SHARED and changed with system calls: by the process itself and by its child, which maps it or not.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int check(int ok, int line) {
  if (!ok) {
    printf("line %d\n", line);
    exit(1);
  }
  return ok;
}
#define CHECK(x) check((x) != 0, __LINE__)
enum { SIZE = 5 * 4096 };
static int fd;
static volatile char *p;
static unsigned sum(void) {
  unsigned s = 0;
  for (int i = 0; i < SIZE; i++) s = s * 31 + (unsigned char)p[i];
  return s;
}
static void in_child(void (*body)(const char *), const char *name) {
  fflush(stdout);
  if (!fork()) {
    body(name);
    _exit(0);
  }
  int status;
  wait(&status);
  CHECK(status == 0);
}
static void child_writes(const char *name) {
  int own = open(name, O_RDWR);
  munmap((void *)p, SIZE);
  CHECK(pwrite(own, "from the child", 14, 4090) == 14);
  CHECK(lseek(own, 8192, SEEK_SET) == 8192 && write(own, "and more", 8) == 8);
}
static void child_maps_and_writes(const char *name) {
  (void)name;
  CHECK(p[0] == 'w');
  p[1] = 'M';
  CHECK(pwrite(fd, "PWRITTEN", 8, 2) == 8);
  printf("child: %.10s\n", (char *)p);
  fflush(stdout);
}
static void by_itself(const char *name, int protection) {
  p = mmap(0, SIZE, protection, MAP_SHARED, fd, 0);
  CHECK(p != MAP_FAILED);
  printf("before: %c %u\n", p[0], sum());
  CHECK(pwrite(fd, "written", 7, 0) == 7);
  printf("pwrite: %.7s %u\n", (char *)p, sum());
  CHECK(lseek(fd, 100, SEEK_SET) == 100);
  for (int i = 0; i < 5; i++) CHECK(write(fd, "abc", 3) == 3);
  struct iovec v[2] = {{"one", 3}, {"two", 3}};
  CHECK(writev(fd, v, 2) == 6 && pwritev(fd, v, 2, 9000) == 6 && pwritev2(fd, v, 2, 9100, 0) == 6);
  printf("write: %.21s %.6s %.6s %u\n", (char *)p + 100, (char *)p + 9000, (char *)p + 9100, sum());
  CHECK(pwrite(fd, (char *)p, 4096, 4096) == 4096);  // out of the mapping into it
  printf("self: %.7s %u\n", (char *)p + 4096, sum());
  int other = open("/proc/self/cmdline", O_RDONLY), pipes[2];
  char zero[64] = {0};
  CHECK(pipe(pipes) == 0 && write(pipes[1], "piped bytes", 11) == 11);
  loff_t at = 12288;
  CHECK(splice(pipes[0], 0, fd, &at, 11, 0) == 11);
  close(pipes[0]), close(pipes[1]), close(other);
  at = 0;
  loff_t to = 16384;
  CHECK(copy_file_range(fd, &at, fd, &to, 50, 0) == 50);
  printf("spliced: %.11s copied: %.7s %u\n", (char *)p + 12288, (char *)p + 16384, sum());
  CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8192) == 0);
  CHECK(memcmp((char *)p, zero, 64) == 0);
  printf("hole: %u\n", sum());
  int append = open(name, O_WRONLY | O_APPEND);
  CHECK(ftruncate(fd, 16384) == 0 && write(append, "appended", 8) == 8 && ftruncate(fd, SIZE) == 0);
  printf("append: %.8s %u\n", (char *)p + 16384, sum());
  close(append);
  CHECK(pwrite(fd, "w", 1, 0) == 1);
}
int main(void) {
  char name[] = "written-XXXXXX";
  fd = mkstemp(name);
  for (int i = 0; i < SIZE; i++) CHECK(write(fd, &"0123456789"[i % 10], 1) == 1);
  by_itself(name, PROT_READ);
  in_child(child_writes, name);
  printf("child wrote: %.14s %.8s %u\n", (char *)p + 4090, (char *)p + 8192, sum());
  munmap((void *)p, SIZE);
  by_itself(name, PROT_READ | PROT_WRITE);
  p[5] = 'x';
  in_child(child_writes, name);
  printf("child wrote: %.14s %.8s %u\n", (char *)p + 4090, (char *)p + 8192, sum());
  in_child(child_maps_and_writes, name);
  printf("child wrote: %.10s %u\n", (char *)p, sum());
  munmap((void *)p, SIZE);
  unlink(name);
  close(fd);
  fd = memfd_create("written", 0);
  CHECK(ftruncate(fd, SIZE) == 0 && pwrite(fd, "0", 1, 0) == 1);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  by_itself(path, PROT_READ | PROT_WRITE);
  return 0;
}
