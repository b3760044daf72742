// Many messages at once, descriptors and credentials beside data, what a socket knows of its peer, options.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void many(void) {
  int s[2];
  socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
  struct mmsghdr out[4] = {0}, in[6] = {0};
  struct iovec ov[4], iv[6][2];
  char text[4][10], got[6][20] = {{0}};
  for (int i = 0; i < 4; i++) {
    sprintf(text[i], "message%d", i);
    ov[i] = (struct iovec){text[i], strlen(text[i])};
    out[i].msg_hdr.msg_iov = &ov[i];
    out[i].msg_hdr.msg_iovlen = 1;
  }
  printf("sendmmsg %d\n", sendmmsg(s[0], out, 4, 0));
  for (int i = 0; i < 6; i++) {
    iv[i][0] = (struct iovec){got[i], 3};
    iv[i][1] = (struct iovec){got[i] + 10, i == 2 ? 2 : 8};
    in[i].msg_hdr.msg_iov = iv[i];
    in[i].msg_hdr.msg_iovlen = 2;
  }
  int n = recvmmsg(s[1], in, 6, MSG_DONTWAIT, 0);
  printf("recvmmsg %d, sent %u\n", n, out[3].msg_len);
  for (int i = 0; i < n; i++) printf("%.3s %.8s %u %x\n", got[i], got[i] + 10, in[i].msg_len, (unsigned)in[i].msg_hdr.msg_flags);
  struct timespec wait = {0, 20000000};
  printf("nothing: %d %s\n", recvmmsg(s[1], in, 6, MSG_WAITFORONE | MSG_DONTWAIT, &wait), strerror(errno));
  close(s[0]);
  close(s[1]);
}

static void beside(void) {
  int s[2], p[2], one = 1, status;
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
  pid_t child = fork();
  if (child == 0) {
    if (pipe(p)) _exit(1);
    int fds[3] = {p[0], p[1], open("/dev/null", O_WRONLY)};
    char data[4] = "fds", room[CMSG_SPACE(sizeof fds)] = {0};
    struct iovec v = {data, 3};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    if (write(p[1], "through a passed pipe", 21) != 21 || sendmsg(s[0], &m, 0) != 3) _exit(2);
    _exit(0);
  }
  char data[10], room[200], text[40] = {0};
  struct iovec v = {data, sizeof data};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  long n = recvmsg(s[1], &m, MSG_CMSG_CLOEXEC);
  printf("recvmsg %ld %.3s\n", n, data);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_type == SCM_RIGHTS) {
      int fds[3];
      memcpy(fds, CMSG_DATA(c), sizeof fds);
      n = read(fds[0], text, sizeof text);
      printf("rights: %ld %s %d\n", n, text, fcntl(fds[2], F_GETFD));
      for (int i = 0; i < 3; i++) close(fds[i]);
    } else if (c->cmsg_type == SCM_CREDENTIALS) {
      struct ucred u;
      memcpy(&u, CMSG_DATA(c), sizeof u);
      printf("credentials: %d %d\n", u.pid == child, u.uid == getuid());
    }
  }
  struct ucred peer;
  socklen_t size = sizeof peer;
  getsockopt(s[1], SOL_SOCKET, SO_PEERCRED, &peer, &size);
  printf("peer %d %u\n", peer.pid == getpid(), size);
  waitpid(child, &status, 0);
  printf("child %d\n", WEXITSTATUS(status));
  close(s[0]);
  close(s[1]);
}

static void served(void) {
  int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), e = epoll_create1(0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof a;
  bind(l, (struct sockaddr *)&a, sizeof a);
  listen(l, 5);
  getsockname(l, (struct sockaddr *)&a, &size);
  if (fork() == 0) {
    for (int i = 0; i < 3; i++) {
      int c = socket(AF_INET, SOCK_STREAM, 0), one = 1;
      setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      if (connect(c, (struct sockaddr *)&a, sizeof a)) _exit(1);
      char b[100] = {0};
      for (int j = 0; j < 5; j++) {
        sprintf(b, "%d.%d", i, j);
        if (send(c, b, 4, MSG_NOSIGNAL) != 4 || recv(c, b, 4, MSG_WAITALL) != 4) _exit(2);
      }
      shutdown(c, SHUT_WR);
      close(c);
    }
    _exit(0);
  }
  struct epoll_event ev = {.events = EPOLLIN, .data.fd = l}, got[4];
  epoll_ctl(e, EPOLL_CTL_ADD, l, &ev);
  int closed = 0, echoed = 0, named = 0;
  while (closed < 3) {
    int n = epoll_wait(e, got, 4, 5000);
    for (int i = 0; i < n; i++) {
      int fd = got[i].data.fd;
      if (fd == l) {
        struct sockaddr_in from;
        size = sizeof from;
        fd = accept4(l, (struct sockaddr *)&from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) continue;
        named += from.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
        ev = (struct epoll_event){.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
        epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev);
        continue;
      }
      char b[4];
      long r;
      while ((r = recv(fd, b, sizeof b, 0)) > 0) {
        echoed++;
        if (send(fd, b, (size_t)r, MSG_NOSIGNAL) != r) break;
      }
      if (r == 0) {
        closed++;
        struct tcp_info info;
        size = sizeof info;
        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size)) printf("no TCP_INFO\n");
        close(fd);
      }
    }
  }
  int status;
  wait(&status);
  printf("served %d connections, %d echoed, %d named, client %d\n", closed, echoed, named, WEXITSTATUS(status));
  struct linger linger;
  struct timeval tv = {0, 30000};
  size = sizeof linger;
  int s[2], type = 0;
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s);
  getsockopt(l, SOL_SOCKET, SO_LINGER, &linger, &size);
  printf("linger %d %u\n", linger.l_onoff, size);
  size = sizeof type;
  getsockopt(s[0], SOL_SOCKET, SO_TYPE, &type, &size);
  setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  long r = recv(s[0], &type, sizeof type, 0);
  printf("type %d, timeout: %ld %s\n", type, r, strerror(errno));
}

int main(void) {
  many();
  beside();
  served();
  return 0;
}
