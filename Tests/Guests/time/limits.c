// uname, getrlimit, sysconf, sched_getaffinity, getuid and friends: answers of the system.
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>
int main(void) {
  struct utsname u;
  uname(&u);
  printf("%s %s %s\n", u.sysname, u.release, u.machine);
  struct rlimit l;
  for (int i = 0; i < 10; i++) printf("%d %d\n", i, getrlimit(i, &l));
  cpu_set_t s;
  printf("%d\n", sched_getaffinity(0, sizeof s, &s));
  printf("%d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
  printf("%ld %ld\n", sysconf(_SC_PAGESIZE), sysconf(_SC_CLK_TCK));
  gid_t g[100];
  printf("%d\n", getgroups(100, g) >= 0);
  printf("%d\n", getpriority(PRIO_PROCESS, 0));
  return 0;
}
