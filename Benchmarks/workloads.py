"""What is measured: one row per kind of work. Each is sized to take 0.3 to 1 s natively."""

from dataclasses import dataclass

LOOPS = r"""
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  long n = atol(argv[1]);
  unsigned long s = 1;
  for (long i = 0; i < n; i++)
    for (int j = 0; j < 1000; j++) {
      switch ((s ^ j) & 7) {
        case 0: s += j; break;
        case 1: s ^= i; break;
        case 2: s = s * 3 + 1; break;
        case 3: s -= j * 7; break;
        default: s = (s << 1) ^ (s >> 63);
      }
    }
  printf("%lu\n", s);
}
"""
FIB = r"""
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) static long fib(long n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int main(int argc, char **argv) { printf("%ld\n", fib(atol(argv[1]))); }
"""
CALLS = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
  long n = atol(argv[1]);
  int f = open("/dev/null", O_WRONLY), z = open("/dev/zero", O_RDONLY);
  char b[16];
  long s = 0;
  for (long i = 0; i < n; i += 4) {
    s += getppid() > 0;
    s += write(f, b, 8);
    s += read(z, b, 8);
    s += lseek(f, 0, SEEK_CUR);
  }
  printf("%ld\n", s);
}
"""
THREADS = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static long n;
static void *f(void *p) {
  unsigned long s = (long)p;
  for (long i = 0; i < n; i++) { s = s * 6364136223846793005 + 1442695040888963407; if (s >> 62 == 1) s ^= i; }
  return (void *)s;
}
int main(int argc, char **argv) {
  unsigned long r = 0;
  pthread_t t[4];
  n = atol(argv[1]);
  for (long i = 0; i < 4; i++) pthread_create(&t[i], 0, f, (void *)i);
  for (int i = 0; i < 4; i++) { void *x; pthread_join(t[i], &x); r += (unsigned long)x; }
  printf("%lu\n", r);
}
"""
MUTEX = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static volatile long total;
static long n;
static void *f(void *p) {
  for (long i = 0; i < n; i++) { pthread_mutex_lock(&m); total++; pthread_mutex_unlock(&m); }
  return 0;
}
int main(int argc, char **argv) {
  pthread_t t[4];
  n = atol(argv[1]);
  for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, f, 0);
  for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
  printf("%ld\n", total);
}
"""
SWITCHES = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long n;
static int turn;
static void *f(void *p) {
  for (long i = 0; i < n; i++) {
    pthread_mutex_lock(&m);
    while (turn != (long)p) pthread_cond_wait(&changed, &m);
    turn = !turn;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&m);
  }
  return 0;
}
int main(int argc, char **argv) {
  pthread_t t[2];
  n = atol(argv[1]);
  for (long i = 0; i < 2; i++) pthread_create(&t[i], 0, f, (void *)i);
  for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
  puts("done");
}
"""
PYTHON = r"""
import random
random.seed(1)
class Point:
    __slots__ = ("x", "y")
    def __init__(self, x, y): self.x, self.y = x, y
    def length(self): return abs(self.x) + abs(self.y)
counts = {}
for i in range(250000):
    p = Point(i % 97, i % 31 - 15)
    counts[p.length()] = counts.get(p.length(), 0) + 1
values = sorted((random.random() for _ in range(150000)), reverse=True)
text = " ".join(str(int(v * 1000)) for v in values)
print(len(counts), sum(counts.values()), len(set(text.split())))
"""
LUA = r"""
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local t = {}
for i = 1, 400000 do t[i] = (i * 7919) % 100003 end
table.sort(t)
local s = {}
for i = 1, 100000 do s[#s + 1] = tostring(t[i]) end
print(fib(31), #table.concat(s, ","))
"""
PERL = r"""
my %h; my $s = 0;
for my $i (1 .. 1900000) { $h{$i % 1009} .= chr(65 + $i % 26); $s += ($i * 7919) % 1013; }
my $n = 0; for my $k (sort keys %h) { $n++ while $h{$k} =~ /A[B-M]|Z/g; }
print "$s $n\n";
"""
BASH = "s=0; for ((i = 0; i < 150000; i++)); do ((s = (s * 31 + i) % 65521)); [[ $s == 7 ]] && : ; done; echo $s"
SQL = """
create table t (id integer primary key, name text, value real);
create index by_name on t (name);
begin;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
insert into t select i, 'name' || (i * 7919 % 10007), i / 3.0 from n;
commit;
select count(*), sum(value) from t where name like '%77%';
update t set value = value * 2 where id % 3 = 0;
select name, count(*) c from t group by name order by c desc, name limit 3;
"""
BIG_C = r"""python3 - <<'P' > big.c
print("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>")
for i in range(45):
    print(f'''struct s{i} {{ int a[{i % 7 + 3}]; double d; char n[16]; }};
static int f{i}(struct s{i} *p, int x) {{
  int t = {i};
  for (int k = 0; k < {i % 7 + 3}; k++) {{ p->a[k] = x * k + t; t ^= p->a[k] << (k & 3); if (t & 1) p->d += t / (k + 1.5); }}
  switch (t & 7) {{ case 0: t += x; break; case 1: t *= 3; break; case 2: snprintf(p->n, 16, "%d", t); break; case 5: t -= strlen(p->n); break; default: t = ~t; }}
  while (x > 0) {{ t = t * 31 + (x & 15); x >>= {i % 3 + 1}; }}
  return t;
}}
int g{i}(int x) {{ struct s{i} v; memset(&v, 0, sizeof v); int r = 0; for (int k = 0; k < 9; k++) r += f{i}(&v, x + k); return r + (int)v.d; }}''')
P
"""
PROJECT = r"""
for i in $(seq 60); do
cat > part$i.c <<C
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int part$i(int x) { char b[50]; snprintf(b, sizeof b, "%d", x * $i); int s = 0; for (char *p = b; *p; p++) s = s * 31 + *p; return s % 1000; }
C
done
{ for i in $(seq 60); do echo "int part$i(int);"; done; echo 'int main(void) { int s = 0;'
  for i in $(seq 60); do echo "s += part$i(s);"; done; echo 'return s & 1; }'; } > main.c
cat > Makefile <<'M'
OBJECTS := main.o $(patsubst %.c,%.o,$(wildcard part*.c))
program: $(OBJECTS)
	@gcc -o $@ $^
%.o: %.c
	@gcc -O1 -c -o $@ $<
M
"""
SMALL_FILES = r"""mkdir src; python3 - <<'P'
import os
for d in range(50):
    os.mkdir(f"src/{d}")
    for f in range(100):
        open(f"src/{d}/{f}", "w").write(f"file {d} {f}\n" * ((d + f) % 40 + 1))
P
"""
REDIS = r"""
redis-server --port 0 --unixsocket $PWD/redis.sock --save '' --logfile /dev/null &
until redis-cli -s redis.sock ping 2>/dev/null | grep -q PONG; do sleep 0.02; done
redis-benchmark -s redis.sock -q -n 40000 -c 20 -t set,get,lpush > /dev/null
redis-cli -s redis.sock shutdown nosave
wait
"""
NODE = r"""
const http = require("http");
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
let left = 4000, sum = 0;
const server = http.createServer((q, r) => { r.end(JSON.stringify({ path: q.url, squares: [...Array(20).keys()].map(i => i * i) })); });
function ask(port) {
  http.get({ port, agent, path: "/" + left }, r => {
    let body = "";
    r.on("data", d => body += d);
    r.on("end", () => { sum += JSON.parse(body).squares[19]; if (--left > 0) ask(port); else if (left === 0) { console.log(sum); process.exit(0); } });
  });
}
server.listen(0, "127.0.0.1", () => { for (let i = 0; i < 8; i++) ask(server.address().port); });
"""
JAVA = r"""
import java.util.*;
import java.util.concurrent.*;
public class Pool {
  static long work(int seed) {
    Random r = new Random(seed);
    Map<Integer, List<String>> m = new HashMap<>();
    for (int i = 0; i < 30000; i++) m.computeIfAbsent(r.nextInt(500), k -> new ArrayList<>()).add(Integer.toString(i * seed));
    long s = 0;
    for (List<String> l : m.values()) { Collections.sort(l); s += l.get(0).hashCode(); }
    return s;
  }
  public static void main(String[] a) throws Exception {
    ExecutorService e = Executors.newFixedThreadPool(4);
    List<Future<Long>> f = new ArrayList<>();
    for (int i = 0; i < 40; i++) { int n = i; f.add(e.submit(() -> work(n))); }
    long t = 0;
    for (Future<Long> x : f) t += x.get();
    e.shutdown();
    System.out.println(t);
  }
}
"""
# Compressible text from a fixed seed.
TEXT = """python3 - <<'P' > text
import random
random.seed(2)
words = [''.join(random.choice('etaoinshrdlu') for _ in range(random.randint(2, 9))) for _ in range(3000)]
while True:
    line = ' '.join(random.choice(words) for _ in range(12))
    try: print(line)
    except BrokenPipeError: break
    COUNT
P
"""


def text(byte_count):
    lines = byte_count // 80
    return TEXT.replace("while True:", f"for _ in range({lines}):").replace("    COUNT\n", "")


NO_GOAL = float("inf")


@dataclass
class Workload:
    name: str
    title: str
    argv: list
    goal: float                     # highest ratio of recorded to native wall time
    setup: str = ""
    before: str = ""                # run before each round, not measured
    rows: tuple = ("warm",)
    one_core: bool = False          # natively on one core only


def workloads():
    compiled = lambda source, flags="-O2": f"cat > p.c <<'C'\n{source}\nC\ngcc {flags} -o p p.c"
    w = Workload
    return [
        w("loops", "integer loops and a switch", ["./p", "150000"], 1.1, compiled(LOOPS)),
        w("fib", "recursive calls: fib(39)", ["./p", "39"], 1.7, compiled(FIB, "-O1")),
        w("python", "python3: objects, dict, sort", ["/usr/bin/python3", "p.py"], 1.8, f"cat > p.py <<'P'\n{PYTHON}\nP"),
        w("lua", "lua5.4: fib, tables, strings", ["lua5.4", "p.lua"], 1.8, f"cat > p.lua <<'P'\n{LUA}\nP"),
        w("perl", "perl: hashes, regular expressions", ["perl", "p.pl"], 2.0, f"cat > p.pl <<'P'\n{PERL}\nP"),
        w("bash", "bash: arithmetic loop", ["bash", "p.sh"], 2.0, f"cat > p.sh <<'P'\n{BASH}\nP"),
        w("sqlite", "sqlite3: 100,000 rows", ["sqlite3", "db", ".read load.sql"], 2.1, f"cat > load.sql <<'S'\n{SQL}\nS", "rm -f db*"),
        w("gcc", "gcc -O2 -c of a large file, translations kept", ["gcc", "-O2", "-c", "big.c", "-o", "big.o"], 2.0, BIG_C),
        w("gcc-cold", "gcc -O2 -c of a large file, nothing translated", ["gcc", "-O2", "-c", "big.c", "-o", "big.o"], 2.5, BIG_C, "rm -rf $XDG_CACHE_HOME/bis"),
        w("xz", "xz -T1", ["xz", "-T1", "-6", "-k", "-f", "text"], 1.25, text(1_300_000)),
        w("zstd", "zstd -9, one thread", ["zstd", "--single-thread", "--no-asyncio", "-9", "-q", "-f", "text"], 1.25, text(10_000_000)),
        w("zstd50", "zstd at its usual level, 50 MB, one thread", ["zstd", "--single-thread", "--no-asyncio", "-q", "-f", "text"], 1.25, text(50_000_000)),
        w("cp", "cp -r of 5,000 small files", ["cp", "-r", "src", "copy"], 1.5, SMALL_FILES, "rm -rf copy"),
        w("find", "find /usr/share, three times", ["bash", "-c", "for i in 1 2 3; do find /usr/share -name '*.xyz' -size +1; done"], 1.5),
        w("forks", "bash running /bin/true 500 times", ["bash", "-c", "for ((i = 0; i < 500; i++)); do /bin/true; done"], 3.0),
        w("make", "make -j2 of 60 C files", ["make", "-s", "-j2"], 2.5, PROJECT, "rm -f *.o program"),
        w("calls", "10 million cheap system calls", ["./p", "10000000"], 2.5, compiled(CALLS)),
        # Threads of a recorded process take turns: their ratios are to native on one core.
        w("threads", "4 compute threads, native on one core", ["./p", "100000000"], 1.3, compiled(THREADS, "-O2 -pthread"), one_core=True),
        w("mutex", "4 threads with one mutex, native on one core", ["./p", "20000000"], 3.0, compiled(MUTEX, "-O2 -pthread"), one_core=True),
        w("switches", "200,000 hand-overs between two threads, native on one core", ["./p", "100000"], 3.0, compiled(SWITCHES, "-O2 -pthread"),
          one_core=True),
        w("redis", "redis-server and redis-benchmark, both recorded, native on one core", ["bash", "p.sh"], 2.5, f"cat > p.sh <<'S'\n{REDIS}\nS", one_core=True),
        w("node", "node: 4,000 HTTP requests to itself", ["node", "p.js"], NO_GOAL, f"cat > p.js <<'J'\n{NODE}\nJ"),
        w("java", "java: a pool of 4 threads, maps and sorting, native on one core", ["java", "-cp", ".", "Pool"], NO_GOAL,
          f"cat > Pool.java <<'J'\n{JAVA}\nJ\njavac Pool.java", one_core=True),
    ]
