// What calls that may wait write to memory, where another thread could run meanwhile and where other processes share memory.
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char large[3 << 20];

/// How many of 50 requests left the buffer as it was, at each end.
static void random_bytes(size_t size, unsigned flags) {
  int same = 0;
  long got = 0;
  for (int i = 0; i < 50; i++) {
    memset(large, 0, size);
    got = syscall(SYS_getrandom, large, size, flags);
    same += !memcmp(large, large + size, 8) || !memcmp(large + size - 8, large + size, 8);
  }
  printf("random %ld, unchanged %d\n", got, same);
}

static void messages(void) {
  struct { long type; char text[16]; } out = {7, "system five"}, in;
  int queue = msgget(IPC_PRIVATE, 0600);
  memset(&in, 0, sizeof in);
  msgsnd(queue, &out, 12, 0);
  long n = msgrcv(queue, &in, sizeof in.text, 0, 0);
  printf("message %ld %ld %s\n", n, in.type, in.text);
  msgctl(queue, IPC_RMID, 0);

  char name[32], text[64] = "";
  unsigned priority = 0;
  sprintf(name, "/bis-outputs-%d", getpid());
  struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = sizeof text};
  mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
  mq_unlink(name);
  mq_send(q, "posix", 6, 3);
  n = mq_receive(q, text, sizeof text, &priority);
  printf("queue %ld %s %u\n", n, text, priority);
  mq_close(q);
}

static void sockets(void) {
  int s[2];
  char text[32] = "", second[32] = "";
  socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
  send(s[0], "datagram", 9, 0);
  send(s[0], "another", 8, 0);
  int e = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 12345}, found[4];
  epoll_ctl(e, EPOLL_CTL_ADD, s[1], &event);
  memset(found, 0, sizeof found);
  int n = epoll_wait(e, found, 4, 1000);
  printf("epoll %d %x %ld\n", n, found[0].events, (long)found[0].data.u64);
  n = recv(s[1], text, sizeof text, 0);
  struct iovec v = {second, sizeof second};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  long k = recvmsg(s[1], &m, 0);
  printf("received %d %s, %ld %s\n", n, text, k, second);
  close(s[0]), close(s[1]), close(e);
}

static void all(const char *when) {
  printf("%s\n", when);
  random_bytes(8, 0);
  random_bytes(16, 0);
  random_bytes(1000, 1 /* GRND_NONBLOCK */);
  random_bytes(sizeof large - 8, 0);  // (the last 8 bytes are zero, to compare with)
  messages();
  sockets();
}

static void *wait_for(void *arg) {
  char c;
  read(*(int *)arg, &c, 1);
  return 0;
}

int main(void) {
  setbuf(stdout, 0);
  all("alone");
  int ends[2];
  pthread_t t;
  pipe(ends);
  pthread_create(&t, 0, wait_for, ends);
  all("with another thread");
  write(ends[1], "x", 1);
  pthread_join(t, 0);
  volatile char *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (fork() == 0) {
    for (int i = 0; i < 100; i++) shared[0]++, usleep(1000);
    _exit(0);
  }
  shared[64] = 1;
  all("with another process");
  wait(0);
  return 0;
}
