// Where a process may run while it stops all the time for code that is not translated yet: what it is told, what its
// children and threads and the programs it becomes are told, and what it chooses itself.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FUNCTIONS = 4096, SIZE = 64 };
static uint8_t *code;
static int next;

// Functions that nobody has called yet: each begins a translation.
static int call_new(int count) {
  int sum = 0;
  for (; count-- && next < FUNCTIONS; next++) sum += ((int (*)(void))(code + next * SIZE))();
  return sum;
}

static int cpus(cpu_set_t *set) {
  CPU_ZERO(set);
  return sched_getaffinity(0, sizeof *set, set) ? -1 : CPU_COUNT(set);
}

static cpu_set_t at_start;

static void say(const char *who) {
  cpu_set_t now;
  cpus(&now);
  printf("%s: %s\n", who, CPU_EQUAL(&now, &at_start) ? "all" : "others");
  fflush(stdout);
}

static void *thread(void *unused) {
  (void)unused;
  call_new(100);
  say("thread");
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1) {  // executed: does it have what it had?
    cpu_set_t now;
    printf("executed: %s\n", cpus(&now) == atoi(argv[1]) ? "all" : "others");
    return 0;
  }
  code = mmap(0, FUNCTIONS * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < FUNCTIONS; i++) {
    uint8_t *f = code + i * SIZE;
    f[0] = 0xB8;  // mov eax, i
    memcpy(f + 1, &i, 4);
    f[5] = 0xC3;  // ret
  }
  mprotect(code, FUNCTIONS * SIZE, PROT_READ | PROT_EXEC);
  int count = cpus(&at_start);

  printf("%d CPUs, %d\n", count, call_new(500));
  say("busy");
  call_new(100);
  if (!fork()) {
    call_new(300);
    say("child");
    _exit(0);
  }
  wait(0);
  say("parent");

  call_new(100);
  pid_t pid = vfork();
  if (!pid) {
    char number[16];
    sprintf(number, "%d", count);
    execl("/proc/self/exe", "places", number, (char *)0);
    _exit(1);
  }
  waitpid(pid, 0, 0);

  call_new(100);
  pthread_t t;
  pthread_create(&t, 0, thread, 0);
  pthread_join(t, 0);
  say("after threads");

  // Two that take memory from each other all the time.
  volatile int *turn = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid = fork();
  for (int i = 0; i < 200; i++) {
    while (*turn % 2 != !pid) sched_yield();
    ++*turn;
  }
  if (!pid) {
    say("one of two");
    _exit(0);
  }
  wait(0);
  say("the other");

  // Its own choice counts, before and after stops.
  int last = 0;
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &at_start)) last = i;
  call_new(100);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(last, &one);
  printf("%d", sched_setaffinity(0, sizeof one, &one));
  int stays = 1;
  for (int i = 0; i < 100; i++) {
    call_new(3);
    stays &= sched_getcpu() == last;
  }
  cpu_set_t now;
  cpus(&now);
  printf(" stays %d, %s\n", stays, CPU_EQUAL(&now, &one) ? "chosen" : "others");

  // A pause, after which it is left alone.
  sched_setaffinity(0, sizeof at_start, &at_start);
  call_new(300);
  usleep(100000);
  say("rested");
  printf("%d\n", next);
  return 0;
}
