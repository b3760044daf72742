// prctl with options that no kernel knows, whatever their arguments.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

int main(void) {
  for (unsigned long argument = 0; argument < 4; argument++) {
    int result = prctl(0x7ffff0, argument, 0, 0, 0);
    printf("%d %s\n", result, strerror(errno));
  }
  return 0;
}
