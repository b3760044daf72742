// Use after free: a thread frees what another has looked up but not used yet.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct session { long magic; char name[48]; };
static struct session *volatile current;
static void *closer(void *p) {
  struct session *mine = current;
  current = 0;
  memset(mine, 0xDD, sizeof *mine);
  free(mine);
  return 0;
}
static long use(struct session *s) { return s ? s->magic : 7; }
int main(void) {
  long wrong = 0;
  for (int i = 0; i < 20; i++) {
    pthread_t t;
    current = malloc(sizeof *current);
    current->magic = 7;
    pthread_create(&t, 0, closer, 0);
    for (int k = 0; k < 50; k++) {
      struct session *s = current;
      if (use(s) != 7) wrong++;
    }
    pthread_join(t, 0);
  }
  if (!wrong) { puts("fine"); return 0; }
  puts("used after it was freed");
  return 3;
}
