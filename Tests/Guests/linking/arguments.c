// Arguments, environment and auxiliary vector arrive as given.
// bis: args=one "two words" --three -- -4
// bis: env=GUEST_VALUE=a b c
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
extern char **environ;
int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) printf("%d: [%s]\n", i, argv[i]);
  printf("GUEST_VALUE=%s\n", getenv("GUEST_VALUE"));
  int n = 0;
  for (char **e = environ; *e; e++) n++;
  printf("%d variables\n", n);
  printf("page %lu clktck %lu secure %lu\n", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK), getauxval(AT_SECURE));
  printf("random %d execfn %d phdr %d\n", getauxval(AT_RANDOM) != 0, strstr((char *)getauxval(AT_EXECFN), "arguments") != 0,
         getauxval(AT_PHDR) != 0);
  return 0;
}
