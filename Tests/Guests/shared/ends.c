// Files that end before their mapping does: SIGBUS beyond the end, where the file was cut, until it has grown again; on a disk
// and in memory, with the process alone and with others.
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 6 };
static sigjmp_buf back;
static volatile char *base;
static int expected_code;
static void on_bus(int sig, siginfo_t *info, void *context) {
  (void)context;
  expected_code = sig * 100 + info->si_code;
  siglongjmp(back, 1 + (int)(((char *)info->si_addr - (char *)base) / PAGE));
}
static void look(const char *what) {
  printf("%s:", what);
  for (int i = 0; i < PAGES; i++) {
    int page = sigsetjmp(back, 1);
    if (!page) printf(" %d", base[i * PAGE + 10]);
    else printf(" [%d %d]", page - 1, expected_code);
  }
  puts("");
  fflush(stdout);
}
static void store(int i, int value) {
  int page = sigsetjmp(back, 1);
  if (!page) base[i * PAGE + 10] = (char)value;
  else printf("store: [%d %d]\n", page - 1, expected_code);
}
static void try_all(int fd) {
  struct sigaction a = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &a, 0);
  if (ftruncate(fd, 3 * PAGE)) exit(1);
  base = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  for (int i = 0; i < PAGES; i++) store(i, i + 1);
  look("three pages");
  if (ftruncate(fd, PAGE + 5)) exit(2);
  look("cut in the second");
  store(1, 7), store(2, 8);
  if (ftruncate(fd, 5 * PAGE)) exit(3);
  look("grown to five");
  if (pwrite(fd, "x", 1, 6 * PAGE - 1) != 1) exit(4);
  store(5, 9);
  look("grown by a write");
  if (!fork()) {
    look("child");
    store(3, 33);
    if (ftruncate(fd, 4 * PAGE)) _exit(5);
    look("child has cut");
    _exit(0);
  }
  wait(0);
  look("parent");
  if (ftruncate(fd, PAGES * PAGE)) exit(6);
  look("all");
  if (write(1, (char *)base + 4 * PAGE, 0) || ftruncate(fd, 0)) exit(7);
  printf("write from nowhere: %zd\n", write(1, (char *)base, 1));
  look("nothing");
  munmap((void *)base, PAGES * PAGE);
}
int main(void) {
  char name[] = "ends-XXXXXX";
  int fd = mkstemp(name);
  try_all(fd);
  close(fd);
  fd = open(name, O_RDWR | O_TRUNC);
  if (ftruncate(fd, 2 * PAGE)) return 1;
  base = mmap(0, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
  look("again, read-only");
  close(open(name, O_WRONLY | O_TRUNC));
  look("emptied");
  if (truncate(name, 3 * PAGE)) return 2;
  look("three");
  unlink(name);
  fd = memfd_create("ends", 0);
  base = 0;
  try_all(fd);
  return 0;
}
