// Files that are written first and mapped MAP_SHARED later, and descriptors whose numbers come to mean a mapped file: what is
// written then shows in the mapping at once, natively and in a replay. The process holds its pages, or its child does.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int ok, int line) {
  if (ok) return;
  printf("line %d\n", line);
  exit(1);
}
#define CHECK(x) check((x) != 0, __LINE__)
static volatile char *p;

static void show(const char *what) { printf("%-12s %.8s\n", what, (const char *)p); }
static void put(int fd, const char *text) { CHECK(pwrite(fd, text, 8, 0) == 8); }

int main(void) {
  // Something is mapped from the start, so that all writes are looked at.
  int base = open("base", O_RDWR | O_CREAT | O_EXCL, 0600), mine = open("mine", O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(base >= 0 && mine >= 0 && ftruncate(base, 4096) == 0);
  CHECK(mmap(0, 4096, PROT_READ, MAP_SHARED, base, 0) != MAP_FAILED);
  int other = open("other", O_RDWR | O_CREAT | O_EXCL, 0600);
  put(mine, "first..."), put(mine, "second..");
  put(other, "nothing."), put(other, "mapped..");
  // A file that was written before is mapped.
  CHECK(ftruncate(mine, 4096) == 0);
  p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mine, 0);
  CHECK(p != MAP_FAILED);
  show("mapped");
  put(mine, "written."), show("pwrite");
  put(other, "again...");
  put(mine, "twice..."), show("pwrite");
  // Its page belongs to the child, and the parent writes to the file: through an old descriptor, one that is new under an old
  // number (dup2, close and open), and from a child that shares descriptors.
  int go[2], done[2];
  CHECK(pipe(go) == 0 && pipe(done) == 0);
  fflush(stdout);
  pid_t child = fork();
  if (!child) {
    char c;
    while (read(go[0], &c, 1) == 1 && c != 'q') {
      char was[9] = {0};
      for (int i = 0; i < 8; i++) was[i] = p[i];
      p[7] = c;
      printf("child sees   %s\n", was);
      fflush(stdout);
      CHECK(write(done[1], &c, 1) == 1);
    }
    _exit(0);
  }
  char c;
#define CHILD_LOOKS(x) (CHECK(write(go[1], x, 1) == 1), CHECK(read(done[0], &c, 1) == 1))
  CHILD_LOOKS("1");
  put(mine, "from old"), CHILD_LOOKS("2");
  put(other, "not this"), CHILD_LOOKS("3");
  CHECK(dup2(mine, other) == other);
  put(other, "via dup2"), CHILD_LOOKS("4");
  int number = open("third", O_RDWR | O_CREAT | O_EXCL, 0600);
  put(number, "third..."), put(number, "third...");
  close(number);
  CHECK(open("mine", O_RDWR) == number);
  put(number, "reopened"), CHILD_LOOKS("5");
  CHECK(close(number) == 0 && open("fourth", O_RDWR | O_CREAT | O_EXCL, 0600) == number);
  put(number, "fourth.."), put(number, "fourth..");
  CHECK(syscall(436 /* close_range */, number, number, 0) == 0 && open("mine", O_RDWR) == number);
  put(number, "by range"), CHILD_LOOKS("6");
  // A process that shares descriptors puts the mapped file in place of another one.
  int fifth = open("fifth", O_RDWR | O_CREAT | O_EXCL, 0600);
  put(fifth, "fifth..."), put(fifth, "fifth...");
  fflush(stdout);
  pid_t sharer = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (!sharer) {
    dup2(mine, fifth);
    _exit(0);
  }
  CHECK(waitpid(sharer, 0, 0) == sharer);
  put(fifth, "by other"), CHILD_LOOKS("7");
  CHECK(write(go[1], "q", 1) == 1);
  CHECK(waitpid(child, 0, 0) == child);
  show("at the end");
  return 0;
}
