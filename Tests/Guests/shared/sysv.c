// System V shared memory: before and after fork, detached, removed.
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  int id = shmget(IPC_PRIVATE, 20000, IPC_CREAT | 0600);
  char *p = shmat(id, 0, 0);
  struct shmid_ds ds;
  strcpy(p, "first");
  if (!fork()) {
    char *q = shmat(id, 0, SHM_RDONLY);
    shmdt(p);
    printf("child: %s\n", q);
    fflush(stdout);
    p = shmat(id, 0, 0);
    strcpy(p + 10000, "from the child");
    _exit(0);
  }
  wait(0);
  shmctl(id, IPC_STAT, &ds);
  printf("parent: %s, %s; size %d\n", p, p + 10000, (int)ds.shm_segsz);
  shmctl(id, IPC_RMID, 0);
  printf("%d\n", shmdt(p));
  return 0;
}
