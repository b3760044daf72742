// What special_test.c stands on: faults, the machine's own instructions, a tables page filled from it.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "../../Sources/Runtime/special.h"

static struct bis_control control;
static struct bis_tables_header *header;
static struct bis_cpuid_row *rows;
static int failures, checks;

#define CHECK(condition, ...) \
  do { \
    checks++; \
    if (!(condition) && failures++ < 40) { printf("FAILED line %d: %s: ", __LINE__, #condition); printf(__VA_ARGS__); puts(""); } \
  } while (0)

// --------------------------------------------------------------------------------------------- faults
// int guarded(f, a, b): f(a, b), or -1 if it faults. Vector state at the fault stays live.
int guarded(int (*f)(void *, void *), void *a, void *b);
extern char guarded_landing[];
uint64_t guarded_rsp;
__asm__(
    ".globl guarded, guarded_landing\n"
    "guarded: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; sub $8, %rsp\n"
    "mov %rsp, guarded_rsp(%rip); mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; call *%rax\n"
    "1: add $8, %rsp; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
    "guarded_landing: mov $-1, %eax; jmp 1b\n");

static void on_fault(int signal, siginfo_t *info, void *context) {
  (void)info;
  ucontext_t *u = context;
  if (!guarded_rsp) _exit(100 + signal);
  u->uc_mcontext.gregs[REG_RIP] = (greg_t)guarded_landing;
  u->uc_mcontext.gregs[REG_RSP] = (greg_t)guarded_rsp;
}

// --------------------------------------------------------------------------------------------- helpers
static uint64_t seed = 88172645463325252ull;
static uint64_t rnd(void) { seed ^= seed << 13; seed ^= seed >> 7; return seed ^= seed << 17; }

static void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4]) {
  __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}

static uint8_t *areas; // areas of 16 KiB, page-aligned
static uint8_t *area(int n) { return areas + n * 0x4000; }

static uint64_t host_xcr0;
static struct bis_xcomponent native[32]; // of the host
static uint32_t native_count, native_size;

static void xsave(void *image, uint64_t mask) {
  __asm__ volatile("xsave64 (%0)" : : "r"(image), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
}
static void xrstor(void *image, uint64_t mask) {
  __asm__ volatile("xrstor64 (%0)" : : "r"(image), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
}
static int native_xsavec(void *image, void *mask) {
  uint64_t m = (uint64_t)mask;
  __asm__ volatile("xsavec64 (%0)" : : "r"(image), "a"((uint32_t)m), "d"((uint32_t)(m >> 32)) : "memory");
  return 0;
}
static int native_xrstor(void *image, void *mask) { xrstor(image, (uint64_t)mask); return 0; }
static int native_xsave(void *image, void *mask) { xsave(image, (uint64_t)mask); return 0; }
static int native_fxsave(void *image, void *unused) {
  (void)unused;
  __asm__ volatile("fxsave64 (%0)" : : "r"(image) : "memory");
  return 0;
}
static int native_fxrstor(void *image, void *unused) {
  (void)unused;
  __asm__ volatile("fxrstor64 (%0)" : : "r"(image) : "memory");
  return 0;
}

static uint64_t mask_of_components(void) { return host_xcr0 & 0xE7; }

// Fills the tables as tablesHeader() would, from the raw host.
static int is_topology(uint32_t leaf) { return leaf == 0xB || leaf == 0x1F || leaf == 0x80000026; }
static void add_row(uint32_t leaf, uint32_t sub, int matters) {
  uint32_t r[4];
  cpuid(leaf, sub, r);
  if (is_topology(leaf)) r[3] = 0;
  rows[header->cpuid_count++] = (struct bis_cpuid_row){leaf, sub, matters, r[0], r[1], r[2], r[3], 0};
}
static uint32_t subleaves(uint32_t leaf) {
  switch (leaf) {
    case 4: case 7: case 0xF: case 0x10: case 0x14: case 0x17: case 0x18: case 0x1D: case 0x20: case 0x23: case 0x24:
    case 0x12: case 0x8000001D: case 0x80000020: return 16;
    case 0xD: return 64;
    default: return is_topology(leaf) ? 16 : 0;
  }
}
static void add_leaves(uint32_t first, uint32_t last) {
  for (uint32_t leaf = first; leaf <= last; leaf++) {
    uint32_t count = subleaves(leaf), r[4];
    if (!count) add_row(leaf, 0, 0);
    for (uint32_t s = 0; s < count; s++) {
      cpuid(leaf, s, r);
      if (is_topology(leaf) && !(r[2] & 0xFF00)) break;
      add_row(leaf, s, 1);
    }
  }
}

static void fill_tables(void) {
  uint32_t r[4];
  cpuid(0, 0, r);
  header->max_basic_leaf = r[0];
  header->vendor_amd = r[2] == 0x444d4163;
  header->basic_overflow_leaf = header->vendor_amd ? ~0u : r[0];
  add_leaves(0, header->max_basic_leaf);
  cpuid(1, 0, r);
  if (r[2] >> 31) {
    cpuid(0x40000000, 0, r);
    if (r[0] >= 0x40000000 && r[0] < 0x40000100) add_leaves(0x40000000, r[0]);
  }
  cpuid(0x80000000, 0, r);
  header->max_extended_leaf = r[0];
  add_leaves(0x80000000, r[0]);
  cpuid(1, 0, r);
  header->has_xsave = r[2] >> 27 & 1;
  if (header->has_xsave) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    host_xcr0 = (uint64_t)high << 32 | low;
    cpuid(0xD, 1, r);
    header->has_xsavec = r[0] >> 1 & 1;
    header->has_xgetbv1 = r[0] >> 2 & 1;
  }
  native_size = 576;
  for (uint32_t i = 2; i < 32; i++) {
    if (!(host_xcr0 & 0xE7 & 1u << i)) continue;
    cpuid(0xD, i, r);
    native[native_count++] = (struct bis_xcomponent){i, r[0], r[1], r[2] >> 1 & 1};
    if (r[0] + r[1] > native_size) native_size = r[0] + r[1];
  }
  native_fxsave(area(0), 0);
  memcpy(&header->mxcsr_mask, area(0) + 28, 4);
  header->has_rdtscp = header->has_rdpid = header->has_fsgsbase = 1;
}

// The profile: these bits, in the host's layout, or in Intel's.
static void set_profile(uint64_t xcr0, int intel) {
  static const uint32_t offsets[8] = {0, 0, 576, 0, 0, 1088, 1152, 1664};
  header->xcr0 = control.xcr0 = xcr0;
  header->host_xcr0 = host_xcr0;
  header->component_count = 0;
  header->xsave_size = 576;
  for (uint32_t i = 0; i < native_count; i++) {
    struct bis_xcomponent x = native[i];
    header->host_components[i] = x;
    if (!(xcr0 >> x.number & 1)) continue;
    if (intel) x.offset = offsets[x.number];
    header->components[header->component_count++] = x;
    if (x.offset + x.size > header->xsave_size) header->xsave_size = x.offset + x.size;
  }
  header->host_component_count = native_count;
  header->host_xsave_size = native_size;
}

// A random state in the host's standard layout: each component initial or random.
static void random_state(uint8_t *image) {
  memset(image, 0, 0x4000);
  uint64_t bv = rnd() & mask_of_components(), *h = (void *)(image + 512);
  for (uint32_t i = 0; i < native_size; i += 8) *(uint64_t *)(image + i) = rnd();
  memset(image + 512, 0, 64);
  *(uint16_t *)image = 0x37F ^ (rnd() & 0xC3F); // also unmasked exceptions
  *(uint16_t *)(image + 2) = rnd() & 0x7F7F;
  *(uint32_t *)(image + 24) = 0x1F80 ^ (rnd() & 0xFFBF);
  if (!(rnd() & 3)) *(uint32_t *)(image + 24) = 0x1F80;
  if (!(rnd() & 3)) memset(image + native[rnd() % (native_count ? native_count : 1)].offset, 0, 64);
  h[0] = bv;
}

static int run(int op, uint8_t *address, uint64_t mask, int operand_size, int reg) {
  struct bis_descriptor d = {0, op, 4, reg, operand_size, 1};
  control.spill[BIS_SPILL_A] = (uint64_t)address;
  control.gpr[0] = (uint32_t)mask | 0xABCD00000000;
  control.gpr[2] = mask >> 32 | 0x123400000000;
  return guarded((void *)bis_special, &control, &d);
}

static void clean_legacy(uint8_t *image) { memset(image + 6, 0, 18); }

// Whether two standard-format images (host layout) hold the same state, by value; initial components may hold anything.
static int same_state(uint8_t *a, uint8_t *b) {
  clean_legacy(a);
  clean_legacy(b);
  if (memcmp(a, b, 28) || memcmp(a + 32, b + 32, 384)) return 0;
  for (uint32_t i = 0; i < native_count; i++)
    if (memcmp(a + native[i].offset, b + native[i].offset, native[i].size)) return 0;
  return 1;
}

static int is_zero(const uint8_t *p, uint32_t n) {
  while (n--) if (*p++) return 0;
  return 1;
}

static int first_difference(const uint8_t *a, const uint8_t *b, int n) {
  for (int i = 0; i < n; i++) if (a[i] != b[i]) return i;
  return -1;
}

