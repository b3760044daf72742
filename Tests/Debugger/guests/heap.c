// A write past the end of one heap block changes its neighbour, and much later the program dies of it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
  char name[16];
  struct item *next;
};

struct item *list;

static void add(const char *name) {
  struct item *item = malloc(sizeof *item);
  item->next = list;
  strcpy(item->name, name);  // the bug: names may be longer
  list = item;
}

int main(void) {
  add("one");
  add("two");
  add("a name that is too long");
  add("four");
  for (struct item *item = list; item; item = item->next) printf("%s\n", item->name);
  return 0;
}
