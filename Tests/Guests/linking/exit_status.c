// The exit status is the program's.
#include <stdlib.h>
int main(void) { exit(77); }
