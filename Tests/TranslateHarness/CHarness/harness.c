#define _GNU_SOURCE
#include "harness.h"
#include <Zydis/Zydis.h>
#include <asm/prctl.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE_SIZE (64ul << 20)
#define DOMAINS_SIZE (32ul << 20)
#define SAVED_RSP 0x338

static struct bis_control *control = (void *)BIS_WINDOW_BASE;
static void *code_rw, *domains_rw;
static volatile int running, stepping, last_signal;
static uint64_t fault_rip;
static struct h_tick *tick_log;
static long tick_limit, tick_count;
static uint64_t step_entry, step_previous;
static ZydisDecoder decoder;

__attribute__((aligned(64))) uint8_t h_xstate[16384];
void h_reset(void) {
  memset(h_xstate, 0, sizeof h_xstate);
  *(uint32_t *)(h_xstate + 24) = 0x1F80;
  *(uint16_t *)h_xstate = 0x37F;
}
int h_enter_asm(uint64_t address);
extern char h_syscall_entry[], h_special_entry[], h_exit_entry[], h_miss_entry[], h_expired_entry[], h_return_miss_entry[], h_signal_return[];

__asm__(
  ".text\n"
  "h_enter_asm: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
  "mov %rdi, %gs:0xA0; mov %rsp, %gs:0x338\n"
  "mov $-1,%eax; mov %eax,%edx; xrstor64 h_xstate(%rip)\n"
  "pushq %gs:0x88; popfq\n"
  "mov %gs:0x00,%rax; mov %gs:0x08,%rcx; mov %gs:0x10,%rdx; mov %gs:0x18,%rbx; mov %gs:0x28,%rbp\n"
  "mov %gs:0x30,%rsi; mov %gs:0x38,%rdi; mov %gs:0x40,%r8; mov %gs:0x48,%r9; mov %gs:0x50,%r10; mov %gs:0x58,%r11\n"
  "mov %gs:0x60,%r12; mov %gs:0x68,%r13; mov %gs:0x70,%r14; mov %gs:0x78,%r15; mov %gs:0x20,%rsp\n"
  "jmp *%gs:0xA0\n"
  ".macro entry name, reason\n"
  "\\name: mov %rax,%gs:0x00; mov $\\reason,%eax; jmp h_leave\n"
  ".endm\n"
  "entry h_syscall_entry, 1\nentry h_special_entry, 2\nentry h_exit_entry, 3\nentry h_miss_entry, 4\n"
  "entry h_expired_entry, 5\n"
  "h_return_miss_entry: mov -8(%rsp),%rcx; mov %rcx,%gs:0xC8; jmp h_miss_entry\n"
  "h_leave: mov %rdx,%gs:0x10; mov %rbx,%gs:0x18; mov %rsp,%gs:0x20; mov %rbp,%gs:0x28; mov %rsi,%gs:0x30\n"
  "mov %rdi,%gs:0x38; mov %r8,%gs:0x40; mov %r9,%gs:0x48; mov %r10,%gs:0x50; mov %r11,%gs:0x58; mov %r12,%gs:0x60\n"
  "mov %r13,%gs:0x68; mov %r14,%gs:0x70; mov %r15,%gs:0x78; mov %rcx,%gs:0xB8; mov %gs:0xC0,%rdx; mov %rdx,%gs:0x08\n"
  "mov %eax,%ebx; mov %gs:0x338,%rsp; pushfq; popq %gs:0x88\n"
  "mov $-1,%eax; mov %eax,%edx; xsave64 h_xstate(%rip); mov %ebx,%eax\n"
  "h_signal_return: cld; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static void leave(ucontext_t *u, int sig) {
  greg_t *g = u->uc_mcontext.gregs;
  for (int i = 0; i < 16; i++) control->gpr[i] = g[order[i]];
  control->rip = fault_rip = g[REG_RIP];
  control->rflags = g[REG_EFL] & ~0x100ul;
  last_signal = sig;
  g[REG_RIP] = (greg_t)h_signal_return;
  g[REG_RSP] = *(uint64_t *)(BIS_WINDOW_BASE + SAVED_RSP);
  g[REG_RAX] = H_SIGNAL;
  g[REG_EFL] &= ~0x500l;
  stepping = 0;
}

// The definition of a tick, applied to one native step: a taken direct transfer whose target is not above itself, or
// any indirect one or return.
static struct h_state *state_log;
static long state_limit, *state_count;
static uint64_t state_low, state_high;

static int is_tick(uint64_t from, uint64_t to) {
  ZydisDecodedInstruction i;
  ZydisDecoderContext c;
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, &c, (void *)from, 15, &i))) return 0;
  if (i.mnemonic == ZYDIS_MNEMONIC_RET) return 1;
  if (i.meta.branch_type == ZYDIS_BRANCH_TYPE_NONE) return 0;
  if (!i.raw.imm[0].is_relative) return 1;
  return to <= from;
}

static void on_trace(ucontext_t *u) {
  greg_t *g = u->uc_mcontext.gregs;
  uint64_t rip = g[REG_RIP];
  if (rip == (uint64_t)h_signal_return) { g[REG_EFL] &= ~0x100l; return; }
  if (rip < state_low || rip >= state_high) return;
  if (*state_count < state_limit) {
    struct h_state *t = &state_log[(*state_count)++];
    t->rip = rip;
    t->flags = g[REG_EFL] & 0xCD5;
    for (int i = 0; i < 16; i++) t->gpr[i] = g[order[i]];
    for (int i = 0; i < 5; i++) t->spill[i] = control->spill[i];
  }
  if (*(uint8_t *)rip == 0xCC) { g[REG_RIP]++; leave(u, SIGTRAP); }
}

static void on_step(ucontext_t *u) {
  greg_t *g = u->uc_mcontext.gregs;
  uint64_t rip = g[REG_RIP];
  if (!step_previous && rip != step_entry) return;
  if (step_previous && is_tick(step_previous, rip)) {
    if (tick_count < tick_limit) {
      struct h_tick *t = &tick_log[tick_count];
      t->target = rip;
      t->flags = g[REG_EFL] & 0xCD5;
      for (int i = 0; i < 16; i++) t->gpr[i] = g[order[i]];
    }
    tick_count++;
  }
  step_previous = rip;
  if (*(uint8_t *)rip == 0xCC || tick_count > tick_limit) leave(u, SIGTRAP);
}

static void handler(int sig, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  if (sig == SIGTRAP && info->si_code == TRAP_TRACE && !stepping) {
    u->uc_mcontext.gregs[REG_EFL] &= ~0x100l;
    return;
  }
  if (!running) {
    fprintf(stderr, "harness: signal %d at %llx\n", sig, (unsigned long long)u->uc_mcontext.gregs[REG_RIP]);
    _exit(99);
  }
  if (sig == SIGTRAP && stepping && info->si_code == TRAP_TRACE) { if (stepping == 2) on_trace(u); else on_step(u); }
  else leave(u, sig);
}

static void thunk(uint64_t n, void *to) {
  uint8_t *p = (uint8_t *)(BIS_RUNTIME_BASE + n * 16);
  memcpy(p, "\xFF\x25\0\0\0\0", 6);
  memcpy(p + 6, &to, 8);
}

static void *fixed(uint64_t at, uint64_t size, int prot, int fd) {
  return mmap((void *)at, size, prot, MAP_FIXED_NOREPLACE | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED), fd, 0);
}

void h_reset_returns(void) {
  for (int i = 0; i < 65536; i++) ((uint64_t *)BIS_RETURN_TABLE)[i] = BIS_RUNTIME_BASE + 5 * 16;
}
void h_fill(uint64_t target, uint64_t at) {
  h_fast()[target & 0xFFFF] = at;
  ((uint64_t *)BIS_RETURN_TABLE)[target & 0xFFFF] = *(uint8_t *)(at + 7) == 0xEB ? at + 9 : at - 7;
}

int h_setup(void) {
  int c = memfd_create("code", 0), d = memfd_create("domains", 0);
  if (ftruncate(c, CODE_SIZE) || ftruncate(d, DOMAINS_SIZE)) return __LINE__;
  if (fixed(BIS_WINDOW_BASE, BIS_WINDOW_SIZE, 3, -1) == MAP_FAILED) return __LINE__;
  if (fixed(BIS_PRIVATE_BASE, BIS_PRIVATE_SIZE, 3, -1) == MAP_FAILED) return __LINE__;
  if (fixed(BIS_RUNTIME_BASE, 4096, 7, -1) == MAP_FAILED) return __LINE__;
  if (fixed(BIS_CODE_BASE, CODE_SIZE, 5, c) == MAP_FAILED) return __LINE__;
  if (fixed(BIS_DOMAINS_BASE, DOMAINS_SIZE, 1, d) == MAP_FAILED) return __LINE__;
  code_rw = mmap(0, CODE_SIZE, 3, MAP_SHARED, c, 0);
  domains_rw = mmap(0, DOMAINS_SIZE, 3, MAP_SHARED, d, 0);
  thunk(0, h_syscall_entry); thunk(1, h_special_entry); thunk(2, h_exit_entry); thunk(3, h_miss_entry);
  thunk(4, h_expired_entry); thunk(5, h_return_miss_entry);
  uint64_t *fast = h_fast();
  for (int i = 0; i < 65536; i++) fast[i] = BIS_RUNTIME_BASE + 3 * 16;
  h_reset_returns();
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  static char stack[65536];
  stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&ss, 0);
  struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
  for (int i = 0; i < 5; i++) sigaction(signals[i], &sa, 0);
  return syscall(SYS_arch_prctl, ARCH_SET_GS, BIS_WINDOW_BASE) ? __LINE__ : 0;
}

struct bis_control *h_control(void) { return control; }
void *h_code(void) { return code_rw; }
void *h_domains(void) { return domains_rw; }
uint64_t h_code_size(void) { return CODE_SIZE; }
uint64_t h_domains_size(void) { return DOMAINS_SIZE; }
uint64_t *h_fast(void) { return (uint64_t *)BIS_FAST_TABLE; }
struct h_entries h_entries(void) {
  uint64_t b = BIS_RUNTIME_BASE;
  return (struct h_entries){b, b + 16, b + 32, b + 48, b + 64};
}
int h_map(uint64_t base, uint64_t size) { return fixed(base, size, 7, -1) == MAP_FAILED ? __LINE__ : 0; }
int h_unprotect(uint64_t base, uint64_t size, int readable) {
  return mprotect((void *)base, size, readable ? 7 : 0);
}
int h_load(const char *path, uint64_t base, uint64_t limit) {
  int f = open(path, O_RDONLY);
  if (f < 0) return -1;
  int n = 0, r;
  while ((r = read(f, (void *)(base + n), limit - n)) > 0) n += r;
  close(f);
  return n;
}
int h_enter(uint64_t address) {
  running = 1;
  int r = h_enter_asm(address);
  running = 0;
  return r;
}
int h_signal(void) { return last_signal; }
uint64_t h_fault_rip(void) { return fault_rip; }
long h_step(uint64_t entry, struct h_tick *ticks, long limit) {
  tick_log = ticks; tick_limit = limit; tick_count = 0;
  step_entry = entry; step_previous = 0;
  control->rflags |= 0x100;
  stepping = 1;
  h_enter(entry);
  control->rflags &= ~0x100ul;
  return tick_count > limit ? -1 : tick_count;
}
int h_trace(uint64_t address, uint64_t low, uint64_t high, struct h_state *log, long limit, long *count) {
  state_log = log; state_limit = limit; state_count = count; state_low = low; state_high = high;
  control->rflags |= 0x100;
  stepping = 2;
  int r = h_enter(address);
  stepping = 0;
  control->rflags &= ~0x100ul;
  return r;
}
double h_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}
