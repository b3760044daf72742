// socketpair, TCP over loopback between two processes, UDP, sendmsg with a descriptor, options, names, shutdown.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  int s[2], st;
  char b[300] = {0};
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  int p[2];
  pipe(p);
  if (!fork()) {
    struct iovec v = {"fd", 2};
    char c[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &p[1], sizeof(int));
    sendmsg(s[1], &m, 0);
    _exit(0);
  }
  struct iovec v[2] = {{b, 1}, {b + 10, 50}};
  char c[100];
  struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_control = c, .msg_controllen = sizeof c};
  ssize_t n = recvmsg(s[0], &m, 0);
  int got;
  memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
  write(got, "through", 7);
  printf("%zd %s %s\n", n, b, b + 10);
  memset(b, 0, sizeof b);
  printf("%zd %s\n", read(p[0], b, 100), b);
  wait(&st);
  int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t z = sizeof a;
  printf("%d %d\n", bind(l, (void *)&a, z), listen(l, 5));
  getsockname(l, (void *)&a, &z);
  if (!fork()) {
    int k = socket(AF_INET, SOCK_STREAM, 0);
    connect(k, (void *)&a, z);
    setsockopt(k, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (int i = 0; i < 100; i++) {
      char t[20];
      send(k, t, sprintf(t, "line %d\n", i), 0);
    }
    shutdown(k, SHUT_WR);
    n = recv(k, b, 100, 0);
    _exit(n == 4);
  }
  struct sockaddr_in from;
  z = sizeof from;
  int k = accept4(l, (void *)&from, &z, SOCK_CLOEXEC);
  printf("%s %u\n", inet_ntoa(from.sin_addr), z);
  unsigned h = 0, t = 0;
  while ((n = recv(k, b, 37, 0)) > 0)
    for (int i = 0; i < n; i++, t++) h = h * 31 + b[i];
  printf("%u %u\n", t, h);
  send(k, "done", 4, MSG_NOSIGNAL);
  wait(&st);
  printf("%d\n", WEXITSTATUS(st));
  int o;
  z = sizeof o;
  getsockopt(k, SOL_SOCKET, SO_TYPE, &o, &z);
  printf("%d %u\n", o == SOCK_STREAM, z);
  int u = socket(AF_INET, SOCK_DGRAM, 0);
  a.sin_port = 0;
  bind(u, (void *)&a, sizeof a);
  z = sizeof a;
  getsockname(u, (void *)&a, &z);
  sendto(u, "datagram", 8, 0, (void *)&a, z);
  memset(b, 0, sizeof b);
  z = sizeof from;
  printf("%zd", recvfrom(u, b, 100, 0, (void *)&from, &z));
  printf(" %s %d\n", b, from.sin_port == a.sin_port);
  printf("%zd %d\n", recv(u, b, 10, MSG_DONTWAIT), errno == EAGAIN);
  a.sin_port = htons(1);
  int d = socket(AF_INET, SOCK_STREAM, 0);
  printf("%d %s\n", connect(d, (void *)&a, sizeof a), strerror(errno));
  struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "socket"};
  int q = socket(AF_UNIX, SOCK_STREAM, 0);
  printf("%d\n", bind(q, (void *)&un, sizeof un));
  struct mmsghdr mm[2] = {{.msg_hdr = {.msg_iov = v, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = v + 1, .msg_iovlen = 1}}};
  a.sin_port = from.sin_port;
  sendto(u, "1", 1, 0, (void *)&a, sizeof a);
  sendto(u, "22", 2, 0, (void *)&a, sizeof a);
  printf("%d\n", recvmmsg(u, mm, 2, MSG_DONTWAIT, 0));
  printf("%u %u\n", mm[0].msg_len, mm[1].msg_len);
  return 0;
}
