// Libraries loaded while running: mapped, used, unmapped, loaded again.
// bis: libs=-ldl
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
  for (int i = 0; i < 5; i++) {
    void *h = dlopen("libm.so.6", RTLD_NOW);
    if (!h) return puts(dlerror()), 1;
    double (*f)(double) = (double (*)(double))dlsym(h, "cos");
    printf("%.17g\n", f(i));
    dlclose(h);
  }
  return 0;
}
