// A case makes one real system call in memory filled with a canary. The bytes that changed must lie in what bis_outputs
// predicted (never less), and what it predicted must have changed up to the case's `slack` (not much more). Every case
// runs with three canaries, so that a byte written with the value it had is seen, too.
#ifndef HARNESS_H
#define HARNESS_H
#define _GNU_SOURCE
#include "outputs.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARENA (1 << 20)
struct ctx {
  uint8_t *arena, fill;
  size_t used;
  uint32_t nr;
  uint64_t args[6];
  int64_t result;
  const char *name;
  uint64_t slack;   // bytes that may be predicted and never change
  int64_t expect;   // 0: any success; negative: this error
  int fds[8], fd_count;
  void (*clean)(struct ctx *);
};
#define ANY_RESULT 1

extern uint8_t *bis_test_tables;

// n bytes of canary, with canary around.
static inline void *buf(struct ctx *c, size_t n) {
  c->used = (c->used + 63 & ~63ul) + 64;
  void *p = c->arena + c->used;
  c->used += n;
  if (c->used > ARENA) abort();
  return p;
}
// n bytes of known content.
static inline void *val(struct ctx *c, const void *v, size_t n) { return memcpy(buf(c, n), v, n); }
static inline char *str(struct ctx *c, const char *s) { return val(c, s, strlen(s) + 1); }
static inline int keep(struct ctx *c, int fd) {
  if (fd < 0) { perror(c->name); exit(1); }
  return c->fds[c->fd_count++] = fd;
}
#define U(x) ((uint64_t)(x))
#define CALL(NR, ...) do { uint64_t a_[6] = {__VA_ARGS__}; c->nr = (NR); memcpy(c->args, a_, sizeof a_); } while (0)

typedef void (*case_fn)(struct ctx *);
struct test { const char *name; case_fn fn; };
extern const struct test tests[];
extern const unsigned test_count;
#endif
