// Record mode: memory that is shared with files or other processes. Each page belongs to one process at a time; the others
// cannot touch it, and neither can the kernel for them. Before a call whose arguments point into such memory, its
// pages are brought in (the supervisor does it) and pinned while the kernel uses them.
#include "runtime.h"

RT int bis_touches_shared(const control *c, uint64_t low, uint64_t high) {
  for (uint32_t i = 0; i < c->shared_count; i++)
    if (low < c->shared[i].high && high > c->shared[i].low) return 1;
  return 0;
}

/// Calls with arrays of pointers: readv, writev, preadv, pwritev, preadv2, pwritev2, sendmsg, recvmsg, sendmmsg, recvmmsg,
/// vmsplice, process_vm_readv, process_vm_writev, futex_waitv.
RT_INLINE int has_vectors(uint32_t nr) {
  return nr == 19 || nr == 20 || nr == 295 || nr == 296 || nr == 327 || nr == 328 || nr == 46 || nr == 47 || nr == 299 ||
         nr == 307 || nr == 278 || nr == 310 || nr == 311 || nr == 449;
}

RT int bis_shared_arguments(const control *c, uint32_t nr, const uint64_t a[6]) {
  if (!c->shared_active) return 0;
  if (has_vectors(nr)) return 1;
  for (int i = 0; i < 6; i++) {
    uint64_t last = i < 5 && a[i + 1] < 1ull << 40 ? a[i] + a[i + 1] : a[i];  // (the next argument is often its length)
    if (last < a[i]) last = a[i];
    if (a[i] >= 0x1000 && bis_touches_shared(c, a[i], last + 1)) return 1;
  }
  return 0;
}

RT void bis_bring_pages(control *c, uint32_t nr, const uint64_t a[6], int whole, uint32_t pin) {
  for (int i = 0; i < 6; i++) c->arg[i] = a[i];
  c->answer_arg[0] = nr;
  c->answer_arg[1] = (uint64_t)whole;
  c->answer_arg[2] = pin;
  bis_trap(c, BIS_REASON_PAGES);
}

// ---------------------------------------------------------------------------------------------
// Files that are mapped: calls that change them change memory
// ---------------------------------------------------------------------------------------------

enum { CWD = -100, O_CREAT_ = 0100, O_EXCL_ = 0200, O_TRUNC_ = 01000, O_PATH_ = 010000000, NONE = 0, DESCRIPTOR = 1, PATH = 2 };
struct target { int kind; int64_t fd; uint64_t path; };

RT_INLINE const volatile struct bis_shared *everybody(const control *c) {
  return (const volatile struct bis_shared *)c->stamp_address;
}

/// The file whose content or size a call changes.
RT_INLINE struct target changed_file(uint32_t nr, const uint64_t a[6]) {
  struct target none = {NONE, 0, 0}, first = {DESCRIPTOR, (int32_t)a[0], 0}, third = {DESCRIPTOR, (int32_t)a[2], 0};
  struct target named = {PATH, CWD, a[0]}, at = {PATH, (int32_t)a[0], a[1]};
  uint64_t flags = 0;
  switch (nr) {
  case 1: case 18: case 20: case 296: case 328:     // write, pwrite64, writev, pwritev, pwritev2
  case 40: case 77: case 285: return first;          // sendfile, ftruncate, fallocate
  case 275: case 326: return third;                  // splice, copy_file_range
  case 16: return a[1] == 0x40049409 || a[1] == 0x4020940D ? first : none;  // FICLONE, FICLONERANGE
  case 76: case 85: return named;                    // truncate, creat
  case 2: return a[1] & O_TRUNC_ ? named : none;
  case 257: return a[2] & O_TRUNC_ ? at : none;
  case 437: return bis_copy(&flags, (const void *)a[2], 8) && flags & O_TRUNC_ ? at : none;
  default: return none;
  }
}

RT static int is_listed(const volatile struct bis_shared *s, uint64_t device, uint64_t inode) {
  uint32_t count = s->file_count;
  if (count > BIS_MAX_FILES) return 1;
  for (uint32_t i = 0; i < count; i++)
    if (s->files[i].inode == inode && s->files[i].device == device) return 1;
  return 0;
}

RT static void tell(control *c, uint32_t nr, const uint64_t a[6], const struct bis_file_change *f, enum bis_file_phase phase,
                    int64_t result) {
  for (int i = 0; i < 6; i++) c->arg[i] = a[i];
  c->answer_arg[0] = nr;
  c->answer_arg[1] = phase;
  c->answer_arg[2] = (uint64_t)result;
  c->answer_arg[3] = f->device;
  c->answer_arg[4] = f->inode;
  bis_trap(c, BIS_REASON_FILE);
}

/// Most calls write to what nobody has mapped, again and again: that is found out once for a descriptor, until it is closed
/// or replaced (local.c) or somebody maps another file.
RT_INLINE int is_plain(const control *c, int64_t fd, uint32_t changes) {
  return fd >= 0 && fd < 1024 && c->plain_changes == changes && c->plain_fd[fd];
}
RT static void note_plain(control *c, const struct target *t, uint32_t changes) {
  if (t->kind != DESCRIPTOR || t->fd < 0 || t->fd >= 1024 || c->plain_changes == BIS_PLAIN_NEVER) return;
  if (c->plain_changes != changes) {
    zero_words(c->plain_fd, sizeof c->plain_fd / 8);
    c->plain_changes = changes;
  }
  c->plain_fd[t->fd] = 1;
}

/// A call has opened `fd`; file_changes was `changes` before. Nobody has mapped a file that is new.
RT void bis_opened(control *c, uint32_t nr, const uint64_t a[6], int64_t fd, uint32_t changes) {
  uint64_t flags = nr == 2 ? a[1] : nr == 257 ? a[2] : 0;
  struct target t = {DESCRIPTOR, fd, 0};
  if ((flags & (O_CREAT_ | O_EXCL_ | O_PATH_)) == (O_CREAT_ | O_EXCL_) && everybody(c)->file_changes == changes)
    note_plain(c, &t, changes);
}

/// What file it is; 0: none that can be mapped.
RT static int find_file(const struct target *t, struct bis_file_change *f, int *exists) {
  uint64_t status[18];
  long r = t->kind == DESCRIPTOR ? bis_raw6(5 /* fstat */, t->fd, (long)status, 0, 0, 0, 0)
                                 : bis_raw6(262 /* newfstatat */, t->fd, (long)t->path, (long)status, 0, 0, 0);
  *exists = r >= 0;
  if (r < 0 || ((uint32_t)status[3] & 0170000) != 0100000) return 0;
  f->device = status[0];
  f->inode = status[1];
  return 1;
}

/// Before a call is made: who has the file mapped gives the pages away, and nobody gets them until it is done.
RT void bis_before_file_change(control *c, uint32_t nr, const uint64_t a[6], struct bis_file_change *f) {
  const volatile struct bis_shared *s = everybody(c);
  int exists;
  f->known = 0;
  f->changes = s->file_changes;
  if (!f->changes) return;  // (nobody has mapped a file so far)
  struct target t = changed_file(nr, a);
  if (t.kind == NONE) return;
  if (t.kind == DESCRIPTOR && is_plain(c, t.fd, f->changes)) {
    f->known = 3;
    return;
  }
  if (!find_file(&t, f, &exists)) {
    if (exists) note_plain(c, &t, f->changes);
    return;
  }
  f->known = 1;
  if (is_listed(s, f->device, f->inode)) {
    tell(c, nr, a, f, BIS_FILE_BEFORE, 0);
    f->known = 2;
  } else {
    note_plain(c, &t, f->changes);
  }
}

RT void bis_after_file_change(control *c, uint32_t nr, const uint64_t a[6], struct bis_file_change *f, int64_t result) {
  if (!f->known) return;
  const volatile struct bis_shared *s = everybody(c);
  if (f->known == 3) {
    if (s->file_changes == f->changes) return;
    struct target t = changed_file(nr, a);
    int exists;
    if (!find_file(&t, f, &exists)) return;
  }
  // (or it was mapped in the meantime)
  if (f->known == 2 || (s->file_changes != f->changes && is_listed(s, f->device, f->inode)))
    tell(c, nr, a, f, BIS_FILE_AFTER, result);
}
