// Compares Sources/Runtime/special.c with this machine's own instructions. Run: Tests/Special/run
// Compiled with -mgeneral-regs-only and linked statically, so that nothing between two steps touches vector registers.
// What the machine lacks (AVX-512, XSAVEC, XSAVE) is skipped with a message.
#include "support.h"

static void test_cpuid(void) {
  for (int i = 0; i < 6000; i++) {
    uint32_t leaf = rnd() % 0x30, sub = rnd() % 20, r[4];
    if (i % 4 == 1) leaf += 0x80000000;
    if (i % 4 == 2 && i % 8 == 2) leaf += 0x40000000;
    if (i % 16 == 3) leaf = rnd();
    struct bis_descriptor d = {0, BIS_SPECIAL_CPUID, 2, 0, 4, 0};
    if (!subleaves(leaf)) sub = rnd();
    control.gpr[0] = leaf | rnd() << 32;
    control.gpr[1] = sub | rnd() << 32;
    CHECK(bis_special(&control, &d) == 0, "leaf %x", leaf);
    cpuid(leaf, sub, r);
    if (is_topology(leaf)) r[3] = 0; // x2APIC id: constant in a profile
    CHECK(control.gpr[0] == r[0] && control.gpr[3] == r[1] && control.gpr[1] == r[2] && control.gpr[2] == r[3],
          "leaf %x.%x: %lx %lx %lx %lx, not %x %x %x %x", leaf, sub, control.gpr[0], control.gpr[3], control.gpr[1],
          control.gpr[2], r[0], r[1], r[2], r[3]);
  }
}

// What a canonical XSAVE makes of the machine's own: pointers 0, XSTATE_BV by value.
static void test_xsave(void) {
  uint64_t all = mask_of_components();
  for (int i = 0; i < 4000; i++) {
    uint64_t mask = i < 256 ? (uint64_t)i : rnd(), rfbm = mask & all, old = rnd();
    uint8_t *state = area(0), *mine = area(1), *real = area(2), *full = area(3);
    random_state(state);
    memset(mine, 0xCC, 0x4000);
    memset(real, 0xCC, 0x4000);
    memcpy(mine + 512, &old, 8);
    memcpy(real + 512, &old, 8);
    xrstor(state, all);
    int result = run(BIS_SPECIAL_XSAVE, mine, mask, i & 1 ? 8 : 4, 0);
    xsave(full, all);
    xsave(real, mask);
    CHECK(result == 0, "%d", result);
    uint64_t bv = old & ~rfbm;
    bv |= rfbm & 3;
    for (uint32_t k = 0; k < native_count; k++)
      if (!is_zero(full + native[k].offset, native[k].size)) bv |= rfbm & 1ull << native[k].number;
    memcpy(real + 512, &bv, 8);
    if (rfbm & 1) clean_legacy(real);
    int at = first_difference(mine, real, 0x3000);
    CHECK(at < 0, "mask %lx: byte %d is %02x, not %02x", rfbm, at, mine[at], real[at]);
    // The state itself must not have changed.
    xrstor(state, all);
    xsave(real, all);
    CHECK(same_state(full, real), "mask %lx changed the state", rfbm);
    CHECK(run(BIS_SPECIAL_XSAVE, mine + 8 * (1 + rnd() % 7), mask, 8, 0) == 3, "alignment");
  }
}

static void test_xsavec(void) {
  if (!header->has_xsavec) { puts("skipped: no XSAVEC here"); return; }
  uint64_t all = mask_of_components();
  for (int i = 0; i < 4000; i++) {
    uint64_t mask = i < 256 ? (uint64_t)i : rnd(), rfbm = mask & all;
    uint8_t *state = area(0), *mine = area(1), *real = area(2), *full = area(3);
    random_state(state);
    memset(mine, 0xCC, 0x4000);
    memset(real, 0xCC, 0x4000);
    xrstor(state, all);
    int result = run(BIS_SPECIAL_XSAVEC, mine, mask, 8, 0);
    xsave(full, all);
    native_xsavec(real, (void *)mask);
    CHECK(result == 0, "%d", result);
    uint64_t my_bv = *(uint64_t *)(mine + 512), real_bv = *(uint64_t *)(real + 512), bv = rfbm & 3;
    CHECK(!memcmp(mine + 520, real + 520, 56), "XCOMP_BV %lx, not %lx", *(uint64_t *)(mine + 520), *(uint64_t *)(real + 520));
    uint32_t offset = 576, written = 576;
    for (uint32_t k = 0; k < native_count; k++) {
      if (!(rfbm >> native[k].number & 1)) continue;
      if (native[k].aligned) offset = (offset + 63) & ~63u;
      int used = !is_zero(full + native[k].offset, native[k].size);
      if (used) bv |= 1ull << native[k].number;
      for (uint32_t b = 0; b < native[k].size; b++) {
        uint8_t want = used ? full[native[k].offset + b] : 0xCC;
        if (mine[offset + b] != want) { CHECK(0, "mask %lx component %d byte %d", rfbm, native[k].number, b); break; }
      }
      if (used && (real_bv >> native[k].number & 1))
        CHECK(!memcmp(mine + offset, real + offset, native[k].size), "component %d", native[k].number);
      written = offset += native[k].size;
    }
    CHECK(my_bv == bv, "mask %lx: XSTATE_BV %lx, not %lx", rfbm, my_bv, bv);
    CHECK(mine[written] == 0xCC, "wrote behind the end");
    if (rfbm & real_bv & 1) {
      clean_legacy(real);
      CHECK(!memcmp(mine, real, 24) && !memcmp(mine + 32, real + 32, 128), "x87");
    }
    if (rfbm & real_bv & 2) CHECK(!memcmp(mine + 24, real + 24, 8) && !memcmp(mine + 160, real + 160, 256), "SSE");
    if (!(rfbm & 1)) CHECK(mine[0] == 0xCC && mine[32] == 0xCC && mine[159] == 0xCC, "x87 written");
    if (!(rfbm & 2)) CHECK(mine[160] == 0xCC && mine[415] == 0xCC && mine[24] == 0xCC, "SSE written");
    if (!(rfbm & 2)) CHECK(!memcmp(mine + 24, real + 24, 8), "MXCSR written, mask %lx", rfbm);
  }
}

// An image for XRSTOR, standard or compacted, sometimes bad.
static void random_image(uint8_t *image) {
  uint64_t all = mask_of_components(), *h = (void *)(image + 512);
  random_state(image);
  if (header->has_xsavec && (rnd() & 1)) {
    uint64_t format = rnd() & all;
    uint8_t *copy = area(7);
    memcpy(copy, image, 0x4000);
    h[0] &= format;
    h[1] = format | 1ull << 63;
    for (uint32_t i = 576; i < 0x3000; i += 8) *(uint64_t *)(image + i) = rnd();
  }
  switch (rnd() % 14) {
    case 0: h[0] |= 1ull << rnd() % 64; break;
    case 1: h[1] ^= 1ull << rnd() % 64; break;
    case 2: h[2 + rnd() % 6] |= 1ull << rnd() % 64; break;
    case 3: *(uint32_t *)(image + 24) |= 1u << rnd() % 32; break;
    case 4: h[0] &= h[1]; h[0] |= rnd() & all; break;
  }
}

static void test_xrstor(void) {
  uint64_t all = mask_of_components();
  int bad = 0;
  for (int i = 0; i < 20000; i++) {
    uint64_t mask = rnd();
    uint8_t *state = area(0), *image = area(1), *mine = area(2), *real = area(3), *copy = area(4);
    random_state(state);
    random_image(image);
    memcpy(copy, image, 0x4000);
    memset(mine, 0, 0x4000);
    memset(real, 0, 0x4000);
    uint8_t *at = image + (rnd() % 50 ? 0 : 8);
    xrstor(state, all);
    int native_result = guarded(native_xrstor, at, (void *)mask);
    xsave(real, all);
    xrstor(state, all);
    int result = run(BIS_SPECIAL_XRSTOR, at, mask, 8, 0);
    xsave(mine, all);
    uint64_t *h = (void *)(copy + 512);
    CHECK(result == (native_result ? 3 : 0), "mask %lx XSTATE_BV %lx XCOMP_BV %lx MXCSR %x: %d, the machine %d", mask & all,
          h[0], h[1], *(uint32_t *)(copy + 24), result, native_result);
    bad += native_result != 0;
    CHECK(same_state(mine, real), "mask %lx XSTATE_BV %lx XCOMP_BV %lx: another state, byte %d", mask & all, h[0], h[1],
          first_difference(mine, real, native_size));
    CHECK(!memcmp(copy, image, 0x4000), "image written");
  }
  CHECK(bad > 500 && bad < 15000, "%d of 20000 bad", bad);
}

// Another layout and fewer components than the host's; canonical images there and back.
static void test_other_profiles(void) {
  uint64_t all = mask_of_components();
  for (int i = 0; i < 4000; i++) {
    uint64_t xcr0 = i % 3 == 0 ? all : i % 3 == 1 ? all & 7 : 3, mask = rnd(), rfbm = mask & xcr0;
    uint8_t *state = area(0), *mine = area(1), *full = area(2), *after = area(3), *other = area(4);
    set_profile(xcr0, 1);
    random_state(state);
    random_state(other);
    memset(mine, 0xCC, 0x4000);
    xrstor(state, all);
    CHECK(run(BIS_SPECIAL_XSAVE, mine, mask, 8, 0) == 0, "XSAVE");
    xsave(full, all);
    for (uint32_t k = 0; k < header->component_count; k++) {
      struct bis_xcomponent *x = &header->components[k];
      uint8_t *want = full + native[k].offset;
      if (rfbm >> x->number & 1) CHECK(!memcmp(mine + x->offset, want, x->size), "component %d", x->number);
      else CHECK(mine[x->offset] == 0xCC, "component %d written", x->number);
    }
    CHECK(mine[header->xsave_size] == 0xCC, "behind the end");
    // All of it back from another state: what the profile has is as before, what it lacks is untouched.
    memset(mine, 0xCC, 0x4000);
    xrstor(state, all);
    bis_canonical_xsave(&control, mine);
    CHECK(mine[header->xsave_size] == 0xCC, "behind the end");
    xrstor(other, all);
    xsave(full, all);
    bis_canonical_xrstor(mine);
    xsave(after, all);
    xrstor(state, all);
    xsave(other, all);
    for (uint32_t k = 0; k < native_count; k++) {
      uint8_t *want = xcr0 >> native[k].number & 1 ? other : full;
      CHECK(!memcmp(after + native[k].offset, want + native[k].offset, native[k].size), "component %d", native[k].number);
    }
    CHECK(!memcmp(after, other, 5) && !memcmp(after + 24, other + 24, 4) && !memcmp(after + 32, other + 32, 384), "legacy");
  }
  set_profile(all, 0);
}

// A host that lacks AVX-512 under a profile that has it: these components are kept as initial ones.
static void test_smaller_host(void) {
  uint64_t all = mask_of_components();
  if (all != 0xE7) return;
  for (int i = 0; i < 500; i++) {
    uint8_t *state = area(0), *mine = area(1), *after = area(2);
    set_profile(all, i & 1);
    header->host_xcr0 = 7;
    header->host_component_count = 1;
    random_state(state);
    xrstor(state, all);
    memset(mine, 0xCC, 0x4000);
    bis_canonical_xsave(&control, mine);
    xsave(state, all);
    CHECK(!(*(uint64_t *)(mine + 512) & 0xE0), "XSTATE_BV %lx", *(uint64_t *)(mine + 512));
    CHECK(!memcmp(mine + 576, state + 576, 256), "AVX");
    for (uint32_t k = 1; k < 4; k++)
      CHECK(is_zero(mine + header->components[k].offset, header->components[k].size), "component not initial");
    xrstor(state, all);
    int result = run(BIS_SPECIAL_XRSTOR, mine, ~0ull, 8, 0);
    xsave(after, all);
    CHECK(result == 0 && same_state(after, state), "%d, or another state", result);
  }
  set_profile(all, 0);
}

// A host without XSAVE: FXSAVE does the work.
static void test_without_xsave(void) {
  uint64_t all = mask_of_components();
  for (int i = 0; i < 1000; i++) {
    uint8_t *state = area(0), *mine = area(1), *first = area(2), *second = area(3), *other = area(4);
    set_profile(3, 0);
    header->host_xcr0 = header->host_component_count = 0;
    random_state(state);
    random_state(other);
    uint64_t mask = rnd() & 3;
    if (host_xcr0) xrstor(state, all); else native_fxrstor(state, 0);
    bis_canonical_xsave(&control, mine);
    native_fxsave(first, 0);
    *(uint64_t *)(mine + 512) = rnd() & 3;
    uint64_t bv = *(uint64_t *)(mine + 512);
    if (host_xcr0) xrstor(other, all); else native_fxrstor(other, 0);
    uint32_t before = 0;
    __asm__ volatile("stmxcsr %0" : "=m"(before));
    CHECK(run(BIS_SPECIAL_XRSTOR, mine, mask, 8, 0) == 0, "XRSTOR");
    native_fxsave(second, 0);
    if (mask & bv & 2) CHECK(!memcmp(first + 160, second + 160, 256), "XMM");
    else if (mask & 2) CHECK(is_zero(second + 160, 256), "XMM not initial");
    if (mask & bv & 1) CHECK(!memcmp(first, second, 5) && !memcmp(first + 32, second + 32, 128), "x87");
    else if (mask & 1) CHECK(is_zero(second + 32, 128) && *(uint16_t *)second == 0x37F && !second[4], "x87 not initial");
    if (!(mask & 2)) CHECK(*(uint32_t *)(second + 24) == before, "MXCSR");
  }
  set_profile(all, 0);
}

static void test_fxsave(void) {
  uint64_t all = mask_of_components();
  for (int i = 0; i < 3000; i++) {
    uint8_t *state = area(0), *mine = area(1), *real = area(2), *image = area(3), *other = area(4);
    random_state(state);
    random_state(image);
    memset(mine, 0xCC, 1024);
    memset(real, 0xCC, 1024);
    xrstor(state, all);
    int result = run(BIS_SPECIAL_FXSAVE, mine, 0, i & 1 ? 8 : 4, 0);
    native_fxsave(real, 0);
    clean_legacy(real);
    memset(real + 416, 0xCC, 96);
    int at = first_difference(mine, real, 1024);
    CHECK(result == 0 && at < 0, "%d, byte %d: %02x, not %02x", result, at, mine[at], real[at]);
    CHECK(run(BIS_SPECIAL_FXSAVE, mine + 8, 0, 8, 0) == 3, "alignment");
    if (rnd() % 4 == 0) *(uint32_t *)(image + 24) |= 1u << rnd() % 32;
    uint8_t *at2 = image + (rnd() % 20 ? 0 : 8);
    xrstor(state, all);
    int native_result = guarded(native_fxrstor, at2, 0);
    xsave(real, all);
    xrstor(state, all);
    result = run(BIS_SPECIAL_FXRSTOR, at2, 0, 8, 0);
    xsave(other, all);
    CHECK(result == (native_result ? 3 : 0), "FXRSTOR %d, the machine %d", result, native_result);
    CHECK(same_state(other, real), "FXRSTOR: another state");
  }
}

static void native_environment(int save, int small, uint8_t *to) {
  if (save && small) __asm__ volatile("data16 fnsave (%0)" : : "r"(to) : "memory");
  else if (save) __asm__ volatile("fnsave (%0)" : : "r"(to) : "memory");
  else if (small) __asm__ volatile("data16 fnstenv (%0)" : : "r"(to) : "memory");
  else __asm__ volatile("fnstenv (%0)" : : "r"(to) : "memory");
}

static void test_environment(void) {
  uint64_t all = mask_of_components();
  uint8_t *forbidden = area(7) + 0x3000;
  mprotect(forbidden, 0x1000, PROT_NONE);
  for (int i = 0; i < 4000; i++) {
    int save = i & 1, small = i >> 1 & 1, op = save ? BIS_SPECIAL_FNSAVE : BIS_SPECIAL_FNSTENV;
    uint8_t *state = area(0), *mine = area(1), *real = area(2), *after = area(3), *other = area(4);
    random_state(state);
    memset(mine, 0xCC, 256);
    memset(real, 0xCC, 256);
    xrstor(state, all);
    native_environment(save, small, real);
    xsave(other, all);
    if (small) memset(real + 6, 0, 8);
    else { memset(real + 12, 0, 12); memset(real + 24, 0, 2); }
    xrstor(state, all);
    int result = run(op, mine, 0, small ? 2 : 4, 0);
    xsave(after, all);
    int at = first_difference(mine, real, 256);
    CHECK(result == 0 && at < 0, "save %d small %d: %d, byte %d: %02x, not %02x", save, small, result, at, mine[at], real[at]);
    CHECK(same_state(after, other), "save %d: another state after", save);
    // A fault on the operand leaves everything as it was.
    xrstor(state, all);
    xsave(other, all);
    result = run(op, forbidden - (i & 4 ? 10 : 0), 0, small ? 2 : 4, 0);
    xsave(after, all);
    CHECK(result == -1 && same_state(after, other), "save %d: %d, or another state after a fault", save, result);
  }
  mprotect(forbidden, 0x1000, PROT_READ | PROT_WRITE);
}

static void test_xgetbv(void) {
  struct bis_descriptor d = {0, BIS_SPECIAL_XGETBV, 3, 0, 4, 0};
  control.gpr[1] = 0xFFFF00000000;
  CHECK(bis_special(&control, &d) == 0 && control.gpr[0] == control.xcr0 && control.gpr[2] == 0, "%lx", control.gpr[0]);
  control.gpr[1] = 2;
  CHECK(bis_special(&control, &d) == 3, "index 2");
  header->has_xgetbv1 = 0;
  control.gpr[1] = 1;
  CHECK(bis_special(&control, &d) == 3, "index 1 without XGETBV1");
  header->has_xgetbv1 = 1;
  for (int i = 0; i < 500; i++) {
    random_state(area(0));
    xrstor(area(0), mask_of_components());
    control.gpr[1] = 1;
    int result = bis_special(&control, &d);
    xsave(area(1), mask_of_components());
    uint64_t bv = 3;
    for (uint32_t k = 0; k < native_count; k++)
      if (!is_zero(area(1) + native[k].offset, native[k].size)) bv |= 1ull << native[k].number;
    CHECK(result == 0 && control.gpr[0] == bv, "XINUSE %lx, not %lx", control.gpr[0], bv);
  }
  header->has_xsave = 0;
  CHECK(bis_special(&control, &d) == 2, "no XSAVE");
  CHECK(run(BIS_SPECIAL_XRSTOR, area(0), 3, 8, 0) == 2, "no XSAVE");
  header->has_xsave = 1;
}

static void test_readings(void) {
  static const int ops[] = {BIS_SPECIAL_RDTSC, BIS_SPECIAL_RDTSCP, BIS_SPECIAL_RDRAND, BIS_SPECIAL_RDSEED};
  for (int i = 0; i < 400; i++) {
    struct bis_control before = control, replayed;
    struct bis_descriptor d = {0, ops[i % 4], 3, rnd() & 15, 2 << (rnd() % 3), 0};
    for (int k = 0; k < 16; k++) before.gpr[k] = rnd();
    before.rflags = rnd();
    control = replayed = before;
    int result = bis_special(&control, &d);
    CHECK(result == bis_special_reads(&d) || (result == 2 && !bis_special_reads(&d)), "op %d: %d", d.op, result);
    if (result != 1) continue;
    bis_special_replay(&replayed, &d, control.arg[0], control.arg[1]);
    replayed.arg[0] = control.arg[0];
    replayed.arg[1] = control.arg[1];
    CHECK(!memcmp(&replayed, &control, sizeof control), "op %d: replay differs", d.op);
    if (i % 4 < 2) CHECK(control.gpr[0] >> 32 == 0 && control.rflags == before.rflags, "TSC");
    else CHECK(((control.rflags ^ before.rflags) & ~0x8D5ull) == 0 && !(control.rflags & 0x8D4), "flags");
    if (d.op == BIS_SPECIAL_RDTSCP) CHECK(control.gpr[1] == 0, "aux");
    if (i % 4 >= 2 && d.operand_size == 2) CHECK(((control.gpr[d.reg] ^ before.gpr[d.reg]) >> 16) == 0, "upper bits");
  }
  struct bis_descriptor d = {0, BIS_SPECIAL_WRGSBASE, 5, 9, 8, 0};
  control.gpr[9] = 0x800000000000;
  CHECK(bis_special(&control, &d) == 3, "not canonical");
  control.gpr[9] = 0x7FFFFFFFF123;
  CHECK(bis_special(&control, &d) == 0 && control.gs_base == 0x7FFFFFFFF123, "WRGSBASE");
  d = (struct bis_descriptor){0, BIS_SPECIAL_RDGSBASE, 5, 10, 4, 0};
  CHECK(bis_special(&control, &d) == 0 && control.gpr[10] == 0xFFFFF123, "RDGSBASE");
  d.op = BIS_SPECIAL_RDPKRU;
  CHECK(bis_special(&control, &d) == 2, "RDPKRU");
  d.op = BIS_SPECIAL_UNDEFINED;
  CHECK(bis_special(&control, &d) == 2, "UNDEFINED");
  d.op = BIS_SPECIAL_INT80;
  CHECK(bis_special(&control, &d) == 5, "INT80");
}

static void *map(uint64_t address, uint64_t size) {
  void *p = mmap((void *)address, size, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | (address ? MAP_FIXED_NOREPLACE : 0), -1, 0);
  if (p == MAP_FAILED) { perror("mmap"); exit(2); }
  return p;
}

int main(void) {
  uint8_t *tables = map(BIS_TABLES_BASE, BIS_TABLES_SIZE);
  map(BIS_PRIVATE_BASE, BIS_PRIVATE_SIZE);
  areas = map(0, 8 * 0x4000);
  header = (void *)(tables + BIS_TABLES_HEADER);
  rows = (void *)(tables + BIS_TABLES_CPUID);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGSEGV, &action, 0);
  sigaction(SIGBUS, &action, 0);
  fill_tables();
  set_profile(mask_of_components() | 3, 0);
  test_cpuid();
  test_readings();
  if (header->has_xsave) {
    test_xgetbv();
    test_xsave();
    test_xsavec();
    test_xrstor();
    test_other_profiles();
    test_smaller_host();
    test_without_xsave();
    test_fxsave();
    test_environment();
  } else {
    puts("skipped: no XSAVE here");
  }
  if (native_count < 4) printf("skipped: AVX-512 state (XCR0 %lx)\n", host_xcr0);
  (void)native_xsave;
  printf("special_test: %d checks, %d failures (XCR0 %lx)\n", checks, failures, host_xcr0);
  return failures != 0;
}
