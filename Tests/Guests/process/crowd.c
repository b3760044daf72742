// Many processes alive at the same time, forked three deep and half of them other programs by then; they write in turns that
// go across the tree, so the order of the output is not the order in which any one of them could be run alone.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 27, ROUNDS = 3 };

/// Waits for the turn number `turn`, writes, gives the turn to the next one.
static void speak(int id, int in, int out, const char *as) {
  char line[64];
  unsigned char turn;
  for (int round = 0; round < ROUNDS; round++) {
    if (read(in, &turn, 1) != 1) _exit(9);
    int n = snprintf(line, sizeof line, "%d: %s %d\n", turn, as, id);
    if (write(1 + (id & 1), line, n) != n) _exit(8);
    turn++;
    if (write(out, &turn, 1) != 1) _exit(7);
  }
}

int main(int argc, char **argv) {
  if (argc == 4) {  // the other program
    speak(atoi(argv[1]), atoi(argv[2]), atoi(argv[3]), "program");
    return atoi(argv[1]);
  }
  int ring[COUNT][2], sum = 0, status, id = 0;
  for (int i = 0; i < COUNT; i++)
    if (pipe(ring[i])) return 1;
  // 3 children with 2 children with 3 children each, all of which stay.
  int depth = 0, width[] = {3, 2, 3}, place[3] = {0};
  pid_t children[3];
  int count = 0;
  while (depth < 3) {
    pid_t k = 0;
    for (count = 0; count < width[depth]; count++)
      if (!(k = children[count] = fork())) break;
    if (k) break;
    place[depth++] = count + 1;
    count = 0;
  }
  // (turns go to the deepest first, and not in the order of their births)
  if (depth == 3) id = ((place[2] - 1) * 2 + place[1] - 1) * 3 + 3 - place[0];
  else if (depth == 2) id = 18 + (place[1] - 1) * 3 + place[0] - 1;
  else if (depth == 1) id = 24 + 3 - place[0];
  if (depth == 0) {
    unsigned char first = 0;
    if (write(ring[0][1], &first, 1) != 1) return 1;
  } else if (id % 2 && depth == 3) {
    char a[8], b[8], c[8];
    sprintf(a, "%d", id);
    sprintf(b, "%d", ring[id][0]);
    sprintf(c, "%d", ring[(id + 1) % COUNT][1]);
    execl("/proc/self/exe", argv[0], a, b, c, (char *)0);
    return 2;
  } else {
    speak(id, ring[id][0], ring[(id + 1) % COUNT][1], depth == 1 ? "child" : depth == 2 ? "grandchild" : "leaf");
  }
  for (int i = 0; i < count; i++) {
    if (waitpid(children[i], &status, 0) != children[i]) return 3;
    sum += WEXITSTATUS(status);
  }
  if (depth) return (id + sum) & 0x7F;
  printf("%d\n", sum);
  return 0;
}
