// Special instructions: CPUID, XGETBV, readings, the XSAVE family, x87 environment. See special.h.
// SDM: Intel 64 and IA-32 Architectures Software Developer's Manual; chapters 10 and 13 of volume 1 are the XSAVE family.
#include "special.h"

#define RUNTIME __attribute__((section("bis_runtime"), visibility("hidden")))
#define LOCAL __attribute__((section("bis_runtime"))) static
#define OUTLINE __attribute__((section("bis_runtime"), visibility("hidden"), noinline))

// Scratch: what the host's instruction writes or reads; an image in the profile's layout; a copy of the program's header.
#define HOST_IMAGE    ((uint8_t *)(BIS_SCRATCH))
#define PROFILE_IMAGE ((uint8_t *)(BIS_SCRATCH + 0x10000))
#define GUEST_HEADER  ((uint64_t *)(BIS_SCRATCH + 0x20000))
#define ACCESSES      ((struct bis_special_accesses *)BIS_SPECIAL_ACCESSES)
#define SECOND_IMAGE  ((uint8_t *)(BIS_SCRATCH + 0x21000))

// The legacy region and the header (SDM vol. 1, 13.4.1, 13.4.2).
enum {
  OFFSET_FOP = 6, OFFSET_MXCSR = 24, OFFSET_ST = 32, OFFSET_XMM = 160, END_XMM = 416, LEGACY_SIZE = 512,
  OFFSET_XSTATE_BV = 512, OFFSET_XCOMP_BV = 520, HEADER_END = 576,
};
enum { X87 = 1, SSE = 2, AVX = 4 };
#define COMPACTED (1ull << 63)

enum { RAX = 0, RCX = 1, RDX = 2, RBX = 3 };

// ---------------------------------------------------------------------------------------------
// Memory
// ---------------------------------------------------------------------------------------------

LOCAL void copy(void *destination, const void *source, uint64_t count) {
  __asm__ volatile("cld; rep movsb" : "+D"(destination), "+S"(source), "+c"(count) : : "memory", "cc");
}

LOCAL void zero(void *destination, uint64_t count) {
  __asm__ volatile("cld; rep stosb" : "+D"(destination), "+c"(count) : "a"(0) : "memory", "cc");
}

OUTLINE void bis_guest_copy_out(uint64_t guest, const void *source, uint64_t count) {
  __asm__ volatile("cld; rep movsb" : "+D"(guest), "+S"(source), "+c"(count) : : "memory", "cc");
}

OUTLINE void bis_guest_copy_in(void *destination, uint64_t guest, uint64_t count) {
  __asm__ volatile("cld; rep movsb" : "+D"(destination), "+S"(guest), "+c"(count) : : "memory", "cc");
}

// The program's memory, with a note of what was touched.
LOCAL void note(uint64_t guest, uint64_t count, uint64_t writes) {
  struct bis_special_accesses *a = ACCESSES;
  if (a->count == sizeof a->list / sizeof a->list[0]) return;
  struct bis_special_access *e = &a->list[a->count++];
  e->address = guest;
  e->length = count;
  e->writes = writes;
}

LOCAL void copy_out(uint64_t guest, const void *source, uint64_t count) {
  bis_guest_copy_out(guest, source, count);
  note(guest, count, 1);
}

LOCAL void copy_in(void *destination, uint64_t guest, uint64_t count) {
  bis_guest_copy_in(destination, guest, count);
  note(guest, count, 0);
}

LOCAL uint64_t get64(const void *p) { return *(const volatile uint64_t *)p; }
LOCAL uint32_t get32(const void *p) { return *(const volatile uint32_t *)p; }
LOCAL void put64(void *p, uint64_t value) { *(volatile uint64_t *)p = value; }
LOCAL void put32(void *p, uint32_t value) { *(volatile uint32_t *)p = value; }
LOCAL void put16(void *p, uint16_t value) { *(volatile uint16_t *)p = value; }

// ---------------------------------------------------------------------------------------------
// CPUID
// ---------------------------------------------------------------------------------------------

// The row that answers for a leaf and subleaf, or null. Rows are sorted by (leaf, subleaf).
LOCAL const struct bis_cpuid_row *find_row(uint32_t leaf, uint32_t subleaf) {
  const struct bis_cpuid_row *rows = (const struct bis_cpuid_row *)(BIS_TABLES_BASE + BIS_TABLES_CPUID);
  uint64_t low = 0, high = tables()->cpuid_count;
  while (low < high) {
    uint64_t middle = (low + high) / 2;
    const struct bis_cpuid_row *row = rows + middle;
    if (row->leaf == leaf && (!row->subleaf_matters || row->subleaf == subleaf)) return row;
    if (row->leaf < leaf || (row->leaf == leaf && row->subleaf < subleaf)) low = middle + 1;
    else high = middle;
  }
  return 0;
}

// Whether a leaf is at most the maximum of its class: basic, hypervisor (by 256), extended.
LOCAL int leaf_in_range(uint32_t leaf) {
  if (leaf < 0x40000000u) return leaf <= tables()->max_basic_leaf;
  if (leaf < 0x50000000u) {
    const struct bis_cpuid_row *base = find_row(leaf & 0xFFFFFF00u, 0);
    return base && leaf <= base->eax;
  }
  return leaf >= 0x80000000u && leaf <= tables()->max_extended_leaf;
}

// SDM vol. 2A, CPUID. Above the maximum Intel answers with the highest basic leaf, AMD with zeros.
LOCAL void do_cpuid(struct bis_control *c) {
  uint32_t leaf = (uint32_t)c->gpr[RAX], subleaf = (uint32_t)c->gpr[RCX];
  const struct bis_cpuid_row *row = 0;
  int answered = 1;
  if (!leaf_in_range(leaf)) {
    leaf = tables()->basic_overflow_leaf;
    answered = leaf != 0xFFFFFFFFu;
  }
  if (answered) row = find_row(leaf, subleaf);
  // Topology leaves tell the subleaf asked for even beyond their last level.
  int topology = answered && (leaf == 0xB || leaf == 0x1F || leaf == 0x80000026u);
  c->gpr[RAX] = row ? row->eax : 0;
  c->gpr[RBX] = row ? row->ebx : 0;
  c->gpr[RCX] = row ? row->ecx : topology ? subleaf & 0xFF : 0;
  c->gpr[RDX] = row ? row->edx : 0;
}

LOCAL int has_rdrand(void) {
  const struct bis_cpuid_row *row = find_row(1, 0);
  return row && (row->ecx >> 30 & 1);
}

LOCAL int has_rdseed(void) {
  const struct bis_cpuid_row *row = leaf_in_range(7) ? find_row(7, 0) : 0;
  return row && (row->ebx >> 18 & 1);
}

// ---------------------------------------------------------------------------------------------
// State components
// ---------------------------------------------------------------------------------------------

LOCAL const struct bis_xcomponent *host_component(uint32_t number) {
  const struct bis_tables_header *h = tables();
  for (uint32_t i = 0; i < h->host_component_count && i < 32; i++)
    if (h->host_components[i].number == number) return &h->host_components[i];
  return 0;
}

// The live state of `mask` into HOST_IMAGE, in the host's layout; the header is clean for an XRSTOR.
LOCAL void host_save(uint64_t mask) {
  zero(HOST_IMAGE + OFFSET_XSTATE_BV, 64);
  if (tables()->host_xcr0) {
    mask &= tables()->host_xcr0;
    __asm__ volatile("xsave64 (%0)" : : "r"(HOST_IMAGE), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
  } else {
    __asm__ volatile("fxsave64 (%0)" : : "r"(HOST_IMAGE) : "memory");
  }
}

// The components of `mask` from HOST_IMAGE; its XSTATE_BV says which have a value, the others are initialised.
LOCAL void host_restore(uint64_t mask) {
  if (tables()->host_xcr0) {
    mask &= tables()->host_xcr0;
    __asm__ volatile("xrstor64 (%0)" : : "r"(HOST_IMAGE), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
  } else {
    __asm__ volatile("fxrstor64 (%0)" : : "r"(HOST_IMAGE) : "memory");
  }
}

// A legacy region as every CPU would show it to the program: FOP, FIP, FDP (which would tell translated addresses) and
// reserved bytes are 0, MXCSR_MASK is the profile's.
LOCAL void canonical_legacy(uint8_t *to, const uint8_t *from) {
  put64(to, get64(from) & 0x000000FFFFFFFFFFull); // FCW, FSW, FTW
  put64(to + 8, 0);
  put64(to + 16, 0);
  put32(to + OFFSET_MXCSR, get32(from + OFFSET_MXCSR));
  put32(to + OFFSET_MXCSR + 4, tables()->mxcsr_mask);
  for (uint32_t i = 0; i < 8; i++) {
    const uint8_t *st = from + OFFSET_ST + 16 * i;
    put64(to + OFFSET_ST + 16 * i, get64(st));
    put64(to + OFFSET_ST + 16 * i + 8, get64(st + 8) & 0xFFFF);
  }
  copy(to + OFFSET_XMM, from + OFFSET_XMM, END_XMM - OFFSET_XMM);
  zero(to + END_XMM, LEGACY_SIZE - END_XMM);
}

// The live state in the profile's standard layout at `image` (header.xsave_size bytes), without a header; returns the
// canonical XINUSE: x87 and SSE always, another component if and only if its value is not its initial one, all zeros.
LOCAL uint64_t canonical_image(struct bis_control *c, uint8_t *image) {
  const struct bis_tables_header *h = tables();
  uint64_t in_use = X87 | SSE, mask = c->xcr0 & h->xcr0;
  host_save(mask | X87 | SSE);
  // The host writes nothing for what its XSTATE_BV says is initial on some CPUs: trust the bit, not the bytes.
  uint64_t valid = h->host_xcr0 ? get64(HOST_IMAGE + OFFSET_XSTATE_BV) : 0;
  canonical_legacy(image, HOST_IMAGE);
  zero(image + LEGACY_SIZE, h->xsave_size - LEGACY_SIZE);
  for (uint32_t i = 0; i < h->component_count && i < 32; i++) {
    const struct bis_xcomponent *to = &h->components[i], *from = host_component(to->number);
    if (!from || !(mask & valid & 1ull << to->number) || from->size != to->size) continue;
    copy(image + to->offset, HOST_IMAGE + from->offset, to->size);
    for (uint32_t k = 0; k + 8 <= to->size; k += 8)
      if (get64(image + to->offset + k)) { in_use |= 1ull << to->number; break; }
  }
  return in_use;
}

LOCAL uint64_t requested(struct bis_control *c) {
  return c->xcr0 & tables()->xcr0 & (c->gpr[RDX] << 32 | (uint32_t)c->gpr[RAX]);
}

// ---------------------------------------------------------------------------------------------
// XSAVE, XSAVEC, XSAVEOPT (SDM vol. 1, 13.7, 13.9, 13.10)
// ---------------------------------------------------------------------------------------------

// The parts of the legacy region that `mask` (x87, SSE) covers; MXCSR and its mask if `mxcsr`.
LOCAL void write_legacy(uint64_t address, const uint8_t *image, uint64_t mask, int mxcsr) {
  if (mask & X87) {
    copy_out(address, image, OFFSET_MXCSR);
    copy_out(address + OFFSET_ST, image + OFFSET_ST, OFFSET_XMM - OFFSET_ST);
  }
  if (mxcsr) copy_out(address + OFFSET_MXCSR, image + OFFSET_MXCSR, 8);
  if (mask & SSE) copy_out(address + OFFSET_XMM, image + OFFSET_XMM, END_XMM - OFFSET_XMM);
}

// Standard format. XSAVEOPT (never shown to programs) additionally leaves out initial components.
LOCAL int do_xsave(struct bis_control *c, int init_optimisation) {
  const struct bis_tables_header *h = tables();
  uint64_t address = c->spill[BIS_SPILL_A], rfbm = requested(c);
  if (address & 63) return BIS_SPECIAL_RAISE_GP;
  copy_in(GUEST_HEADER, address + OFFSET_XSTATE_BV, 8);
  uint8_t *image = PROFILE_IMAGE;
  uint64_t in_use = canonical_image(c, image);
  uint64_t written = init_optimisation ? rfbm & in_use : rfbm;
  write_legacy(address, image, written, (rfbm & (SSE | AVX)) != 0);
  for (uint32_t i = 0; i < h->component_count && i < 32; i++) {
    const struct bis_xcomponent *x = &h->components[i];
    if (written >> x->number & 1) copy_out(address + x->offset, image + x->offset, x->size);
  }
  // Bits outside RFBM keep what memory says; XCOMP_BV and the rest of the header are not written.
  put64(GUEST_HEADER, (get64(GUEST_HEADER) & ~rfbm) | (in_use & rfbm));
  copy_out(address + OFFSET_XSTATE_BV, GUEST_HEADER, 8);
  return BIS_SPECIAL_DONE;
}

// Compacted format: initial components take place but are not written.
LOCAL int do_xsavec(struct bis_control *c) {
  const struct bis_tables_header *h = tables();
  uint64_t address = c->spill[BIS_SPILL_A], rfbm = requested(c), offset = HEADER_END;
  if (address & 63) return BIS_SPECIAL_RAISE_GP;
  uint8_t *image = PROFILE_IMAGE;
  uint64_t saved = canonical_image(c, image) & rfbm;
  write_legacy(address, image, saved, (saved & SSE) != 0);
  for (uint32_t i = 0; i < h->component_count && i < 32; i++) {
    const struct bis_xcomponent *x = &h->components[i];
    if (!(rfbm >> x->number & 1)) continue;
    if (x->aligned) offset = (offset + 63) & ~63ull;
    if (saved >> x->number & 1) copy_out(address + offset, image + x->offset, x->size);
    offset += x->size;
  }
  put64(GUEST_HEADER, saved);
  put64(GUEST_HEADER + 1, rfbm | COMPACTED);
  copy_out(address + OFFSET_XSTATE_BV, GUEST_HEADER, 16);
  return BIS_SPECIAL_DONE;
}

// ---------------------------------------------------------------------------------------------
// XRSTOR (SDM vol. 1, 13.8)
// ---------------------------------------------------------------------------------------------

// Initial values of x87 and SSE in HOST_IMAGE: for hosts without XSAVE, whose FXRSTOR has no bit for that.
LOCAL void init_legacy(uint64_t mask) {
  if (mask & X87) {
    zero(HOST_IMAGE, OFFSET_MXCSR);
    put64(HOST_IMAGE, 0x037F);
    zero(HOST_IMAGE + OFFSET_ST, OFFSET_XMM - OFFSET_ST);
  }
  if (mask & SSE) zero(HOST_IMAGE + OFFSET_XMM, END_XMM - OFFSET_XMM);
}

// MXCSR in HOST_IMAGE, without bits that this host would fault on.
LOCAL void set_mxcsr(uint32_t mxcsr) {
  uint32_t mask = get32(HOST_IMAGE + OFFSET_MXCSR + 4);
  put32(HOST_IMAGE + OFFSET_MXCSR, mxcsr & (mask ? mask : 0xFFBF));
}

// Clears FOP, FIP, FDP in HOST_IMAGE: what the program put there is never shown again.
LOCAL void forget_pointers(void) {
  put16(HOST_IMAGE + OFFSET_FOP, 0);
  put64(HOST_IMAGE + 8, 0);
  put64(HOST_IMAGE + 16, 0);
}

// #GP conditions of the header (SDM vol. 1, 13.8.1, 13.8.2). header: the 8 words from XSTATE_BV on.
LOCAL int header_is_bad(struct bis_control *c, const uint64_t *header) {
  uint64_t xstate_bv = get64(header), xcomp_bv = get64(header + 1), xcr0 = c->xcr0 & tables()->xcr0;
  if (xstate_bv & ~xcr0) return 1;
  if (!(xcomp_bv & COMPACTED)) return xcomp_bv || get64(header + 2);
  if (!tables()->has_xsavec) return 1;
  if (xcomp_bv & ~COMPACTED & ~xcr0) return 1;
  if (xstate_bv & ~xcomp_bv) return 1;
  for (uint32_t i = 2; i < 8; i++)
    if (get64(header + i)) return 1;
  return 0;
}

// Reads the components of `restored` from the program's area into PROFILE_IMAGE (profile's standard layout).
LOCAL void read_components(uint64_t address, uint64_t restored, uint64_t xcomp_bv) {
  const struct bis_tables_header *h = tables();
  uint64_t compact = HEADER_END;
  for (uint32_t i = 0; i < h->component_count && i < 32; i++) {
    const struct bis_xcomponent *x = &h->components[i];
    uint64_t offset = x->offset;
    if (xcomp_bv & COMPACTED) {
      if (!(xcomp_bv >> x->number & 1)) continue;
      if (x->aligned) compact = (compact + 63) & ~63ull;
      offset = compact;
      compact += x->size;
    }
    if (restored >> x->number & 1) copy_in(PROFILE_IMAGE + x->offset, address + offset, x->size);
  }
}

// Moves components of `restored` from an image in the profile's layout to HOST_IMAGE.
LOCAL void place_components(const uint8_t *image, uint64_t restored) {
  const struct bis_tables_header *h = tables();
  if (restored & X87) {
    copy(HOST_IMAGE, image, OFFSET_FOP);
    copy(HOST_IMAGE + OFFSET_ST, image + OFFSET_ST, OFFSET_XMM - OFFSET_ST);
  }
  if (restored & SSE) copy(HOST_IMAGE + OFFSET_XMM, image + OFFSET_XMM, END_XMM - OFFSET_XMM);
  for (uint32_t i = 0; i < h->component_count && i < 32; i++) {
    const struct bis_xcomponent *from = &h->components[i], *to = host_component(from->number);
    if (to && (restored >> from->number & 1) && to->size == from->size)
      copy(HOST_IMAGE + to->offset, image + from->offset, from->size);
  }
}

// Makes the CPU's state of `rfbm` that of PROFILE_IMAGE (or `image`) where `restored` has a bit, else initial.
LOCAL void load_state(const uint8_t *image, uint64_t rfbm, uint64_t restored, uint32_t mxcsr) {
  init_legacy(rfbm & ~restored);
  place_components(image, restored);
  forget_pointers();
  set_mxcsr(mxcsr);
  put64(HOST_IMAGE + OFFSET_XSTATE_BV, restored & tables()->host_xcr0);
  put64(HOST_IMAGE + OFFSET_XCOMP_BV, 0);
  host_restore(rfbm);
}

LOCAL int do_xrstor(struct bis_control *c) {
  uint64_t address = c->spill[BIS_SPILL_A], rfbm = requested(c);
  if (address & 63) return BIS_SPECIAL_RAISE_GP;
  copy_in(GUEST_HEADER, address + OFFSET_XSTATE_BV, 64);
  if (header_is_bad(c, GUEST_HEADER)) return BIS_SPECIAL_RAISE_GP;
  uint64_t xcomp_bv = get64(GUEST_HEADER + 1), restored = rfbm & get64(GUEST_HEADER);
  // MXCSR: the standard form loads it with SSE or AVX, whatever XSTATE_BV says; the compacted form belongs to SSE.
  int loads_mxcsr = xcomp_bv & COMPACTED ? (restored & SSE) != 0 : (rfbm & (SSE | AVX)) != 0;
  uint8_t *image = PROFILE_IMAGE;
  if (loads_mxcsr) {
    copy_in(image + OFFSET_MXCSR, address + OFFSET_MXCSR, 4);
    if (get32(image + OFFSET_MXCSR) & ~tables()->mxcsr_mask) return BIS_SPECIAL_RAISE_GP;
  }
  if (restored & X87) {
    copy_in(image, address, OFFSET_MXCSR);
    copy_in(image + OFFSET_ST, address + OFFSET_ST, OFFSET_XMM - OFFSET_ST);
  }
  if (restored & SSE) copy_in(image + OFFSET_XMM, address + OFFSET_XMM, END_XMM - OFFSET_XMM);
  read_components(address, restored, xcomp_bv);
  host_save(X87 | SSE);
  uint32_t mxcsr = get32(HOST_IMAGE + OFFSET_MXCSR);
  if (loads_mxcsr) mxcsr = get32(image + OFFSET_MXCSR);
  else if (rfbm & SSE) mxcsr = 0x1F80;
  load_state(image, rfbm, restored, mxcsr);
  return BIS_SPECIAL_DONE;
}

RUNTIME void bis_canonical_xsave(struct bis_control *c, void *image) {
  uint64_t in_use = canonical_image(c, image);
  put64((uint8_t *)image + OFFSET_XSTATE_BV, in_use);
}

RUNTIME void bis_canonical_xrstor(const void *image) {
  const uint8_t *bytes = image;
  uint64_t rfbm = tables()->xcr0, restored = rfbm & get64(bytes + OFFSET_XSTATE_BV);
  host_save(X87 | SSE);
  load_state(bytes, rfbm, restored, get32(bytes + OFFSET_MXCSR) & tables()->mxcsr_mask);
}

// ---------------------------------------------------------------------------------------------
// FXSAVE, FXRSTOR, FNSTENV, FNSAVE (SDM vol. 1, 8.1.10, 10.5)
// ---------------------------------------------------------------------------------------------

// Both forms (with and without REX.W) write the same, as the pointers are 0. Bytes 416 to 511 are not written.
LOCAL int do_fxsave(struct bis_control *c) {
  uint64_t address = c->spill[BIS_SPILL_A];
  if (address & 15) return BIS_SPECIAL_RAISE_GP;
  __asm__ volatile("fxsave64 (%0)" : : "r"(HOST_IMAGE) : "memory");
  canonical_legacy(PROFILE_IMAGE, HOST_IMAGE);
  copy_out(address, PROFILE_IMAGE, END_XMM);
  return BIS_SPECIAL_DONE;
}

LOCAL int do_fxrstor(struct bis_control *c) {
  uint64_t address = c->spill[BIS_SPILL_A];
  if (address & 15) return BIS_SPECIAL_RAISE_GP;
  copy_in(PROFILE_IMAGE, address, END_XMM);
  uint32_t mxcsr = get32(PROFILE_IMAGE + OFFSET_MXCSR);
  if (mxcsr & ~tables()->mxcsr_mask) return BIS_SPECIAL_RAISE_GP;
  __asm__ volatile("fxsave64 (%0)" : : "r"(HOST_IMAGE) : "memory");
  uint32_t mask = get32(HOST_IMAGE + OFFSET_MXCSR + 4);
  copy(HOST_IMAGE, PROFILE_IMAGE, END_XMM);
  put32(HOST_IMAGE + OFFSET_MXCSR + 4, mask);
  set_mxcsr(mxcsr);
  forget_pointers();
  __asm__ volatile("fxrstor64 (%0)" : : "r"(HOST_IMAGE) : "memory");
  return BIS_SPECIAL_DONE;
}

// Clears FIP, FCS, FOP, FDP, FDS in a stored x87 environment (SDM vol. 1, figures 8-9 to 8-12).
LOCAL void forget_environment(uint8_t *environment, int small) {
  if (small) {
    put64(environment + 6, 0);
  } else {
    put64(environment + 12, 0);
    put32(environment + 20, 0);
    put16(environment + 24, 0); // 26: FFFF, as written
  }
}

// FNSTENV masks all exceptions after storing. The store into the program's memory may fault, so the state is put back
// before it and changed after it.
LOCAL int do_fnstenv(struct bis_control *c, int small) {
  uint8_t *image = HOST_IMAGE;
  if (small) {
    __asm__ volatile("data16 fnstenv (%0); data16 fldenv (%0)" : : "r"(image) : "memory");
  } else {
    __asm__ volatile("fnstenv (%0); fldenv (%0)" : : "r"(image) : "memory");
  }
  forget_environment(image, small);
  copy_out(c->spill[BIS_SPILL_A], image, small ? 14 : 28);
  __asm__ volatile("fnstenv (%0)" : : "r"(SECOND_IMAGE) : "memory");
  return BIS_SPECIAL_DONE;
}

// FNSAVE initialises the x87 state after storing: likewise.
LOCAL int do_fnsave(struct bis_control *c, int small) {
  uint8_t *image = HOST_IMAGE;
  if (small) {
    __asm__ volatile("data16 fnsave (%0); data16 frstor (%0)" : : "r"(image) : "memory");
  } else {
    __asm__ volatile("fnsave (%0); frstor (%0)" : : "r"(image) : "memory");
  }
  forget_environment(image, small);
  copy_out(c->spill[BIS_SPILL_A], image, small ? 94 : 108);
  __asm__ volatile("fninit" : : : "memory");
  return BIS_SPECIAL_DONE;
}

// ---------------------------------------------------------------------------------------------
// Readings and small registers
// ---------------------------------------------------------------------------------------------

// SDM vol. 2B, XGETBV. XCR0 as the thread has it; index 1: XCR0 & canonical XINUSE.
LOCAL int do_xgetbv(struct bis_control *c) {
  uint32_t index = (uint32_t)c->gpr[RCX];
  uint64_t value = c->xcr0;
  if (!tables()->has_xsave) return BIS_SPECIAL_RAISE_UD;
  if (index > 1 || (index == 1 && !tables()->has_xgetbv1)) return BIS_SPECIAL_RAISE_GP;
  if (index == 1) value &= canonical_image(c, PROFILE_IMAGE);
  c->gpr[RAX] = (uint32_t)value;
  c->gpr[RDX] = value >> 32;
  return BIS_SPECIAL_DONE;
}

// Writes a register as an instruction of that operand size does.
LOCAL void write_register(struct bis_control *c, const struct bis_descriptor *d, uint64_t value) {
  uint64_t *to = &c->gpr[d->reg & 15];
  if (d->operand_size == 8) *to = value;
  else if (d->operand_size == 2) *to = (*to & ~0xFFFFull) | (value & 0xFFFF);
  else *to = (uint32_t)value;
}

LOCAL uint64_t read_tsc(void) {
  uint32_t low, high;
  __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}

LOCAL int take_reading(struct bis_control *c, const struct bis_descriptor *d) {
  uint64_t value = 0;
  uint8_t carry = 0;
  if (!bis_special_reads(d)) return BIS_SPECIAL_RAISE_UD;
  if (d->op == BIS_SPECIAL_RDRAND) __asm__ volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(carry) : : "cc");
  else if (d->op == BIS_SPECIAL_RDSEED) __asm__ volatile("rdseed %0; setc %1" : "=r"(value), "=qm"(carry) : : "cc");
  else value = read_tsc();
  c->arg[0] = value;
  c->arg[1] = carry;
  bis_special_replay(c, d, value, carry);
  return BIS_SPECIAL_READING;
}

RUNTIME int bis_special_reads(const struct bis_descriptor *d) {
  if (d->op == BIS_SPECIAL_RDTSC) return 1;
  if (d->op == BIS_SPECIAL_RDTSCP) return tables()->has_rdtscp != 0;
  if (d->op == BIS_SPECIAL_RDRAND) return has_rdrand();
  if (d->op == BIS_SPECIAL_RDSEED) return has_rdseed();
  return 0;
}

// SDM vol. 2B, RDTSC, RDTSCP, RDRAND, RDSEED. value2: RDTSCP: the auxiliary word, 0; RDRAND, RDSEED: CF.
RUNTIME void bis_special_replay(struct bis_control *c, const struct bis_descriptor *d, uint64_t value, uint64_t value2) {
  if (d->op == BIS_SPECIAL_RDTSC || d->op == BIS_SPECIAL_RDTSCP) {
    c->gpr[RAX] = (uint32_t)value;
    c->gpr[RDX] = value >> 32;
    if (d->op == BIS_SPECIAL_RDTSCP) c->gpr[RCX] = (uint32_t)value2;
    return;
  }
  write_register(c, d, value);
  c->rflags = (c->rflags & ~0x8D5ull) | (value2 & 1); // OF SF ZF AF PF: 0
}

// SDM vol. 2B, RDPKRU, WRPKRU.
LOCAL int do_pkru(struct bis_control *c, int writes) {
  if (!tables()->has_pku) return BIS_SPECIAL_RAISE_UD;
  if ((uint32_t)c->gpr[RCX] || (writes && (uint32_t)c->gpr[RDX])) return BIS_SPECIAL_RAISE_GP;
  if (writes) {
    c->pkru = (uint32_t)c->gpr[RAX];
  } else {
    c->gpr[RAX] = (uint32_t)c->pkru;
    c->gpr[RDX] = 0;
  }
  return BIS_SPECIAL_DONE;
}

// SDM vol. 2B, RDGSBASE, WRGSBASE: the program's GS base is virtual.
LOCAL int do_gs_base(struct bis_control *c, const struct bis_descriptor *d, int writes) {
  uint64_t value = c->gpr[d->reg & 15];
  if (!tables()->has_fsgsbase) return BIS_SPECIAL_RAISE_UD;
  if (!writes) {
    write_register(c, d, c->gs_base);
    return BIS_SPECIAL_DONE;
  }
  if (d->operand_size != 8) value = (uint32_t)value;
  if ((uint64_t)((int64_t)(value << 16) >> 16) != value) return BIS_SPECIAL_RAISE_GP;
  c->gs_base = value;
  return BIS_SPECIAL_DONE;
}

LOCAL int do_rdpid(struct bis_control *c, const struct bis_descriptor *d) {
  if (!tables()->has_rdpid) return BIS_SPECIAL_RAISE_UD;
  c->gpr[d->reg & 15] = 0; // every thread is on CPU 0, as getcpu says
  return BIS_SPECIAL_DONE;
}

// The XSAVE family: #UD where the profile has no such instruction.
LOCAL int do_xsave_family(struct bis_control *c, const struct bis_descriptor *d) {
  const struct bis_tables_header *h = tables();
  if (!h->has_xsave) return BIS_SPECIAL_RAISE_UD;
  switch (d->op) {
    case BIS_SPECIAL_XSAVE: return do_xsave(c, 0);
    case BIS_SPECIAL_XSAVEC: return h->has_xsavec ? do_xsavec(c) : BIS_SPECIAL_RAISE_UD;
    case BIS_SPECIAL_XSAVEOPT: return h->has_xsaveopt ? do_xsave(c, 1) : BIS_SPECIAL_RAISE_UD;
    default: return do_xrstor(c);
  }
}

RUNTIME int bis_special(struct bis_control *c, const struct bis_descriptor *d) {
  ACCESSES->count = 0;
  switch (d->op) {
    case BIS_SPECIAL_CPUID: do_cpuid(c); return BIS_SPECIAL_DONE;
    case BIS_SPECIAL_RDTSC: case BIS_SPECIAL_RDTSCP:
    case BIS_SPECIAL_RDRAND: case BIS_SPECIAL_RDSEED: return take_reading(c, d);
    case BIS_SPECIAL_XGETBV: return do_xgetbv(c);
    case BIS_SPECIAL_RDPID: return do_rdpid(c, d);
    case BIS_SPECIAL_RDPKRU: return do_pkru(c, 0);
    case BIS_SPECIAL_WRPKRU: return do_pkru(c, 1);
    case BIS_SPECIAL_XSAVE: case BIS_SPECIAL_XSAVEC:
    case BIS_SPECIAL_XSAVEOPT: case BIS_SPECIAL_XRSTOR: return do_xsave_family(c, d);
    case BIS_SPECIAL_FXSAVE: return do_fxsave(c);
    case BIS_SPECIAL_FXRSTOR: return do_fxrstor(c);
    case BIS_SPECIAL_FNSTENV: return do_fnstenv(c, d->operand_size == 2);
    case BIS_SPECIAL_FNSAVE: return do_fnsave(c, d->operand_size == 2);
    case BIS_SPECIAL_RDGSBASE: return do_gs_base(c, d, 0);
    case BIS_SPECIAL_WRGSBASE: return do_gs_base(c, d, 1);
    case BIS_SPECIAL_UNDEFINED: return BIS_SPECIAL_RAISE_UD;
    default: return BIS_SPECIAL_CALLER;
  }
}
