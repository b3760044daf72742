// shm_open: a second program (this one again) opens the object by name.
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
struct area { atomic_int state; char text[9000]; };
int main(int argc, char **argv) {
  char name[64];
  if (argc > 1) {
    int fd = shm_open(argv[1], O_RDWR, 0600);
    struct area *a = mmap(0, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    while (atomic_load(&a->state) != 1) {}
    for (int i = 0; i < 8999; i++) a->text[i] = a->text[i] == 'a' ? 'A' : 'B';
    atomic_store(&a->state, 2);
    return 0;
  }
  snprintf(name, sizeof name, "/bis-guest-%d", getpid());
  int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (ftruncate(fd, sizeof(struct area))) return 1;
  struct area *a = mmap(0, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  memset(a->text, 'b', 8999);
  if (!fork()) {
    execl("/proc/self/exe", argv[0], name, (char *)0);
    _exit(9);
  }
  for (int i = 0; i < 9000; i += 3) a->text[i] = 'a';
  atomic_store(&a->state, 1);
  while (atomic_load(&a->state) != 2) usleep(1000);
  wait(0);
  shm_unlink(name);
  int upper = 0;
  for (int i = 0; i < 8999; i++) upper += a->text[i] == 'A';
  printf("%d %.5s %s\n", upper, a->text, a->text + 8990);
  return 0;
}
