// Floating point: libm, rounding modes, exceptions, long double, denormals.
// bis: libs=-lm
#include <fenv.h>
#include <math.h>
#include <stdio.h>
int main(void) {
  double s = 0;
  for (int i = 1; i < 20000; i++) s += sin(i) * exp(1.0 / i) + pow(i, 0.3) + fmod(i, 0.7) + tgamma(1 + 1.0 / i);
  printf("%.17g\n", s);
  volatile double one = 1, three = 3, tiny = 1e-310;
  int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  for (int i = 0; i < 4; i++) {
    fesetround(modes[i]);
    printf("%a %a %ld\n", one / three, tiny / three, lrint(2.5));
  }
  fesetround(FE_TONEAREST);
  feclearexcept(FE_ALL_EXCEPT);
  volatile double z = 0, r = one / z;
  printf("%g %d\n", r, fetestexcept(FE_DIVBYZERO) != 0);
  long double l = 1;
  for (int i = 1; i < 60; i++) l = l * 1.000000001L + sinl(l) / i;
  printf("%.20Lg\n", l);
  return 0;
}
