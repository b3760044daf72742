// A replay under a debugger: where to stop, and conditions of breakpoints, evaluated here so that one that does not hold
// costs no stop.
#include "local.h"

RT static int stop(control *c, enum bis_debug_stop at) {
  c->arg[0] = at;
  bis_trap(c, BIS_REASON_DEBUG);
  return 1;
}

RT int bis_debug_leave(control *c) {
  struct bis_debug *d = &c->debug;
  if (d->flags & BIS_DEBUG_TOUCHED) {
    d->flags &= ~(uint64_t)BIS_DEBUG_TOUCHED;
    c->arg[1] = d->touched;
    c->arg[2] = d->touched_address;
    return stop(c, BIS_DEBUG_AT_TOUCHED);
  }
  if (d->flags & BIS_DEBUG_STEP) {
    d->flags &= ~(uint64_t)BIS_DEBUG_STEP;
    return stop(c, BIS_DEBUG_AT_LEAVE);
  }
  if (d->flags & BIS_DEBUG_EVENT && c->event_count >= d->event) {
    d->flags &= ~(uint64_t)BIS_DEBUG_EVENT;
    return stop(c, BIS_DEBUG_AT_EVENT);
  }
  return 0;
}

RT int bis_debug_call(control *c, const struct bis_descriptor *d) {
  if (c->debug.flags & BIS_DEBUG_LIVE) return stop(c, BIS_DEBUG_AT_LIVE_CALL);
  if (c->debug.flags & BIS_DEBUG_CALLS) {
    c->rip -= d->length;
    stop(c, BIS_DEBUG_AT_CALL);
    c->rip = d->guest_next;
  }
  return 0;
}

// ---------------------------------------------------------------------------------------------
// Agent expressions (gdb's documentation, "The GDB Agent Expression Mechanism")
// ---------------------------------------------------------------------------------------------

enum { DEPTH = 64, STEPS = 4096 };

RT static uint64_t operand(const uint8_t *p, unsigned bytes) {
  uint64_t v = 0;
  while (bytes--) v = v << 8 | *p++;
  return v;
}

/// A register by gdb's number; 0: not one that conditions can read here.
RT static int read_register(const control *c, uint64_t number, uint64_t *value) {
  if (number < 16) *value = c->gpr[0xFEDCBA9845762130ull >> 4 * number & 15]  /* rax rbx rcx rdx rsi rdi rbp rsp r8 ... */;
  else if (number == 16) *value = c->rip;
  else if (number == 17) *value = c->rflags;
  else return 0;
  return 1;
}

RT_INLINE int64_t extend(uint64_t v, unsigned bits) {
  if (bits == 0 || bits >= 64) return (int64_t)v;
  return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

/// Two operands, one result. 0: an error.
RT static int binary(uint8_t op, uint64_t a, uint64_t b, uint64_t *r) {
  int64_t x = (int64_t)a, y = (int64_t)b;
  switch (op) {
  case 0x02: *r = a + b; return 1;
  case 0x03: *r = a - b; return 1;
  case 0x04: *r = a * b; return 1;
  case 0x05: if (!y || (y == -1 && a == 1ull << 63)) return 0; *r = (uint64_t)(x / y); return 1;
  case 0x06: if (!b) return 0; *r = a / b; return 1;
  case 0x07: if (!y || y == -1) { *r = 0; return y != 0; } *r = (uint64_t)(x % y); return 1;
  case 0x08: if (!b) return 0; *r = a % b; return 1;
  case 0x09: *r = b < 64 ? a << b : 0; return 1;
  case 0x0a: *r = (uint64_t)(x >> (b < 64 ? b : 63)); return 1;
  case 0x0b: *r = b < 64 ? a >> b : 0; return 1;
  case 0x0f: *r = a & b; return 1;
  case 0x10: *r = a | b; return 1;
  case 0x11: *r = a ^ b; return 1;
  case 0x13: *r = a == b; return 1;
  case 0x14: *r = x < y; return 1;
  case 0x15: *r = a < b; return 1;
  default: return 0;
  }
}

/// 1: true, or it cannot be evaluated; 0: false.
RT static int evaluate(control *c, const uint8_t *code, uint32_t length) {
  uint64_t s[DEPTH];
  unsigned n = 0;
  uint32_t pc = 0;
  for (int steps = 0; steps < STEPS; steps++) {
    if (pc >= length) return 1;
    uint8_t op = code[pc++];
    // if_goto, goto, const16, reg: 2; const8, ext, zero_ext, pick: 1; const32: 4; const64: 8
    unsigned immediate = op == 0x20 || op == 0x21 || op == 0x23 || op == 0x26   ? 2
                         : op == 0x22 || op == 0x16 || op == 0x2a || op == 0x32 ? 1
                         : op == 0x24                                           ? 4
                         : op == 0x25                                           ? 8
                                                                                : 0;
    if (immediate > length - pc) return 1;
    uint64_t v = operand(code + pc, immediate);
    pc += immediate;
    unsigned needs = op == 0x27 || op == 0x21 || (op >= 0x22 && op <= 0x26) || op == 0x32 ? 0
                     : op == 0x0e || op == 0x12 || op == 0x16 || op == 0x2a || op == 0x20 || op == 0x28 || op == 0x29 ||
                             (op >= 0x17 && op <= 0x1a) ? 1
                     : op == 0x33 ? 3 : 2;
    if (op == 0x27) return n == 0 || s[n - 1] != 0;  // end
    if (n < needs || n + 1 >= DEPTH) return 1;
    switch (op) {
    case 0x0e: s[n - 1] = !s[n - 1]; break;
    case 0x12: s[n - 1] = ~s[n - 1]; break;
    case 0x16: s[n - 1] = (uint64_t)extend(s[n - 1], (unsigned)v); break;
    case 0x2a: if (v < 64) s[n - 1] &= (1ull << v) - 1; break;
    case 0x17: case 0x18: case 0x19: case 0x1a: {  // ref8 … ref64
      uint64_t word = 0;
      if (!bis_copy(&word, (const void *)s[n - 1], 1u << (op - 0x17))) return 1;
      s[n - 1] = word;
      break;
    }
    case 0x20: if (s[--n]) pc = (uint32_t)v; break;
    case 0x21: pc = (uint32_t)v; break;
    case 0x22: case 0x23: case 0x24: case 0x25: s[n++] = v; break;
    case 0x26: if (!read_register(c, v, &s[n])) return 1; n++; break;
    case 0x28: s[n] = s[n - 1]; n++; break;  // dup
    case 0x29: n--; break;                    // pop
    case 0x2b: { uint64_t t = s[n - 1]; s[n - 1] = s[n - 2]; s[n - 2] = t; break; }
    case 0x32: if (v >= n) return 1; s[n] = s[n - 1 - v]; n++; break;  // pick
    case 0x33: { uint64_t t = s[n - 1]; s[n - 1] = s[n - 2]; s[n - 2] = s[n - 3]; s[n - 3] = t; break; }  // rot
    default:
      if (!binary(op, s[n - 2], s[n - 1], &s[n - 2])) return 1;
      n--;
    }
  }
  return 1;
}

RT int bis_breakpoint(control *c, uint64_t address) {
  const struct bis_breakpoints *t = (const struct bis_breakpoints *)(BIS_TABLES_BASE + BIS_TABLES_BREAKPOINTS);
  uint32_t low = 0, high = t->count;
  const struct bis_breakpoint *b = 0;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    b = &t->list[middle];
    if (address < b->address) high = middle;
    else if (address > b->address) low = middle + 1;
    else break;
    b = 0;
  }
  if (!b) return 0;
  const struct bis_condition *conditions =
      (const struct bis_condition *)((const uint8_t *)t + t->conditions_offset) + b->first;
  int holds = b->conditions == 0;
  for (uint32_t i = 0; i < b->conditions && !holds; i++)
    holds = evaluate(c, (const uint8_t *)t + conditions[i].offset, conditions[i].length);
  if (!holds) return 0;
  if (!(c->debug.flags & BIS_DEBUG_COLLECT)) return 1;
  c->debug.hits++;
  c->debug.hit_event = c->event_count;
  c->debug.hit_ticks = ticks_now(c);
  c->debug.hit_rip = address;
  return 0;
}
