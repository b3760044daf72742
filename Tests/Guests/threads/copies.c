// sendfile, splice, vmsplice and tee that wait for what another thread of the process does.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
enum { SIZE = 4 << 20 };
static int file, sockets[2], first[2], second[2];
static ssize_t spliced, teed;
static size_t sent_last;
static loff_t end_last;
static char bytes[SIZE], got[SIZE];
static void *send_file(void *unused) {
  off_t at = 4096;
  size_t sent = 0;
  while (sent < SIZE - 4096) {
    ssize_t n = sendfile(sockets[0], file, &at, SIZE - 4096 - sent);
    if (n <= 0) break;
    sent += n;
  }
  sent_last = sent;
  end_last = at;
  shutdown(sockets[0], SHUT_WR);
  return 0;
}
static void *through_pipes(void *unused) {
  ssize_t n = tee(first[0], second[1], 100, 0);  // nothing there yet
  teed = n;
  n = splice(first[0], 0, sockets[1], 0, 100, 0);
  spliced = n;
  loff_t at = 10;
  size_t sent = 0;
  while (sent < 1 << 20) {  // more than the pipe holds
    n = splice(file, &at, second[1], 0, (1 << 20) - sent, 0);
    if (n <= 0) break;
    sent += n;
  }
  sent_last = sent;
  end_last = at;
  close(second[1]);
  return 0;
}
static size_t drain(int descriptor) {
  size_t count = 0;
  ssize_t n;
  while ((n = read(descriptor, got + count, SIZE - count)) > 0) count += n;
  return count;
}
int main(void) {
  for (int i = 0; i < SIZE; i++) bytes[i] = i * 7 + i / 251;
  file = open("copied", O_RDWR | O_CREAT | O_TRUNC, 0600);
  write(file, bytes, SIZE);
  socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
  pipe(first);
  pipe(second);
  pthread_t thread;
  pthread_create(&thread, 0, send_file, 0);
  usleep(20000);
  size_t n = drain(sockets[1]);
  pthread_join(thread, 0);
  printf("sent %zu to %ld\n", sent_last, (long)end_last);
  printf("received %zu, %d\n", n, memcmp(got, bytes + 4096, n));
  pthread_create(&thread, 0, through_pipes, 0);
  usleep(20000);
  struct iovec words = {"some words", 10};
  printf("vmsplice %zd\n", vmsplice(first[1], &words, 1, 0));
  n = read(sockets[0], got, 100);
  printf("from the socket: %.*s\n", (int)n, got);
  n = drain(second[0]);
  pthread_join(thread, 0);
  printf("tee %zd, splice %zd, %zu to %ld\n", teed, spliced, sent_last, (long)end_last);
  printf("from the pipe: %.10s, %zu, %d\n", got, n, memcmp(got + 10, bytes + 10, n - 10));
  unlink("copied");
  return 0;
}
