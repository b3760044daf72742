// Runs the cases of cases.c. Usage: outputs_test SYSCALLS.bin SUBCALLS.bin [PART OF A NAME] (
// Syscalls.packedSyscalls(), packedSubcalls()).
#include "harness.h"

uint8_t *bis_test_tables;

long bis_raw6(long nr, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static uint64_t load(const char *path, uint64_t offset) {
  FILE *f = fopen(path, "rb");
  if (!f) { perror(path); exit(2); }
  uint64_t n = fread(bis_test_tables + offset, 1, 0x40000, f);
  fclose(f);
  return n;
}

static uint8_t changed[ARENA], predicted[ARENA], before_call[ARENA];

// One run; what changed and what was predicted is added up. 0: it could not be run.
static int run_once(const struct test *test, uint8_t fill, struct ctx *c) {
  memset(c, 0, sizeof *c);
  c->name = test->name;
  c->fill = fill;
  c->arena = mmap((void *)0x10000000, ARENA, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0);
  memset(c->arena, fill, ARENA);
  test->fn(c);
  memcpy(before_call, c->arena, ARENA);
  struct bis_plan plan;
  struct bis_before before;
  struct bis_span spans[64];
  bis_plan_call(c->args, c->nr, &plan);
  if (plan.klass != BIS_CLASS_HOT && plan.klass != BIS_CLASS_LOCAL) {
    printf("FAIL %s: class %d\n", c->name, plan.klass);
    return -1;
  }
  bis_before_call(&plan, c->args, &before);
  uint64_t *a = c->args;
  c->result = bis_raw6(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  unsigned count = bis_outputs(&plan, a, c->result, &before, spans, 64);
  for (int i = 0; i < ARENA; i++) changed[i] |= before_call[i] != c->arena[i];
  for (unsigned i = 0; count <= 64 && i < count; i++)
    for (uint64_t j = 0; j < spans[i].length; j++) {
      uint64_t at = spans[i].address + j - U(c->arena);
      if (at >= ARENA) { printf("FAIL %s: span outside\n", c->name); return -1; }
      predicted[at] = 1;
    }
  if (c->clean) c->clean(c);
  for (int i = 0; i < c->fd_count; i++) close(c->fds[i]);
  if (count > 64) { printf("FAIL %s: overflow\n", c->name); return -1; }
  return 1;
}

static int run(const struct test *test) {
  struct ctx c;
  memset(changed, 0, sizeof changed);
  memset(predicted, 0, sizeof predicted);
  for (int i = 0; i < 3; i++) {
    if (run_once(test, (uint8_t[]){0xA5, 0x5A, 0x3C}[i], &c) < 0) return 1;
    int64_t r = c.result;
    if (c.expect != ANY_RESULT && (c.expect < 0 ? r != c.expect : r < 0)) {
      if (r == -ENOSYS || r == -EPERM || r == -EACCES || r == -ENODEV || r == -EAFNOSUPPORT || r == -EOPNOTSUPP) {
        printf("skip %s: %s\n", c.name, strerror((int)-r));
        return 0;
      }
      printf("FAIL %s: result %ld\n", c.name, (long)r);
      return 1;
    }
  }
  uint64_t missing = 0, over = 0, wrote = 0;
  int64_t first = -1, first_over = -1;
  for (int i = 0; i < ARENA; i++) {
    wrote += changed[i];
    if (changed[i] && !predicted[i]) { if (!missing++) first = i; }
    if (predicted[i] && !changed[i]) { if (!over++) first_over = i; }
  }
  int bad = missing || over > c.slack;
  printf("%s %-28s result %ld, written %lu, missing %lu (at %ld), over %lu of %lu (at %ld)\n", bad ? "FAIL" : "ok  ",
         c.name, (long)c.result, wrote, missing, (long)first, over, c.slack, (long)first_over);
  return bad;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  setvbuf(stdout, 0, _IOLBF, 0);
  bis_test_tables = mmap(0, BIS_TABLES_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (load(argv[1], BIS_TABLES_SYSCALLS) != 512 * sizeof(struct bis_syscall_row)) return 2;
  uint64_t bytes = load(argv[2], BIS_TABLES_SUBCALLS);
  struct bis_tables_header *header = (void *)(bis_test_tables + BIS_TABLES_HEADER);
  header->subcall_count = bytes / sizeof(struct bis_subcall_row);
  int failed = 0, done = 0;
  for (unsigned i = 0; i < test_count; i++) {
    if (argc > 3 && !strstr(tests[i].name, argv[3])) continue;
    failed += run(&tests[i]);
    done++;
  }
  printf("%d cases, %d failed\n", done, failed);
  return failed != 0;
}
