// Starts, prints and returns, in every kind of executable.
// bis: variants=dynamic,no-pie,static,static-pie
#include <stdio.h>
int main(void) { puts("hello, world"); return 0; }
