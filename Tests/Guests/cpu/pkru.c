// RDPKRU and WRPKRU do what CPUID promises: they work, or raise #UD. (bis hides protection keys, the host may have them.)
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

static sigjmp_buf back;

static void handler(int signal) {
  (void)signal;
  siglongjmp(back, 1);
}

static unsigned read_pkru(void) {
  unsigned a, d;
  __asm__ volatile(".byte 0x0f, 0x01, 0xee" : "=a"(a), "=d"(d) : "c"(0));
  return a;
}

static void write_pkru(unsigned value) { __asm__ volatile(".byte 0x0f, 0x01, 0xef" : : "a"(value), "c"(0), "d"(0)); }

static int raises(int writes) {
  if (sigsetjmp(back, 1)) return 1;
  if (writes) write_pkru(0);
  else read_pkru();
  return 0;
}

int main(void) {
  unsigned a, b, c = 0, d;
  signal(SIGILL, handler);
  __get_cpuid_count(7, 0, &a, &b, &c, &d);
  if (c >> 4 & 1) {
    unsigned before = read_pkru();
    write_pkru(before ^ 0x30000000);
    unsigned after = read_pkru();
    write_pkru(before);
    puts(after == (before ^ 0x30000000) ? "as CPUID says" : "PKRU is not what was written");
  } else {
    puts(raises(0) && raises(1) ? "as CPUID says" : "they work without OSPKE");
  }
}
