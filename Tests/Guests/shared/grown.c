// A file that is written and grows while it is mapped for reading, as databases have it: its pages change one by one, then the
// mapping is made larger, moves, shrinks.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };
static int file;
static char *map;
static volatile long sink;

static void put(int page, int value) {
  static char text[PAGE];
  memset(text, value, sizeof text);
  pwrite(file, text, sizeof text, (long)page * PAGE);
}

static void look(int pages) {
  unsigned sum = 0;
  for (int i = 0; i < pages; i++) sum = sum * 31 + (unsigned char)map[i * PAGE + 7];
  printf("%d pages: %x\n", pages, sum);
}

/// Without a branch in between, uses pages before and after they change.
static void changes(int first, int second, int third, int value) {
  sink += map[first * PAGE];
  put(first, value);
  sink += map[first * PAGE] + map[third * PAGE];
  put(third, value + 1);
  sink += map[third * PAGE] + map[second * PAGE];
  put(second, value + 2);
  sink += map[second * PAGE] + map[first * PAGE];
}

int main(void) {
  int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  char name[] = "/tmp/bis-grown-XXXXXX";
  file = mkstemp(name);
  unlink(name);
  for (int k = 0; k < 6; k++) {
    ftruncate(file, 0);
    ftruncate(file, 3 * PAGE);
    map = mmap(0, 3 * PAGE, PROT_READ, MAP_SHARED, file, 0);
    changes(orders[k][0], orders[k][1], orders[k][2], 'a' + k);
    look(3);
    ftruncate(file, 11 * PAGE);
    map = mremap(map, 3 * PAGE, 11 * PAGE, MREMAP_MAYMOVE);
    look(11);
    changes(8, 9, 10, 'A' + k);
    changes(2, 3, 1, 'k' + k);
    look(11);
    char *room = mmap(0, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map = mremap(map, 11 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room);
    look(5);
    changes(4, 0, 2, 'p' + k);
    map = mremap(map, 5 * PAGE, 2 * PAGE, 0);
    look(2);
    map = mremap(map, 2 * PAGE, 11 * PAGE, MREMAP_MAYMOVE);
    look(11);
    munmap(map, 11 * PAGE);
    munmap(room, 16 * PAGE);
  }
  return 0;
}
