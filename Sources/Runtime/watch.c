// A replay under a debugger: which accesses touch watched memory. Translated code asks before instructions that may
// (Translate/Watch.swift); what events write is looked at here, too.
#include "local.h"

/// The first watched range that has bytes of [low, high) and is for such accesses, or null.
RT static const struct bis_watched *find(uint64_t low, uint64_t high, uint32_t bits) {
  const struct bis_watches *w = (const struct bis_watches *)(BIS_TABLES_BASE + BIS_TABLES_WATCH_LIST);
  if (high < low) high = ~0ull;
  for (uint64_t i = 0; i < w->count && w->list[i].low < high; i++)
    if (w->list[i].high > low && w->list[i].bits & bits) return &w->list[i];
  return 0;
}

RT static void stop(control *c, uint64_t index, uint64_t address, enum bis_touch touch, const struct bis_descriptor *d) {
  c->arg[0] = BIS_DEBUG_AT_WATCH;
  c->arg[1] = index;
  c->arg[2] = address;
  c->arg[3] = touch;
  c->arg[4] = d->operand_size;
  c->arg[5] = d->reg;
  bis_trap(c, BIS_REASON_DEBUG);
}

/// The bytes that a repeated string instruction touches at most, from what its registers say. 0: none.
RT static int repeated(const control *c, const struct bis_descriptor *d, uint64_t *low, uint64_t *high) {
  uint64_t at = c->gpr[d->reg & BIS_WATCH_SOURCE ? RSI : RDI], count = c->gpr[RCX], most = (1ull << 47) / d->operand_size;
  if (d->reg & BIS_WATCH_SHORT) {
    at = (uint32_t)at;
    count = (uint32_t)count;
  }
  if (count == 0) return 0;
  uint64_t bytes = (count < most ? count : most) * d->operand_size;
  *low = at;
  *high = at + bytes;
  if (c->rflags & 0x400) {  // DF: downwards
    *high = at + d->operand_size;
    *low = *high < bytes ? 0 : *high - bytes;
  }
  return 1;
}

/// BT and its family: the bit number moves the address by whole operands.
RT static uint64_t bit_address(const control *c, const struct bis_descriptor *d) {
  uint64_t v = c->gpr[d->flags & 15];
  int64_t number = d->operand_size == 8 ? (int64_t)v : d->operand_size == 4 ? (int32_t)v : (int16_t)v;
  int shift = d->operand_size == 8 ? 6 : d->operand_size == 4 ? 5 : 4;
  return c->spill[BIS_SPILL_B] + (uint64_t)((number >> shift) * d->operand_size);
}

RT void bis_watch(control *c, const struct bis_descriptor *d) {
  c->resume_host = (uint64_t)(d + 1);
  if (d->flags & 0x80) {  // jmp rel32
    int32_t distance;
    __builtin_memcpy(&distance, (const uint8_t *)(d + 1) + 1, 4);
    c->resume_host += 5 + (uint64_t)(int64_t)distance;
  }
  const struct bis_descriptor copy = *d;  // (the translation may be given up at a stop)
  d = &copy;
  if (!(c->debug.flags & BIS_DEBUG_WATCH)) return;
  uint64_t low = c->spill[BIS_SPILL_B], high;
  enum bis_touch touch = d->reg & BIS_WATCH_INEXACT ? BIS_TOUCH_UNKNOWN : BIS_TOUCH_EXACT;
  if (d->op == BIS_SPECIAL_WATCH_UNKNOWN) {
    stop(c, ~0ull, 0, BIS_TOUCH_UNKNOWN, d);
    return;
  }
  if (d->op == BIS_SPECIAL_WATCH_REPEATED) {
    if (!repeated(c, d, &low, &high)) return;
    touch = BIS_TOUCH_REPEATED;
  } else {
    if (d->op == BIS_SPECIAL_WATCH_BITS) low = bit_address(c, d);
    high = low + d->operand_size;
  }
  const struct bis_watched *w = find(low, high, d->reg);
  if (w) stop(c, w->index, low < w->low ? w->low : low, touch, d);
}

RT static void touched(control *c, const struct bis_watched *w, uint64_t low) {
  c->debug.flags |= BIS_DEBUG_TOUCHED;
  c->debug.touched = w->index;
  c->debug.touched_address = low < w->low ? w->low : low;
}

RT void bis_watch_special(control *c) {
  const struct bis_special_accesses *a = (const struct bis_special_accesses *)BIS_SPECIAL_ACCESSES;
  for (uint64_t i = 0; i < a->count && !(c->debug.flags & BIS_DEBUG_TOUCHED); i++) {
    uint64_t low = a->list[i].address, high = low + a->list[i].length;
    const struct bis_watched *w = find(low, high, a->list[i].writes ? BIS_WATCH_WRITES : BIS_WATCH_READS);
    if (w) touched(c, w, low);
  }
}

RT void bis_watch_written(control *c, uint64_t address, uint64_t length, const void *bytes) {
  if (c->debug.flags & BIS_DEBUG_TOUCHED) return;
  const struct bis_watches *w = (const struct bis_watches *)(BIS_TABLES_BASE + BIS_TABLES_WATCH_LIST);
  for (uint64_t i = 0; i < w->count && w->list[i].low < address + length; i++) {
    uint64_t low = w->list[i].low, high = w->list[i].high;
    if (high <= address || !(w->list[i].bits & BIS_WATCH_WRITES)) continue;
    if (low < address) low = address;
    if (high > address + length) high = address + length;
    touched(c, &w->list[i], low);
    return;
  }
}
