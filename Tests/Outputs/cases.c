#include "harness.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <net/if.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

static const char text[] = "what the kernel wrote, exactly and no more";

static int file_with(struct ctx *c) {
  int fd = keep(c, memfd_create("x", 0));
  if (write(fd, text, sizeof text) < 0) abort();
  lseek(fd, 0, SEEK_SET);
  return fd;
}
static void pair(struct ctx *c, int type, int fds[2]) {
  if (socketpair(AF_UNIX, type, 0, fds)) abort();
  keep(c, fds[0]), keep(c, fds[1]);
}
static void pipe_pair(struct ctx *c, int fds[2]) {
  if (pipe(fds)) abort();
  keep(c, fds[0]), keep(c, fds[1]);
}
static void put(int fd, size_t n) { if (write(fd, text, n) != (ssize_t)n) abort(); }
static void nothing(int s) { (void)s; }
static void alarm_soon(void) {
  struct sigaction a = {.sa_handler = nothing};
  sigaction(SIGALRM, &a, 0);
  struct itimerval t = {.it_value = {0, 20000}};
  setitimer(ITIMER_REAL, &t, 0);
}

#define CASE(n) static void n(struct ctx *c)
// --- files
CASE(t_read) { CALL(SYS_read, U(file_with(c)), U(buf(c, 200)), 200); }
CASE(t_read_short) { CALL(SYS_read, U(file_with(c)), U(buf(c, 200)), 10); }
CASE(t_read_bad) { c->expect = -EBADF; CALL(SYS_read, U(-1), U(buf(c, 200)), 10); }
CASE(t_pread64) { CALL(SYS_pread64, U(file_with(c)), U(buf(c, 200)), 200, 5); }
static struct iovec *vec(struct ctx *c, size_t a, size_t b, size_t d) {
  struct iovec v[4] = {{buf(c, a), a}, {0, 0}, {buf(c, b), b}, {buf(c, d), d}};
  return val(c, v, sizeof v);
}
CASE(t_readv) { CALL(SYS_readv, U(file_with(c)), U(vec(c, 7, 9, 100)), 4); }
CASE(t_readv_short) { CALL(SYS_readv, U(file_with(c)), U(vec(c, 7, 90, 100)), 4); }
CASE(t_preadv) { CALL(SYS_preadv, U(file_with(c)), U(vec(c, 7, 9, 100)), 4, 3); }
CASE(t_preadv2) { CALL(SYS_preadv2, U(file_with(c)), U(vec(c, 7, 9, 100)), 4, 3); }
CASE(t_stat) { CALL(SYS_stat, U(str(c, "/")), U(buf(c, 300))); }
CASE(t_fstat) { CALL(SYS_fstat, U(file_with(c)), U(buf(c, 300))); }
CASE(t_lstat) { CALL(SYS_lstat, U(str(c, "/proc/self")), U(buf(c, 300))); }
CASE(t_newfstatat) { CALL(SYS_newfstatat, U(AT_FDCWD), U(str(c, "/")), U(buf(c, 300)), 0); }
CASE(t_stat_missing) { c->expect = -ENOENT; CALL(SYS_stat, U(str(c, "/not/there")), U(buf(c, 300))); }
CASE(t_statx) { CALL(SYS_statx, U(AT_FDCWD), U(str(c, "/")), 0, 0xFFF, U(buf(c, 400))); }
CASE(t_statfs) { CALL(SYS_statfs, U(str(c, "/")), U(buf(c, 300))); }
CASE(t_fstatfs) { CALL(SYS_fstatfs, U(file_with(c)), U(buf(c, 300))); }
CASE(t_ustat) {
  c->expect = ANY_RESULT;
  CALL(SYS_ustat, 0x1, U(buf(c, 100)));
}
CASE(t_getdents64) { CALL(SYS_getdents64, U(keep(c, open("/proc/self/fdinfo/..", O_RDONLY))), U(buf(c, 4000)), 4000); c->slack = 4000; }
CASE(t_getdents) { CALL(SYS_getdents, U(keep(c, open("/", O_RDONLY))), U(buf(c, 4000)), 4000); c->slack = 400; }
CASE(t_getcwd) { CALL(SYS_getcwd, U(buf(c, 400)), 400); }
CASE(t_readlink) { CALL(SYS_readlink, U(str(c, "/proc/self/exe")), U(buf(c, 400)), 400); }
CASE(t_readlink_short) { CALL(SYS_readlink, U(str(c, "/proc/self/exe")), U(buf(c, 400)), 3); }
CASE(t_readlinkat) { CALL(SYS_readlinkat, U(AT_FDCWD), U(str(c, "/proc/self/exe")), U(buf(c, 400)), 400); }
CASE(t_pipe) { CALL(SYS_pipe, U(buf(c, 20))); }
CASE(t_pipe2) { CALL(SYS_pipe2, U(buf(c, 20)), O_CLOEXEC); }
CASE(t_cachestat) {
  uint64_t range[2] = {0, 0};
  CALL(451, U(file_with(c)), U(val(c, range, 16)), U(buf(c, 100)), 0);
}
CASE(t_name_to_handle_small) {
  struct { uint32_t bytes; int type; } h = {0, 7};
  c->expect = -EOVERFLOW;
  c->slack = 8 + 4 + 4; // the mount is 8 bytes in newer kernels
  CALL(SYS_name_to_handle_at, U(AT_FDCWD), U(str(c, "/tmp")), U(val(c, &h, sizeof h)), U(buf(c, 16)), 0);
}
CASE(t_name_to_handle) {
  uint32_t n = 128;
  uint8_t *h = buf(c, 8 + 128);
  memcpy(h, &n, 4);
  c->slack = 8;
  CALL(SYS_name_to_handle_at, U(AT_FDCWD), U(str(c, "/tmp")), U(h), U(buf(c, 16)), 0);
}
CASE(t_getxattr) {
  int fd = file_with(c);
  syscall(SYS_fsetxattr, fd, "user.bis", text, 20, 0);
  c->expect = ANY_RESULT;
  CALL(SYS_fgetxattr, U(fd), U(str(c, "user.bis")), U(buf(c, 100)), 100);
}
static int tmp_with_xattr(struct ctx *c) {
  char path[] = "/tmp/bis-xattr-XXXXXX";
  int fd = keep(c, mkstemp(path));
  unlink(path);
  syscall(SYS_fsetxattr, fd, "user.bis", text, 20, 0);
  return fd;
}
CASE(t_getxattr_file) { CALL(SYS_fgetxattr, U(tmp_with_xattr(c)), U(str(c, "user.bis")), U(buf(c, 100)), 100); }
CASE(t_getxattr_size) { CALL(SYS_fgetxattr, U(tmp_with_xattr(c)), U(str(c, "user.bis")), U(buf(c, 100)), 0); }
CASE(t_listxattr) { CALL(SYS_flistxattr, U(tmp_with_xattr(c)), U(buf(c, 100)), 100); }
CASE(t_sendfile) {
  uint64_t at = 3;
  CALL(SYS_sendfile, U(keep(c, memfd_create("y", 0))), U(file_with(c)), U(val(c, &at, 8)), 10);
  c->slack = 7;
}
CASE(t_copy_file_range) {
  uint64_t in = 3, out = 5;
  CALL(SYS_copy_file_range, U(file_with(c)), U(val(c, &in, 8)), U(keep(c, memfd_create("y", 0))), U(val(c, &out, 8)), 10, 0);
  c->slack = 14;
}
CASE(t_splice) {
  int p[2];
  pipe_pair(c, p);
  uint64_t in = 3;
  CALL(SYS_splice, U(file_with(c)), U(val(c, &in, 8)), U(p[1]), 0, 10, 0);
  c->slack = 7;
}
CASE(t_vmsplice_read) {
  int p[2];
  pipe_pair(c, p);
  put(p[1], 30);
  CALL(SYS_vmsplice, U(p[0]), U(vec(c, 7, 9, 100)), 4, 0);
}
// --- waiting
CASE(t_poll) {
  int p[2];
  pipe_pair(c, p);
  put(p[1], 1);
  struct pollfd f[2] = {{p[0], POLLIN, 0x7777}, {p[1], POLLIN, 0x7777}};
  CALL(SYS_poll, U(val(c, f, sizeof f)), 0xABCD00000002, 10);
  c->slack = 12;
}
CASE(t_poll_eintr) {
  int p[2];
  pipe_pair(c, p);
  struct pollfd f[2] = {{p[0], POLLIN, 0x7777}, {p[0], POLLIN, 0x7777}};
  CALL(SYS_poll, U(val(c, f, sizeof f)), 2, 5000);
  c->expect = -EINTR;
  c->slack = 12;
  alarm_soon();
}
CASE(t_ppoll) {
  int p[2];
  pipe_pair(c, p);
  struct pollfd f[1] = {{p[0], POLLIN, 0x7777}};
  struct timespec t = {0, 1000000};
  CALL(SYS_ppoll, U(val(c, f, sizeof f)), 1, U(val(c, &t, sizeof t)), 0, 8);
  c->slack = 6 + 13;
}
static void sets(struct ctx *c, int nr, int signal) {
  int p[2];
  pipe_pair(c, p);
  if (!signal) put(p[1], 1);
  fd_set r, w;
  FD_ZERO(&r);
  FD_ZERO(&w);
  FD_SET(p[0], &r);
  if (!signal) FD_SET(p[0], &w);
  uint64_t t[2] = {5, 0};
  int n = p[1] + 1;
  // only as many bytes as n says
  CALL(nr, U(n), U(val(c, &r, 8)), U(val(c, &w, 8)), 0, U(val(c, t, 16)), 0);
  c->slack = 32;
  if (signal) {
    c->expect = -EINTR;
    alarm_soon();
  }
}
CASE(t_select) { sets(c, SYS_select, 0); }
CASE(t_select_eintr) { sets(c, SYS_select, 1); }
CASE(t_pselect6) { sets(c, SYS_pselect6, 0); }
CASE(t_pselect6_eintr) { sets(c, SYS_pselect6, 1); }
CASE(t_select_huge) { // the kernel stops at the size of the descriptor table
  uint64_t t[2] = {0, 0};
  void *r = val(c, (uint8_t[8192]){1}, 8192);
  CALL(SYS_select, 65536, U(r), 0, 0, U(val(c, t, 16)));
  c->slack = 8192 + 16;
}
static int epoll_ready(struct ctx *c) {
  int p[2], e = keep(c, epoll_create1(0));
  pipe_pair(c, p);
  put(p[1], 1);
  struct epoll_event v = {EPOLLIN, {.u64 = 0x123456789}};
  epoll_ctl(e, EPOLL_CTL_ADD, p[0], &v);
  return e;
}
CASE(t_epoll_wait) { CALL(SYS_epoll_wait, U(epoll_ready(c)), U(buf(c, 120)), 10, 100); }
CASE(t_epoll_pwait) { CALL(SYS_epoll_pwait, U(epoll_ready(c)), U(buf(c, 120)), 10, 100, 0, 8); }
CASE(t_epoll_pwait2) { CALL(441, U(epoll_ready(c)), U(buf(c, 120)), 10, 0, 0, 8); }
CASE(t_nanosleep) {
  struct timespec t = {0, 1000};
  CALL(SYS_nanosleep, U(val(c, &t, 16)), U(buf(c, 16)));
  c->slack = 16;
}
CASE(t_nanosleep_eintr) {
  struct timespec t = {5, 0};
  CALL(SYS_nanosleep, U(val(c, &t, 16)), U(buf(c, 16)));
  c->expect = -EINTR;
  alarm_soon();
}
CASE(t_clock_nanosleep_eintr) {
  struct timespec t = {5, 0};
  CALL(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, U(val(c, &t, 16)), U(buf(c, 16)));
  c->expect = -EINTR;
  alarm_soon();
}
static void child(int code) {
  pid_t p = fork();
  if (!p) _exit(code);
}
CASE(t_wait4) { child(3); CALL(SYS_wait4, U(-1), U(buf(c, 8)), 0, U(buf(c, 200))); }
CASE(t_wait4_none) { c->expect = -ECHILD; CALL(SYS_wait4, U(-1), U(buf(c, 8)), 0, U(buf(c, 200))); }
CASE(t_waitid) { child(3); c->slack = 4; CALL(SYS_waitid, P_ALL, 0, U(buf(c, 128)), WEXITED, U(buf(c, 200))); }
CASE(t_waitid_none) { c->expect = -ECHILD; c->slack = 4; CALL(SYS_waitid, P_ALL, 0, U(buf(c, 128)), WEXITED, U(buf(c, 200))); }
static pid_t sleeper;
static void stop_sleeper(struct ctx *c) { (void)c; kill(sleeper, SIGKILL); waitpid(sleeper, 0, 0); }
CASE(t_waitid_nohang) {
  if (!(sleeper = fork())) for (;;) pause();
  c->clean = stop_sleeper;
  c->slack = 4 + 144;
  CALL(SYS_waitid, P_ALL, 0, U(buf(c, 128)), WEXITED | WNOHANG, U(buf(c, 200)));
}
// --- sockets
CASE(t_socketpair) { CALL(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, U(buf(c, 20))); }
static int listener(struct ctx *c, struct sockaddr_in *a) {
  int s = keep(c, socket(AF_INET, SOCK_STREAM, 0));
  *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof *a;
  if (bind(s, (void *)a, n) || listen(s, 5) || getsockname(s, (void *)a, &n)) abort();
  return s;
}
static int accepting(struct ctx *c) {
  struct sockaddr_in a;
  int s = listener(c, &a), k = keep(c, socket(AF_INET, SOCK_STREAM, 0));
  if (connect(k, (void *)&a, sizeof a)) abort();
  return s;
}
static void *len32(struct ctx *c, uint32_t n) { return val(c, &n, 4); }
CASE(t_accept) { CALL(SYS_accept, U(accepting(c)), U(buf(c, 64)), U(len32(c, 64))); c->slack = 4; }
CASE(t_accept_short) { CALL(SYS_accept, U(accepting(c)), U(buf(c, 64)), U(len32(c, 5))); c->slack = 4; }
CASE(t_accept_null) { CALL(SYS_accept, U(accepting(c)), 0, 0); }
CASE(t_accept_bad_length) { CALL(SYS_accept, U(accepting(c)), 0, 0x123); }
CASE(t_accept4) { CALL(SYS_accept4, U(accepting(c)), U(buf(c, 64)), U(len32(c, 64)), 0); c->slack = 4; }
CASE(t_getsockname) { struct sockaddr_in a; CALL(SYS_getsockname, U(listener(c, &a)), U(buf(c, 64)), U(len32(c, 64))); c->slack = 4; }
CASE(t_getpeername) { int p[2]; pair(c, SOCK_STREAM, p); CALL(SYS_getpeername, U(p[0]), U(buf(c, 64)), U(len32(c, 64))); c->slack = 4; }
CASE(t_getsockopt) { int p[2]; pair(c, SOCK_STREAM, p); CALL(SYS_getsockopt, U(p[0]), SOL_SOCKET, SO_TYPE, U(buf(c, 64)), U(len32(c, 4))); c->slack = 4; }
CASE(t_getsockopt_long) { int p[2]; pair(c, SOCK_STREAM, p); CALL(SYS_getsockopt, U(p[0]), SOL_SOCKET, SO_TYPE, U(buf(c, 64)), U(len32(c, 64))); c->slack = 64; }
CASE(t_getsockopt_peercred) { int p[2]; pair(c, SOCK_STREAM, p); CALL(SYS_getsockopt, U(p[0]), SOL_SOCKET, SO_PEERCRED, U(buf(c, 64)), U(len32(c, 12))); c->slack = 4; }
CASE(t_getsockopt_filter) {
  int p[2];
  pair(c, SOCK_DGRAM, p);
  struct sock_filter f[3] = {{0, 0, 0, 0}, {0, 0, 0, 0}, {6, 0, 0, 0xFFFF}};
  struct sock_fprog g = {3, f};
  if (setsockopt(p[0], SOL_SOCKET, SO_ATTACH_FILTER, &g, sizeof g)) perror("filter");
  CALL(SYS_getsockopt, U(p[0]), SOL_SOCKET, SO_GET_FILTER, U(buf(c, 64)), U(len32(c, 3)));
  c->slack = 4;
}
CASE(t_getsockopt_info) {
  struct sockaddr_in a;
  CALL(SYS_getsockopt, U(listener(c, &a)), IPPROTO_TCP, 11, U(buf(c, 600)), U(len32(c, 600)));
  c->slack = 600;
}
static int udp(struct ctx *c, size_t n, int times) {
  int s = keep(c, socket(AF_INET, SOCK_DGRAM, 0)), k = keep(c, socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t l = sizeof a;
  if (bind(s, (void *)&a, l) || getsockname(s, (void *)&a, &l)) abort();
  while (times--) if (sendto(k, text, n, 0, (void *)&a, l) < 0) abort();
  return s;
}
CASE(t_recvfrom) { CALL(SYS_recvfrom, U(udp(c, 30, 1)), U(buf(c, 100)), 100, 0, U(buf(c, 64)), U(len32(c, 64))); c->slack = 4; }
CASE(t_recvfrom_name_short) { CALL(SYS_recvfrom, U(udp(c, 30, 1)), U(buf(c, 100)), 100, 0, U(buf(c, 64)), U(len32(c, 3))); c->slack = 4; }
CASE(t_recvfrom_trunc) { CALL(SYS_recvfrom, U(udp(c, 30, 1)), U(buf(c, 100)), 10, MSG_TRUNC, 0, 0); }
CASE(t_recvfrom_stream) { int p[2]; pair(c, SOCK_STREAM, p); put(p[1], 9); CALL(SYS_recvfrom, U(p[0]), U(buf(c, 100)), 100, 0, U(buf(c, 64)), U(len32(c, 64))); c->slack = 4; }
static void *message(struct ctx *c, struct iovec *v, uint32_t name, size_t control) {
  struct msghdr m = {.msg_name = name ? buf(c, name) : 0, .msg_namelen = name, .msg_iov = v, .msg_iovlen = 4,
                     .msg_control = control ? buf(c, control) : 0, .msg_controllen = control, .msg_flags = (int)0x77777777};
  return val(c, &m, sizeof m);
}
CASE(t_recvmsg) { CALL(SYS_recvmsg, U(udp(c, 30, 1)), U(message(c, vec(c, 7, 9, 100), 64, 0)), 0); c->slack = 12; }
CASE(t_recvmsg_trunc) { CALL(SYS_recvmsg, U(udp(c, 40, 1)), U(message(c, vec(c, 7, 9, 1), 0, 0)), MSG_TRUNC); c->slack = 12; }
CASE(t_recvmsg_rights) {
  int p[2];
  pair(c, SOCK_STREAM, p);
  union { struct cmsghdr h; char b[CMSG_SPACE(sizeof(int))]; } u = {.h = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
  memcpy(CMSG_DATA(&u.h), &p[0], sizeof(int));
  struct iovec v = {(void *)text, 5};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof u};
  if (sendmsg(p[1], &m, 0) < 0) abort();
  CALL(SYS_recvmsg, U(p[0]), U(message(c, vec(c, 7, 9, 100), 64, 100)), 0);
  c->slack = 12 + 4 + 8;
}
CASE(t_recvmsg_creds) {
  int p[2], on = 1;
  pair(c, SOCK_DGRAM, p);
  setsockopt(p[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  put(p[1], 12);
  CALL(SYS_recvmsg, U(p[0]), U(message(c, vec(c, 7, 9, 100), 64, 100)), 0);
  c->slack = 12 + 8 + 8;
}
static void many(struct ctx *c, int nr, int fd, int count) {
  struct mmsghdr m[4];
  memset(m, c->fill, sizeof m);
  for (int i = 0; i < 4; i++) {
    struct iovec *v = vec(c, 7, 9, 100);
    memcpy(&m[i].msg_hdr, message(c, v, 64, 0), sizeof(struct msghdr));
    m[i].msg_hdr.msg_iovlen = 4;
  }
  struct timespec t = {1, 0};
  CALL(nr, U(fd), U(val(c, m, sizeof m)), U(count), MSG_WAITFORONE, U(val(c, &t, 16)));
}
CASE(t_recvmmsg) { many(c, SYS_recvmmsg, udp(c, 30, 3), 4); c->slack = 3 * 20 + 16; }
CASE(t_sendmmsg) {
  int p[2];
  pair(c, SOCK_DGRAM, p);
  struct mmsghdr m[2];
  memset(m, c->fill, sizeof m);
  for (int i = 0; i < 2; i++) {
    struct iovec v = {str(c, "hello"), 5};
    m[i].msg_hdr = (struct msghdr){.msg_iov = val(c, &v, sizeof v), .msg_iovlen = 1};
  }
  CALL(SYS_sendmmsg, U(p[1]), U(val(c, m, sizeof m)), 2, 0);
  c->slack = 120;
}
// --- the process
CASE(t_uname) { CALL(SYS_uname, U(buf(c, 500))); }
CASE(t_times) { CALL(SYS_times, U(buf(c, 50))); }
CASE(t_gettimeofday) { CALL(SYS_gettimeofday, U(buf(c, 50)), U(buf(c, 50))); }
CASE(t_time) { CALL(SYS_time, U(buf(c, 50))); }
CASE(t_getrlimit) { CALL(SYS_getrlimit, 3, U(buf(c, 50))); }
CASE(t_prlimit64) { CALL(SYS_prlimit64, 0, 3, 0, U(buf(c, 50))); }
CASE(t_getrusage) { CALL(SYS_getrusage, 0, U(buf(c, 200))); }
CASE(t_sysinfo) { CALL(SYS_sysinfo, U(buf(c, 200))); }
CASE(t_getgroups) { gid_t g[3] = {7, 8, 9}; syscall(SYS_setgroups, 3, g); CALL(SYS_getgroups, 10, U(buf(c, 50))); }
CASE(t_getgroups_count) { CALL(SYS_getgroups, 0, U(buf(c, 50))); }
CASE(t_getresuid) { CALL(SYS_getresuid, U(buf(c, 8)), U(buf(c, 8)), U(buf(c, 8))); }
CASE(t_getresgid) { CALL(SYS_getresgid, U(buf(c, 8)), U(buf(c, 8)), U(buf(c, 8))); }
static void *cap(struct ctx *c, uint32_t version) { uint32_t h[2] = {version, 0}; return val(c, h, 8); }
CASE(t_capget) { c->slack = 4; CALL(SYS_capget, U(cap(c, 0x20080522)), U(buf(c, 50))); }
CASE(t_capget_v1) { c->slack = 4 + 12; CALL(SYS_capget, U(cap(c, 0x19980330)), U(buf(c, 50))); }
CASE(t_capget_unknown) { c->expect = -EINVAL; c->slack = 0; CALL(SYS_capget, U(cap(c, 0x77777777)), U(buf(c, 50))); }
CASE(t_capget_probe) { c->slack = 0; CALL(SYS_capget, U(cap(c, 0x77777777)), 0); }
CASE(t_sched_getparam) { CALL(SYS_sched_getparam, 0, U(buf(c, 50))); }
CASE(t_sched_rr) { CALL(SYS_sched_rr_get_interval, 0, U(buf(c, 50))); }
CASE(t_sched_getaffinity) { CALL(SYS_sched_getaffinity, 0, 0x7700000080, U(buf(c, 300))); }
CASE(t_sched_getattr) { c->slack = 0; CALL(SYS_sched_getattr, 0, U(buf(c, 300)), 48, 0); }
CASE(t_sched_getattr_long) { c->slack = 144; CALL(SYS_sched_getattr, 0, U(buf(c, 300)), 200, 0); }
CASE(t_sched_setattr_big) {
  uint32_t a[64] = {256, 0};
  memset(a + 20, 0xFF, 100);
  c->expect = -E2BIG;
  c->slack = 3;
  CALL(SYS_sched_setattr, 0, U(val(c, a, sizeof a)), 0);
}
CASE(t_getrandom) { CALL(SYS_getrandom, U(buf(c, 300)), 256, 0); c->slack = 0; }
CASE(t_getcpu) { CALL(SYS_getcpu, U(buf(c, 8)), U(buf(c, 8)), 0); }
CASE(t_mincore) { c->slack = 0; CALL(SYS_mincore, U(c->arena), 3 * 4096 + 1, U(buf(c, 10))); }
CASE(t_get_robust_list) { CALL(SYS_get_robust_list, 0, U(buf(c, 16)), U(buf(c, 16))); }
CASE(t_get_mempolicy) { CALL(SYS_get_mempolicy, U(buf(c, 8)), U(buf(c, 200)), 1025, 0, 0); c->slack = 8; }
CASE(t_move_pages) { void *pages[2] = {c->arena, c->arena + 4096}; CALL(SYS_move_pages, 0, 2, U(val(c, pages, 16)), 0, U(buf(c, 20)), 0); }
CASE(t_process_vm_readv) {
  struct iovec r = {(void *)text, 20};
  CALL(SYS_process_vm_readv, U(getpid()), U(vec(c, 7, 9, 100)), 4, U(val(c, &r, 16)), 1, 0);
}
CASE(t_lsm_list) { CALL(461, U(buf(c, 200)), U(len32(c, 200)), 0); c->slack = 4; }
CASE(t_listmount) { uint64_t r[4] = {24, ~0ull, 0, 0}; CALL(458, U(val(c, r, 24)), U(buf(c, 800)), 100, 0); c->slack = 0; }
CASE(t_statmount) { uint64_t r[4] = {24, 1, 0x3F, 0}; CALL(457, U(val(c, r, 24)), U(buf(c, 2048)), 2048, 0); c->slack = 2048; c->expect = ANY_RESULT; }
// --- signals and timers
CASE(t_rt_sigaction) { CALL(SYS_rt_sigaction, SIGUSR1, 0, U(buf(c, 100)), 8); }
CASE(t_rt_sigprocmask) { CALL(SYS_rt_sigprocmask, 0, 0, U(buf(c, 100)), 8); }
CASE(t_sigaltstack) { c->slack = 4; CALL(SYS_sigaltstack, 0, U(buf(c, 100))); }
CASE(t_rt_sigpending) { CALL(SYS_rt_sigpending, U(buf(c, 100)), 8); }
CASE(t_rt_sigpending4) { CALL(SYS_rt_sigpending, U(buf(c, 100)), 4); }
static void unblock(struct ctx *c) { (void)c; sigset_t s; sigemptyset(&s); sigprocmask(SIG_SETMASK, &s, 0); }
CASE(t_rt_sigtimedwait) {
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, SIGUSR2);
  sigprocmask(SIG_BLOCK, &s, 0);
  raise(SIGUSR2);
  c->clean = unblock;
  CALL(SYS_rt_sigtimedwait, U(val(c, &s, 8)), U(buf(c, 200)), 0, 8);
}
CASE(t_rt_sigtimedwait_none) {
  uint64_t s = 1 << 11, t[2] = {0, 1000};
  c->expect = -EAGAIN;
  CALL(SYS_rt_sigtimedwait, U(val(c, &s, 8)), U(buf(c, 200)), U(val(c, t, 16)), 8);
}
static timer_t a_timer;
CASE(t_timer_create) { CALL(SYS_timer_create, CLOCK_MONOTONIC, 0, U(buf(c, 20))); }
static void make_timer(void) { int id; if (syscall(SYS_timer_create, CLOCK_MONOTONIC, 0, &id)) abort(); a_timer = (timer_t)(long)id; }
CASE(t_timer_gettime) { make_timer(); CALL(SYS_timer_gettime, U(a_timer), U(buf(c, 50))); }
CASE(t_timer_settime) { make_timer(); CALL(SYS_timer_settime, U(a_timer), 0, U(val(c, (uint64_t[4]){0}, 32)), U(buf(c, 50))); }
CASE(t_getitimer) { CALL(SYS_getitimer, 0, U(buf(c, 50))); }
CASE(t_setitimer) { CALL(SYS_setitimer, 0, U(val(c, (uint64_t[4]){0}, 32)), U(buf(c, 50))); }
CASE(t_timerfd_gettime) { CALL(SYS_timerfd_gettime, U(keep(c, timerfd_create(CLOCK_MONOTONIC, 0))), U(buf(c, 50))); }
CASE(t_timerfd_settime) { CALL(SYS_timerfd_settime, U(keep(c, timerfd_create(CLOCK_MONOTONIC, 0))), 0, U(val(c, (uint64_t[4]){0}, 32)), U(buf(c, 50))); }
CASE(t_clock_gettime) { CALL(SYS_clock_gettime, 0, U(buf(c, 50))); }
CASE(t_clock_getres) { CALL(SYS_clock_getres, 0, U(buf(c, 50))); }
CASE(t_adjtimex) { CALL(SYS_adjtimex, U(val(c, (uint8_t[208]){0}, 208))); c->slack = 208; }
CASE(t_clock_adjtime) { CALL(SYS_clock_adjtime, 0, U(val(c, (uint8_t[208]){0}, 208))); c->slack = 208; }
// --- System V and POSIX queues
CASE(t_msgrcv) {
  static int q = -1;
  if (q < 0) q = msgget(IPC_PRIVATE, 0600);
  struct { long t; char x[20]; } m = {5, "abcdefghi"};
  msgsnd(q, &m, 9, 0);
  CALL(SYS_msgrcv, U(q), U(buf(c, 100)), 50, 0, 0);
}
CASE(t_msgctl_stat) { CALL(SYS_msgctl, U(msgget(IPC_PRIVATE, 0600)), IPC_STAT, U(buf(c, 200))); }
CASE(t_msgctl_info) { CALL(SYS_msgctl, 0, 3, U(buf(c, 200))); c->slack = 2; }
CASE(t_semctl_stat) { CALL(SYS_semctl, U(semget(IPC_PRIVATE, 2, 0600)), 0, IPC_STAT, U(buf(c, 200))); }
CASE(t_semctl_info) { CALL(SYS_semctl, 0, 0, 3, U(buf(c, 200))); }
CASE(t_semctl_getval) { CALL(SYS_semctl, U(semget(IPC_PRIVATE, 2, 0600)), 0, GETVAL, U(buf(c, 200))); }
static int queue(struct ctx *c) {
  struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 64};
  int q = (int)syscall(SYS_mq_open, "bis-test", O_RDWR | O_CREAT, 0600, &a);
  syscall(SYS_mq_unlink, "bis-test");
  if (q >= 0) { keep(c, q); syscall(SYS_mq_timedsend, q, text, 20, 3, 0); }
  return q;
}
CASE(t_mq_timedreceive) { int q = queue(c); if (q < 0) c->expect = ANY_RESULT; CALL(SYS_mq_timedreceive, U(q), U(buf(c, 100)), 100, U(buf(c, 8)), 0); }
CASE(t_mq_getsetattr) { int q = queue(c); if (q < 0) c->expect = ANY_RESULT; CALL(SYS_mq_getsetattr, U(q), 0, U(buf(c, 100))); }
// --- calls in calls
CASE(t_fcntl_getlk) { struct flock l = {.l_type = F_WRLCK}; CALL(SYS_fcntl, U(file_with(c)), F_GETLK, U(val(c, &l, sizeof l))); c->slack = 32; }
CASE(t_fcntl_getown_ex) { int p[2]; pair(c, SOCK_STREAM, p); CALL(SYS_fcntl, U(p[0]), 16, U(buf(c, 20))); }
CASE(t_fcntl_rw_hint) { CALL(SYS_fcntl, U(file_with(c)), 1035, U(buf(c, 20))); }
CASE(t_fcntl_getfl) { CALL(SYS_fcntl, U(file_with(c)), F_GETFL, U(buf(c, 20))); }
CASE(t_prctl_name) { CALL(SYS_prctl, PR_GET_NAME, U(buf(c, 50))); }
CASE(t_prctl_pdeathsig) { CALL(SYS_prctl, PR_GET_PDEATHSIG, U(buf(c, 50))); }
CASE(t_prctl_tsc) { CALL(SYS_prctl, PR_GET_TSC, U(buf(c, 50))); }
CASE(t_prctl_subreaper) { CALL(SYS_prctl, PR_GET_CHILD_SUBREAPER, U(buf(c, 50))); }
CASE(t_arch_prctl_fs) { CALL(SYS_arch_prctl, 0x1003, U(buf(c, 50))); }
CASE(t_futex_wake) { CALL(SYS_futex, U(buf(c, 8)), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0); }
CASE(t_futex_wake_op) { CALL(SYS_futex, U(buf(c, 8)), FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, 1, U(buf(c, 8)), FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0)); c->slack = 0; }
static int terminal(struct ctx *c) {
  int m, s;
  struct winsize w = {25, 80, 1, 2};
  if (openpty(&m, &s, 0, 0, &w)) abort();
  keep(c, m);
  return keep(c, s);
}
#define TTY(n, request, size, sl) CASE(n) { CALL(SYS_ioctl, U(terminal(c)), request, U(buf(c, size))); c->slack = sl; }
TTY(t_tcgets, 0x5401, 100, 0)
TTY(t_tcgets2, 0x802c542a, 100, 0)
TTY(t_tcgeta, 0x5405, 100, 1)
TTY(t_tiocgwinsz, 0x5413, 50, 0)
TTY(t_fionread_tty, 0x541b, 50, 0)
TTY(t_tiocoutq, 0x5411, 50, 0)
TTY(t_tiocgetd, 0x5424, 50, 0)
TTY(t_tiocgexcl, 0x80045440, 50, 0)
TTY(t_tiocgsoftcar, 0x5419, 50, 0)
CASE(t_tiocgptn) { terminal(c); CALL(SYS_ioctl, U(c->fds[0]), 0x80045430, U(buf(c, 20))); }
CASE(t_fionread) { int p[2]; pipe_pair(c, p); put(p[1], 9); CALL(SYS_ioctl, U(p[0]), 0x541b, U(buf(c, 20))); }
CASE(t_fioqsize) { CALL(SYS_ioctl, U(tmp_with_xattr(c)), 0x5460, U(buf(c, 20))); }
CASE(t_figetbsz) { CALL(SYS_ioctl, U(tmp_with_xattr(c)), FIGETBSZ, U(buf(c, 20))); }
CASE(t_getflags) { CALL(SYS_ioctl, U(tmp_with_xattr(c)), FS_IOC_GETFLAGS, U(buf(c, 20))); }
CASE(t_getversion) { CALL(SYS_ioctl, U(tmp_with_xattr(c)), FS_IOC_GETVERSION, U(buf(c, 20))); }
CASE(t_fsgetxattr) { CALL(SYS_ioctl, U(tmp_with_xattr(c)), FS_IOC_FSGETXATTR, U(buf(c, 50))); }
CASE(t_getentropy) { CALL(SYS_ioctl, U(keep(c, open("/dev/urandom", O_RDONLY))), 0x80045200, U(buf(c, 50))); }
CASE(t_ifconf) {
  struct ifconf f = {.ifc_len = 400, .ifc_buf = buf(c, 400)};
  CALL(SYS_ioctl, U(keep(c, socket(AF_INET, SOCK_DGRAM, 0))), 0x8912, U(val(c, &f, sizeof f)));
  c->slack = 4;
}
CASE(t_ifflags) {
  struct ifreq r;
  memset(&r, c->fill, sizeof r);
  strcpy(r.ifr_name, "lo");
  CALL(SYS_ioctl, U(keep(c, socket(AF_INET, SOCK_DGRAM, 0))), 0x8913, U(val(c, &r, sizeof r)));
  c->slack = 40;
}
CASE(t_ns_owner) { CALL(SYS_ioctl, U(keep(c, open("/proc/self/ns/user", O_RDONLY))), 0xb704, U(buf(c, 50))); }
CASE(t_unknown_ioctl) { c->expect = -ENOTTY; CALL(SYS_ioctl, U(file_with(c)), 0x80089911, U(buf(c, 50))); c->slack = 8; }
CASE(t_ioctl_without_size) { c->expect = -ENOTTY; CALL(SYS_ioctl, U(file_with(c)), 0x9911, U(buf(c, 50))); c->slack = 2048; }

#define T(n) {#n, n}
const struct test tests[] = {
  T(t_read), T(t_read_short), T(t_read_bad), T(t_pread64), T(t_readv), T(t_readv_short), T(t_preadv), T(t_preadv2),
  T(t_stat), T(t_fstat), T(t_lstat), T(t_newfstatat), T(t_stat_missing), T(t_statx), T(t_statfs), T(t_fstatfs),
  T(t_ustat), T(t_getdents64), T(t_getdents), T(t_getcwd), T(t_readlink), T(t_readlink_short), T(t_readlinkat),
  T(t_pipe), T(t_pipe2), T(t_cachestat), T(t_name_to_handle_small), T(t_name_to_handle), T(t_getxattr),
  T(t_getxattr_file), T(t_getxattr_size), T(t_listxattr), T(t_sendfile), T(t_copy_file_range), T(t_splice),
  T(t_vmsplice_read), T(t_poll), T(t_poll_eintr), T(t_ppoll), T(t_select), T(t_select_eintr), T(t_pselect6),
  T(t_pselect6_eintr), T(t_select_huge), T(t_epoll_wait), T(t_epoll_pwait), T(t_epoll_pwait2), T(t_nanosleep),
  T(t_nanosleep_eintr), T(t_clock_nanosleep_eintr), T(t_wait4), T(t_wait4_none), T(t_waitid), T(t_waitid_none),
  T(t_waitid_nohang), T(t_socketpair), T(t_accept), T(t_accept_short), T(t_accept_null), T(t_accept_bad_length),
  T(t_accept4), T(t_getsockname), T(t_getpeername), T(t_getsockopt), T(t_getsockopt_long), T(t_getsockopt_peercred),
  T(t_getsockopt_filter), T(t_getsockopt_info), T(t_recvfrom), T(t_recvfrom_name_short), T(t_recvfrom_trunc),
  T(t_recvfrom_stream), T(t_recvmsg), T(t_recvmsg_trunc), T(t_recvmsg_rights), T(t_recvmsg_creds), T(t_recvmmsg),
  T(t_sendmmsg), T(t_uname), T(t_times), T(t_gettimeofday), T(t_time), T(t_getrlimit), T(t_prlimit64),
  T(t_getrusage), T(t_sysinfo), T(t_getgroups), T(t_getgroups_count), T(t_getresuid), T(t_getresgid), T(t_capget),
  T(t_capget_v1), T(t_capget_unknown), T(t_capget_probe), T(t_sched_getparam), T(t_sched_rr),
  T(t_sched_getaffinity), T(t_sched_getattr), T(t_sched_getattr_long), T(t_sched_setattr_big), T(t_getrandom),
  T(t_getcpu), T(t_mincore), T(t_get_robust_list), T(t_get_mempolicy), T(t_move_pages), T(t_process_vm_readv),
  T(t_lsm_list), T(t_listmount), T(t_statmount), T(t_rt_sigaction), T(t_rt_sigprocmask), T(t_sigaltstack),
  T(t_rt_sigpending), T(t_rt_sigpending4), T(t_rt_sigtimedwait), T(t_rt_sigtimedwait_none), T(t_timer_create),
  T(t_timer_gettime), T(t_timer_settime), T(t_getitimer), T(t_setitimer), T(t_timerfd_gettime),
  T(t_timerfd_settime), T(t_clock_gettime), T(t_clock_getres), T(t_adjtimex), T(t_clock_adjtime), T(t_msgrcv),
  T(t_msgctl_stat), T(t_msgctl_info), T(t_semctl_stat), T(t_semctl_info), T(t_semctl_getval),
  T(t_mq_timedreceive), T(t_mq_getsetattr), T(t_fcntl_getlk), T(t_fcntl_getown_ex), T(t_fcntl_rw_hint),
  T(t_fcntl_getfl), T(t_prctl_name), T(t_prctl_pdeathsig), T(t_prctl_tsc), T(t_prctl_subreaper),
  T(t_arch_prctl_fs), T(t_futex_wake), T(t_futex_wake_op), T(t_tcgets), T(t_tcgets2), T(t_tcgeta),
  T(t_tiocgwinsz), T(t_fionread_tty), T(t_tiocoutq), T(t_tiocgetd), T(t_tiocgexcl), T(t_tiocgsoftcar),
  T(t_tiocgptn), T(t_fionread), T(t_fioqsize), T(t_figetbsz), T(t_getflags), T(t_getversion), T(t_fsgetxattr),
  T(t_getentropy), T(t_ifconf), T(t_ifflags), T(t_ns_owner), T(t_unknown_ioctl),
  T(t_ioctl_without_size),
};
const unsigned test_count = sizeof tests / sizeof *tests;
