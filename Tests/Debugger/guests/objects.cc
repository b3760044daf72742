// Things that gdb prints with a library's help or by calling functions of the program.
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

struct point {
  int x, y;
  point operator+(const point &other) const { return {x + other.x, y + other.y}; }
};

std::map<std::string, int> ages;
std::vector<point> points;
point a{1, 2}, b{3, 4};

int twice(int x) { return x * 2; }
std::string greet(const std::string &name) { return "hello " + name; }
int crash(int x) { return *(volatile int *)8 + x; }
int hang() {
  for (volatile long i = 0;; i++) {}
}
int save(const char *path) {
  FILE *file = fopen(path, "w");
  if (!file) return -1;
  fputs("new", file);
  fclose(file);
  return 1;
}
int thrower() {
  try {
    throw std::runtime_error("no");
  } catch (const std::exception &error) {
    return 7;
  }
}

int main() {
  ages["ada"] = 36;
  ages["grace"] = 85;
  points = {a, b, a + b};
  std::string text = greet("you");
  puts(text.c_str());
  printf("%d %zu %d\n", twice(3), ages.size(), thrower());
  return 0;
}
