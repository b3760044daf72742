// Memory that is written in many ways: for sessions with many and with large watchpoints.
#define _GNU_SOURCE
#include <emmintrin.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

long slots[64];                 // every other one is watched
long beside;                    // hot, near the watched ones
unsigned char page[4096] __attribute__((aligned(4096)));
long field[1 << 17] __attribute__((aligned(4096)));   // (gdb takes long to print as many characters)
__thread long mine;
static long noise;

__attribute__((noinline)) static void hot(long n) {
  for (long i = 0; i < n; i++) {
    beside += i;
    slots[2 * (i % 32) + 1] += i;
    noise ^= beside;
  }
}

__attribute__((noinline)) static void strings(void) {
  void *to = page + 100;
  size_t n = 300;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(7) : "memory");
  n = 0;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(8) : "memory");
  to = page + 4095;
  n = 10;
  __asm__ volatile("std; rep stosb; cld" : "+D"(to), "+c"(n) : "a"(9) : "memory");
}

__attribute__((noinline)) static void vectors(void) {
  _mm_storeu_si128((__m128i *)(page + 4096 - 24), _mm_set1_epi8(3));
  _mm_maskmoveu_si128(_mm_set1_epi8(5), _mm_set_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0), (char *)page + 2000);
}

__attribute__((noinline)) static void bits(void) {
  long number = 8 * 3000 + 1;
  __asm__ volatile("bts %0, %1" : "+r"(number), "+m"(*(long *)page) : : "memory", "cc");
}

static void *work(void *argument) {
  mine = (long)argument;
  for (long i = 0; i < 3; i++) slots[2 * (long)argument] = i + 100 * (long)argument;
  return NULL;
}

int main(void) {
  int ends[2];
  hot(1000);
  strings();
  vectors();
  bits();
  for (long i = 0; i < 32; i++) slots[2 * i] = i + 1;  // 20 of them are watched
  hot(1000);
  if (pipe(ends) || write(ends[1], "from a call", 11) != 11 || read(ends[0], page + 512, 11) != 11) return 1;
  memset(field, 1, 100);
  field[1 << 16] = 2;
  memset((char *)field + sizeof field - 100, 3, 100);
  pthread_t threads[2];
  for (long i = 0; i < 2; i++) pthread_create(&threads[i], NULL, work, (void *)(i + 1));
  for (long i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  hot(1000);
  printf("%ld\n", beside + noise + page[2000] + field[5]);
  return 0;
}
