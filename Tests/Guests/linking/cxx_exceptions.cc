// C++ exceptions, virtual calls, static constructors, thread-local variables.
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>
struct Base { virtual int f(int x) { return x; } virtual ~Base() {} };
struct Twice : Base { int f(int x) override { return 2 * x; } };
static thread_local int depth = 0;
static int dive(int n) {
  depth++;
  struct Up { ~Up() { depth--; } } up;
  if (n == 0) throw std::runtime_error("bottom at " + std::to_string(depth));
  return dive(n - 1) + 1;
}
int main() {
  std::map<std::string, int> m;
  for (int i = 0; i < 2000; i++) {
    try { dive(i % 50); } catch (const std::exception &e) { m[e.what()]++; }
  }
  for (auto &p : m) std::printf("%s: %d\n", p.first.c_str(), p.second);
  std::vector<Base *> v{new Base, new Twice};
  long s = 0;
  for (int i = 0; i < 100000; i++) s += v[(i * 7) % 2]->f(i);
  std::printf("%ld %d\n", s, depth);
  try { (void)std::vector<int>(3).at(5); } catch (...) { std::puts("out of range"); }
}
