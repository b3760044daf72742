// A compute loop with a global that few iterations write, a function to call, and a signal.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

volatile long total;
volatile long rare;
char text[64];
volatile int handled;

long square(long x) { return x * x; }
const char *label(int n) {
  char *s = malloc(32);
  snprintf(s, 32, "label %d", n);
  return s;
}
static void handler(int number) { handled = number; }

int main(void) {
  signal(SIGUSR1, handler);
  for (long i = 0; i < 20000; i++) {
    total += square(i) % 7;
    if (i % 5000 == 4999) rare = i;
    if (i == 12000) raise(SIGUSR1);
  }
  strcpy(text, "written once");
  printf("total %ld, rare %ld, handled %d\n", total, rare, handled);
  return 3;
}
