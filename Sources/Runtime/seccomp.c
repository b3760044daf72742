// Seccomp filters that the program has installed (record only). The kernel never gets them: it would ask them about the
// runtime's calls, too. They are asked here, about the program's calls, and mean what they mean there: kernel/seccomp.c,
// net/core/filter.c (Linux 6.12). The supervisor has checked the instructions (Sources/Record/Seccomp.swift).
#include "runtime.h"

enum { ALLOW = 0x7FFF0000, DATA_SIZE = 64 };
struct instruction { uint16_t code; uint8_t if_true, if_false; uint32_t k; };

/// One arithmetic instruction: a = a op b. Division by zero is the caller's business.
RT_INLINE uint32_t compute(uint16_t code, uint32_t a, uint32_t b) {
  switch (code & 0xF0) {
  case 0x00: return a + b;
  case 0x10: return a - b;
  case 0x20: return a * b;
  case 0x30: return a / b;
  case 0x40: return a | b;
  case 0x50: return a & b;
  case 0x60: return a << (b & 31);
  case 0x70: return a >> (b & 31);
  case 0x80: return -a;
  default: return a ^ b;
  }
}

RT_INLINE int holds(uint16_t code, uint32_t a, uint32_t b) {
  switch (code & 0xF0) {
  case 0x10: return a == b;
  case 0x20: return a > b;
  case 0x30: return a >= b;
  default: return (a & b) != 0;
  }
}

/// What one filter says of a call: `data` is its struct seccomp_data.
RT static uint32_t ask(const struct bis_filter *f, const uint32_t data[DATA_SIZE / 4]) {
  const struct instruction *program = (const struct instruction *)(f + 1);
  uint32_t a = 0, x = 0, memory[16];
  for (uint32_t at = 0; at < f->length; at++) {
    const struct instruction *i = &program[at];
    uint32_t operand = i->code & 8 ? x : i->k;
    switch (i->code & 7) {
    case 0:  // BPF_LD
      a = (i->code & 0xE0) == 0x20 ? data[i->k / 4 & 15] : (i->code & 0xE0) == 0x60 ? memory[i->k & 15]
          : (i->code & 0xE0) == 0x80 ? DATA_SIZE : i->k;
      break;
    case 1:  // BPF_LDX
      x = (i->code & 0xE0) == 0x60 ? memory[i->k & 15] : (i->code & 0xE0) == 0x80 ? DATA_SIZE : i->k;
      break;
    case 2: memory[i->k & 15] = a; break;
    case 3: memory[i->k & 15] = x; break;
    case 4:  // BPF_ALU
      if ((i->code & 0xF0) == 0x30 && operand == 0) return 0;
      a = compute(i->code, a, operand);
      break;
    case 5:  // BPF_JMP
      at += (i->code & 0xF0) == 0 ? i->k : holds(i->code, a, operand) ? i->if_true : i->if_false;
      break;
    case 6: return (i->code & 0x18) == 0x10 ? a : i->k;
    default:
      if (i->code & 0x80) a = x;  // BPF_TXA
      else x = a;
    }
  }
  return 0;
}

/// Calls that programs make without the kernel, through the vDSO, where no filter sees them. Under bis they are calls.
RT_INLINE int without_kernel(uint32_t nr, uint64_t clock) {
  uint64_t clocks = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 11;  // CLOCK_* that the vDSO answers
  if (nr == 228 || nr == 229) return (uint32_t)clock < 12 && (clocks >> clock & 1);  // clock_gettime, clock_getres
  return nr == 96 || nr == 201 || nr == 309;                                         // gettimeofday, time, getcpu
}

RT uint32_t bis_seccomp(const control *c, uint32_t arch, uint32_t nr, const uint64_t args[6]) {
  uint32_t data[DATA_SIZE / 4], answer = ALLOW;
  if (c->seccomp == BIS_SECCOMP_STRICT) {  // read, write, exit, sigreturn
    int allowed = arch == BIS_ARCH_X86_64 ? nr == 0 || nr == 1 || nr == 60 || nr == 15
                                          : nr == 3 || nr == 4 || nr == 1 || nr == 119;
    return allowed ? ALLOW : BIS_SECCOMP_STRICT;
  }
  if (arch == BIS_ARCH_X86_64 && without_kernel(nr, args[0])) return ALLOW;
  data[0] = nr;
  data[1] = arch;
  data[2] = (uint32_t)c->rip;
  data[3] = (uint32_t)(c->rip >> 32);
  for (int i = 0; i < 6; i++) {
    data[4 + 2 * i] = (uint32_t)args[i];
    data[5 + 2 * i] = (uint32_t)(args[i] >> 32);
  }
  for (uint64_t at = c->seccomp; at; at = ((const struct bis_filter *)at)->previous) {
    uint32_t one = ask((const struct bis_filter *)at, data);
    if ((int32_t)(one & 0xFFFF0000) < (int32_t)(answer & 0xFFFF0000)) answer = one;
  }
  return answer;
}
