// Writing event records into the ring (record mode).
#ifndef RUNTIME_LOG_H
#define RUNTIME_LOG_H
#include "runtime.h"

RT_INLINE uint8_t *segment_base(const control *c) {
  return (uint8_t *)(BIS_RING_BASE + c->segment * BIS_SEGMENT_SIZE);
}

/// Room for a record of `size` bytes; stops for a new segment when this one is full.
RT_INLINE void *log_reserve(control *c, uint64_t size) {
  if (c->ring_pos + size > c->ring_end) bis_trap(c, BIS_REASON_RING);
  void *p = segment_base(c) + c->ring_pos;
  c->ring_pos += size;
  return p;
}

RT_INLINE uint64_t next_stamp(control *c) {
  volatile struct bis_shared *s = (struct bis_shared *)c->stamp_address;
  if (!s->several) return s->stamp++;
  uint64_t one = 1;
  __asm__ volatile("lock xaddq %0, %1" : "+r"(one), "+m"(s->stamp) : : "memory");
  return one;
}

/// What records hold is mostly short: `rep movsb` takes longer to begin than that takes to copy.
RT_INLINE void copy_short(void *to, const void *from, uint64_t n) {
  typedef uint64_t __attribute__((aligned(1), may_alias)) word;
  if (n > 256) {
    copy_bytes(to, from, n);
    return;
  }
  uint64_t i = 0;
  for (; i + 8 <= n; i += 8) *(word *)((uint8_t *)to + i) = *(const word *)((const uint8_t *)from + i);
  for (; i < n; i++) *((uint8_t *)to + i) = *((const uint8_t *)from + i);
}

RT_INLINE struct bis_event *log_event(control *c, uint8_t kind, uint32_t nr, uint8_t flags, uint64_t effects,
                                      uint64_t value, uint64_t hash, const uint64_t *args, uint64_t arg_count) {
  uint64_t size = BIS_EVENT_FIXED + 8 * arg_count;
  uint64_t stamp = next_stamp(c), tsc = read_tsc();
  struct bis_event *e = log_reserve(c, size);
  e->h.size = (uint32_t)size;
  e->h.kind = kind;
  e->h.flags = flags;
  e->h.effects = (uint16_t)effects;
  e->nr = nr;
  e->tid = (uint32_t)c->tid;
  e->stamp = stamp;
  e->tsc = tsc;
  e->ticks = ticks_now(c);
  e->rip = c->rip;
  e->value = value;
  e->value2 = 0;
  e->registers = hash;
  for (uint64_t i = 0; i < arg_count; i++) e->args[i] = args[i];
  return e;
}

/// An effect with bytes.
RT_INLINE void log_payload(control *c, uint8_t kind, uint64_t address, const void *bytes, uint64_t length) {
  uint64_t size = sizeof(struct bis_effect_memory) + ((length + 7) & ~7ull);
  struct bis_effect_memory *m = log_reserve(c, size);
  m->h.size = (uint32_t)size;
  m->h.kind = kind;
  m->h.flags = 0;
  m->h.effects = 0;
  m->address = address;
  m->length = length;
  *(uint64_t *)((uint8_t *)m + size - 8) = 0;
  m->length = length;  // (the line above clears it when there are no bytes)
  copy_short(m + 1, bytes, length);
}

/// One MEMORY effect for each BIS_MEMORY_CHUNK of what the kernel wrote.
RT_INLINE void log_memory(control *c, uint64_t address, uint64_t length) {
  while (length) {
    uint64_t part = length < BIS_MEMORY_CHUNK ? length : BIS_MEMORY_CHUNK;
    log_payload(c, BIS_KIND_MEMORY, address, (const void *)address, part);
    address += part;
    length -= part;
  }
}

/// The event is complete: a reader may count on it from here on.
RT_INLINE void log_commit(control *c) {
  struct bis_segment_header *h = (struct bis_segment_header *)segment_base(c);
  __asm__ volatile("" : : : "memory");
  h->committed = c->ring_pos - BIS_SEGMENT_HEADER;
  c->event_count++;
}
#endif
