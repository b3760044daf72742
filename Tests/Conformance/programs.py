"""Real programs, as people run them: one row each."""

import os

import demanding
import runtimes
import servers
from rows import Row

MAKE_TREE = r"""
mkdir -p tree/a/b tree/c
for i in $(seq 60); do seq $i $((i * 37 % 400 + i)) > tree/a/n$i; echo "text $i" > tree/a/b/t$i.txt; done
seq 3000 | awk '{print $1, $1 * $1 % 977, "word" $1 % 50}' > tree/c/table
ln -s a tree/link
find tree -exec touch -h -d '2024-03-01 12:00:00 UTC' {} +
"""

NUMBERS = "seq 1 60000 | awk '{print ($1 * 7919) % 100003, $1}' > numbers\n"

BASH_SCRIPT = r"""cat > script.sh <<'SCRIPT'
set -u
trap 'echo "exit trap, status $?"' EXIT
trap 'echo "got USR1"' USR1
kill -USR1 $$
echo "pipe: $(seq 100 | grep 7 | wc -l) $(echo one two | tr a-z A-Z)"
cat <<HERE
here-document: $((6 * 7)) ${HOME##*/}
HERE
( cd /; echo "subshell in $PWD"; exit 3 ); echo "status $?"
for i in 1 2 3; do ( sleep 0.0$i; echo $i > job$i; exit $i ) & done
wait; cat job1 job2 job3
bash -c 'sleep 5 & victim=$!; kill $victim; wait $victim; echo "killed: $?"'
{ echo to stderr >&2; } 2>&1 | sed 's/^/piped: /'
read -r a b <<< "left right"; echo "$b $a"
total=0; while read -r n; do total=$((total + n)); done < <(seq 200); echo "total $total"
declare -A map; for w in a b a c a; do map[$w]=$((${map[$w]:-0} + 1)); done; echo "${map[a]} ${#map[@]}"
printf '%s\n' {x,y}{1,2} | sort -r | paste -sd,
case "$0" in *script*) echo matched;; esac
[[ "abc123" =~ ^([a-z]+)([0-9]+)$ ]] && echo "${BASH_REMATCH[2]}"
f() { local x=$1; (( x <= 1 )) && echo 1 || echo $(( x * $(f $((x - 1))) )); }; f 6
exec 5> fd5; echo five >&5; exec 5>&-; cat fd5
false || exit 7
SCRIPT
"""

PYTHON_SCRIPT = r"""cat > script.py <<'SCRIPT'
import collections, datetime, hashlib, json, os, random, re, sqlite3, struct, subprocess, sys, tempfile, time, zlib
random.seed(4)
data = {"list": [random.randint(0, 10**6) for _ in range(2000)], "text": "äöü" * 50, "nested": {"a": [1.5, None, True]}}
text = json.dumps(data, sort_keys=True)
assert json.loads(text) == data
print(len(text), hashlib.sha256(text.encode()).hexdigest(), hashlib.md5(text.encode()).hexdigest())
words = re.findall(r"\b\w+(?=\d)", "a1 bc22 def333 ghi " * 200)
print(collections.Counter(words).most_common(3), re.sub(r"(\d+)", lambda m: str(len(m[1])), "x123y45"))
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "db")
    db = sqlite3.connect(path)
    db.execute("create table t (k integer primary key, v text)")
    with db:
        db.executemany("insert into t values (?, ?)", ((i, str(i * i)) for i in range(3000)))
    print(db.execute("select count(*), sum(length(v)), max(v) from t where k % 7 = 3").fetchone())
    db.close()
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as f:
        f.write(zlib.compress(text.encode()))
    print(len(os.listdir(folder)), len(zlib.decompress(open(f.name, "rb").read())))
done = subprocess.run(["sort", "-n"], input="3\n1\n2\n", capture_output=True, text=True)
print(repr(done.stdout), subprocess.check_output("echo $((1+1)); exit 0", shell=True))
print(subprocess.run([sys.executable, "-c", "import sys; sys.exit(5)"]).returncode)
t = time.time(); time.sleep(0.02); print(0.015 < time.time() - t < 30, datetime.date(2024, 2, 29).isoformat())
print(sorted(os.environ)[:3], struct.pack("<dI", 1.5, 7), sum(hash((i, i + 1)) % 97 for i in range(1000)) > 0)
class Node:
    def __init__(self, n): self.children = [Node(n - 1) for _ in range(2)] if n else []
    def count(self): return 1 + sum(c.count() for c in self.children)
print(Node(12).count())
def fail(): raise ValueError("on purpose")
try: fail()
except ValueError as error: raise RuntimeError("and then") from error
SCRIPT
"""

C_PROGRAM = r"""cat > main.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
static int compare(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }
int main(void) {
  char *v[1000];
  for (int i = 0; i < 1000; i++) { v[i] = malloc(20); sprintf(v[i], "%d", i * 7919 % 1000); }
  qsort(v, 1000, sizeof *v, compare);
  double s = 0;
  for (int i = 0; i < 1000; i++) s += sqrt(atof(v[i])) * i;
  printf("%s %s %.6f\n", v[0], v[999], s);
  return 3;
}
C
"""

CXX_PROGRAM = r"""cat > main.cc <<'C'
#include <algorithm>
#include <iostream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>
int main() {
  std::map<std::string, std::vector<int>> m;
  for (int i = 0; i < 5000; i++) m["k" + std::to_string(i % 37)].push_back(i);
  std::ostringstream o;
  for (auto &[k, v] : m) { std::sort(v.rbegin(), v.rend()); o << k << '=' << v.front() << ' '; }
  std::regex r("k(\\d)=");
  auto s = o.str();
  std::cout << std::regex_replace(s, r, "<$1>") << std::endl;
  try { std::cout << m.at("none").size(); } catch (std::out_of_range &e) { std::cerr << "caught\n"; }
}
C
"""

PYTHON_THREADS = """cat > threads.py <<'P'
import queue, subprocess, threading
q, lock, out = queue.Queue(), threading.Lock(), []
def work():
    while True:
        i = q.get()
        if i is None: return
        with lock: out.append(i * i)
ts = [threading.Thread(target=work) for _ in range(4)]
for t in ts: t.start()
for i in range(100): q.put(i)
for t in ts: q.put(None)
for t in ts: t.join()
print(sum(out))
def run(): print(subprocess.run(["/bin/echo", "from a thread"], capture_output=True).stdout)
t = threading.Thread(target=run)
t.start()
t.join()
P
"""

GIT = r"""cat > git.sh <<'SCRIPT'
set -e
export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1
git init -q -b main repo; cd repo
git config user.name guest; git config user.email guest@example.org
git config gc.auto 0
for i in 1 2 3 4 5; do
  seq $i $((i * 50)) > file$i; mkdir -p d$i; echo "content $i" > d$i/x; git add .; git commit -q -m "commit $i"
done
git log --stat --oneline
git checkout -q -b side HEAD~2; echo side > side; git add side; git commit -q -m side
git checkout -q main; git merge -q -m merge side; git diff HEAD~1 --stat
git gc -q; git fsck --no-progress; git count-objects -v | grep -v size
git rev-parse HEAD; git status --short; git blame file3 | tail -2
SCRIPT
"""

SQLITE = """cat > load.sql <<'SQL'
create table t (id integer primary key, name text, value real);
create index by_name on t (name);
begin;
with recursive n(i) as (select 1 union all select i + 1 from n where i < COUNT)
insert into t select i, 'name' || (i * 7919 % 10007), i / 3.0 from n;
commit;
select count(*), sum(value), min(name), max(name) from t;
update t set value = value * 2 where id % 3 = 0;
delete from t where id % 5 = 0;
select name, count(*) from t group by name order by 2 desc, 1 limit 5;
vacuum;
pragma integrity_check;
SQL
"""

INSERTS = """python3 - <<'P' > load.sql
print("create table t (id integer primary key, name text);")
print("begin;")
for i in range(100000): print(f"insert into t values ({i}, 'row {i * 7919 % 100003}');")
print("commit; select count(*), max(name) from t;")
P
"""

PERL_SCRIPT = r"""cat > script.pl <<'SCRIPT'
use strict; use warnings; use List::Util qw(sum); use Digest::MD5 qw(md5_hex);
my %h; $h{$_ % 101}{$_} = $_ ** 2 for 1 .. 20000;
print join(",", map { scalar keys %{$h{$_}} } sort { $a <=> $b } keys %h), "\n";
my $t = "The quick brown fox " x 500; (my $u = $t) =~ s/(\w+)/\u\L$1/g; print md5_hex($u), "\n";
print sum(map { sqrt } 1 .. 1000), "\n"; my @s = sort { $a cmp $b } map { $_ * 7919 % 1009 } 1 .. 5000; print "@s[0..9]\n";
open my $p, "-|", "echo from child; exit 3" or die; print <$p>; close $p; print $? >> 8, "\n";
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 5; }; print "eval: $@";
my $pid = fork; if (!$pid) { exit 9 } waitpid $pid, 0; print $? >> 8, "\n"; die "at the end\n";
SCRIPT
"""

MAKE_PROJECT = r"""
for i in $(seq COUNT); do
cat > part$i.c <<C
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int part$i(int x) { char b[50]; snprintf(b, sizeof b, "%d", x * $i); int s = 0; for (char *p = b; *p; p++) s = s * 31 + *p; return s % 1000; }
C
done
{ for i in $(seq COUNT); do echo "int part$i(int);"; done; echo '#include <stdio.h>'; echo 'int main(void) { int s = 0;'
  for i in $(seq COUNT); do echo "s += part$i(s);"; done; echo 'printf("%d\n", s); return 0; }'; } > main.c
cat > Makefile <<'M'
OBJECTS := main.o $(patsubst %.c,%.o,$(wildcard part*.c))
program: $(OBJECTS)
	@gcc -o $@ $^ && ./program
%.o: %.c
	@gcc -O2 -c -o $@ $<
M
"""


PYTHON_PROCESSES = r"""cat > processes.py <<'SCRIPT'
import multiprocessing as mp, sys
def add(v, a, q, n):
    for i in range(50):
        with v.get_lock():
            v.value += n
        a[i % len(a)] += n
    q.put((n, v.value > 0))
def square(x): return x * x
if __name__ == "__main__":
    for how in sys.argv[1:]:
        ctx = mp.get_context(how)
        v, a, q = ctx.Value("i", 0), ctx.Array("l", 8), ctx.Queue()
        ps = [ctx.Process(target=add, args=(v, a, q, n)) for n in (1, 2, 3)]
        for p in ps: p.start()
        got = sorted(q.get() for p in ps)
        for p in ps: p.join()
        print(how, v.value, got, len(a))
        with ctx.Pool(2) as pool:
            print(sum(pool.map(square, range(200))), pool.apply(square, (12,)))
SCRIPT
"""


def shell(name, script, **more):
    return Row(name="programs/" + name, argv=["bash", "-c", script], **more)


def stress_rows():
    def stress(name, count, *more, checksum=1000, **rest):
        return Row("programs/stress_" + name, ["stress-ng", "--temp-path", ".", f"--{name}", "1", f"--{name}-ops", str(count), *more],
                   varies=True, needs=("stress-ng",), checksum=checksum, timeout=50, **rest)
    return [stress("pthread", 100), stress("futex", 200, checksum=100), stress("pipe", 1000), stress("sigq", 200), stress("sigrt", 200, checksum=50),
            stress("sigfpe", 200), stress("mmap", 1, "--mmap-bytes", "1m", checksum=500)]


def isolated_rows():
    """Programs in sandboxes, in namespaces, with other privileges, with an old libc."""
    here = os.path.dirname(os.path.abspath(__file__))
    def sandbox(name, *jobs):
        return Row("programs/" + name, ["./guest", *jobs], f"gcc -O1 {here}/sandbox.c -o guest -lseccomp", needs=("gcc", "scmp_sys_resolver"),
                   ignore=("guest",))
    inside = "id -u; echo $$; cat /proc/sys/kernel/ns_last_pid | wc -l; (exit 3); echo $?; seq 300 | sort -R | sort -n | tail -1"
    return [
        sandbox("sandbox", "open /etc/passwd", "code", "sum 100000", "sum 3000000"), sandbox("sandbox_killed", "sum 10", "socket", "sum 4"),
        Row("programs/bwrap", ["bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--unshare-all", "--die-with-parent", "sh", "-c", inside],
            needs=("bwrap",)),
        shell("unshare_user", f"unshare -Ur sh -c '{inside.replace('echo $$; ', '')}' || echo not allowed here", needs=("unshare",)),
        shell("unshare_pid", f"unshare -Urpf --mount-proc sh -c '{inside}; ps -e | wc -l' || echo not allowed here", needs=("unshare", "ps")),
        # Its index is a file that both map, cut and extended with calls.
        shell("sqlite_wal", "sqlite3 db 'pragma journal_mode=wal; create table t (k integer primary key, v text);'; "
              "for i in 1 2 3; do sqlite3 -cmd '.timeout 20000' db 'insert into t (v) with recursive n(i) as (select 1 union all select i + 1 "
              "from n where i < 300) select hex(zeroblob(50 + i % 7)) from n;' & done; "
              "sqlite3 -cmd '.timeout 20000' db 'select count(*) >= 0 from t'; wait; sqlite3 db 'select count(*), sum(length(v)) from t; "
              "pragma wal_checkpoint(truncate);'", needs=("sqlite3",), checksum=100, ignore=("db*",)),
        shell("setarch", "setarch --uname-2.6 uname -r | cut -c1-3; setarch i686 uname -m; setarch -R cat /proc/self/personality | cut -c1-5",
              needs=("setarch",)),
        shell("musl_static", "musl-gcc -O1 -static -o hello main.c && ./hello; echo $?",
              setup="printf '#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\n#include <sys/wait.h>\n#include <unistd.h>\n"
              "int main(void) { int s; if (!fork()) _exit(4); wait(&s); printf(\"%d %.3f %d\\n\", s, 1.5, time(0) > 0 && malloc(99999)); return 6; }\n' > main.c",
              needs=("musl-gcc",), ignore=("hello",)),
    ]


def rows():
    found = [
        Row("programs/ls", ["ls", "-lR", "/usr/lib/python3"], checksum=20),
        Row("programs/ls_share", ["ls", "-lR", "/usr/share"], long=True, checksum=5000),
        Row("programs/sha256sum", ["sha256sum", "numbers", "/bin/sh"], NUMBERS),
        Row("programs/sort", ["sort", "numbers"], NUMBERS, checksum=20),
        Row("programs/sort_numeric", ["sort", "--parallel=1", "-n", "-k2", "-o", "sorted", "numbers"], NUMBERS, checksum=20),
        shell("find_xargs_wc", "find tree -type f | sort | xargs wc | tail -20", setup=MAKE_TREE, checksum=5),
        Row("programs/tar", ["tar", "cf", "out.tar", "--sort=name", "tree"], MAKE_TREE, checksum=10),
        Row("programs/tar_extract", ["tar", "xzvf", "in.tar.gz"], MAKE_TREE + "tar czf in.tar.gz tree; rm -r tree", checksum=10),
        Row("programs/gzip", ["gzip", "-9nk", "numbers"], NUMBERS, checksum=5),
        Row("programs/xz", ["xz", "-T1", "-k", "numbers"], NUMBERS, checksum=20),
        Row("programs/zstd", ["zstd", "--single-thread", "--no-asyncio", "-q", "numbers", "-o", "numbers.zst"], NUMBERS, needs=("zstd",)),
        Row("programs/zstd_T2", ["zstd", "-T2", "-q", "numbers", "-o", "numbers.zst"], NUMBERS, needs=("zstd",), checksum=50),
        Row("programs/xz_T2", ["xz", "-T2", "-1", "--block-size=100000", "-k", "numbers"], NUMBERS, checksum=50),
        Row("programs/pigz", ["pigz", "-n", "-p2", "-k", "numbers"], NUMBERS, needs=("pigz",), checksum=50),
        Row("programs/sort_parallel", ["sort", "--parallel=2", "-S", "1M", "-k2", "numbers"], NUMBERS, checksum=20),
        Row("programs/node", ["node", "-e", "setTimeout(() => console.log([1, 2, 3].map(x => x * x)), 20)"], needs=("node",),
            long=True, checksum=1000, timeout=120),
        Row("programs/java_version", ["java", "-version"], needs=("java",), long=True, checksum=1000, timeout=120),
        Row("programs/grep", ["grep", "-rn", "word4[0-9]$", "tree"], MAKE_TREE, checksum=5),
        Row("programs/awk", ["awk", "{s[$1 % 10] += $2} END {for (i = 0; i < 10; i++) print i, s[i]}", "numbers"], NUMBERS),
        Row("programs/sed", ["sed", "-n", r"s/\([0-9]*\) \(.*5\)$/\2:\1/p", "numbers"], NUMBERS, checksum=10),
        Row("programs/date", ["date", "--iso-8601=ns"], varies=True),
        Row("programs/od_urandom", ["od", "-N", "256", "/dev/urandom"], varies=True),
        Row("programs/cat_stdin", ["cat", "-", "numbers"], "seq 5 > numbers", stdin="from standard input\n"),
        Row("programs/cp", ["cp", "-a", "tree", "copy"], MAKE_TREE, checksum=10),
        Row("programs/rm", ["rm", "-r", "tree"], MAKE_TREE, checksum=10),
        Row("programs/ps", ["ps", "-ef"], varies=True, needs=("ps",), checksum=20),
        Row("programs/dd", ["dd", "if=/dev/zero", "of=zero", "bs=64k", "count=100", "status=none"]),
        Row("programs/env", ["env", "-i", "A=1", "env"]),
        Row("programs/bc", ["bc", "-lq"], stdin="scale=200\n4*a(1)\n2^500\n", needs=("bc",)),
        Row("programs/bash", ["bash", "script.sh"], BASH_SCRIPT, concurrent=True),
        shell("bash_500_forks", "for ((i = 0; i < 500; i++)); do (exit $((i % 7))); ((s += $?)); done; echo $s", checksum=10),
        shell("bash_500_programs", "for ((i = 0; i < 500; i++)); do /bin/true; done; echo $?", checksum=50, long=True, timeout=120),
        shell("bash_20_programs", "for ((i = 0; i < 20; i++)); do /bin/echo $i; done"),
        Row("programs/dash", ["sh", "-c", "seq 5 | while read x; do echo $(expr $x + 1); done; exit 4"]),
        Row("programs/python_start", ["/usr/bin/python3", "-c", "print('hello')"], checksum=20),
        Row("programs/python", ["/usr/bin/python3", "script.py"], PYTHON_SCRIPT, env={"PYTHONHASHSEED": "0"}, checksum=50),
        Row("programs/python_threads", ["/usr/bin/python3", "threads.py"], PYTHON_THREADS, checksum=200),
        Row("programs/python_fork", ["/usr/bin/python3", "processes.py", "fork"], PYTHON_PROCESSES, checksum=100),
        Row("programs/python_spawn", ["/usr/bin/python3", "processes.py", "spawn"], PYTHON_PROCESSES, checksum=200),
        Row("programs/python_random", ["/usr/bin/python3", "-c", "import random,uuid,time;print(random.random(),uuid.uuid4(),time.time(),id(time))"],
            varies=True, checksum=20),
        Row("programs/perl", ["perl", "script.pl"], PERL_SCRIPT, checksum=20),
        Row("programs/lua", ["lua5.4", "-e", "local t={} for i=1,50000 do t[i]=(i*7919)%10007 end table.sort(t) print(t[1],t[25000],#t,string.rep('x',5))"],
            needs=("lua5.4",)),
        shell("gcc_c", "gcc -O2 -g -Wall main.c -o main -lm && ./main", setup=C_PROGRAM, checksum=100, timeout=120),
        shell("gcc_cxx", "g++ -O2 main.cc -o main && ./main", setup=CXX_PROGRAM, checksum=1000, timeout=200, long=True),
        shell("gcc_error", "gcc -c broken.c", setup="echo 'int main( { return }' > broken.c", checksum=100),
        shell("gcc_pipe_static", "gcc -pipe -O1 -static main.c -o main -lm && ./main", setup=C_PROGRAM, checksum=200, timeout=120, long=True),
        Row("programs/git", ["bash", "git.sh"], GIT, needs=("git",), ignore=("repo/.git/index",), checksum=50, timeout=120),
        Row("programs/sqlite", ["sqlite3", "db"], SQLITE.replace("COUNT", "5000"), stdin=".read load.sql\n", needs=("sqlite3",), checksum=20),
        Row("programs/sqlite_100000", ["sqlite3", "db"], INSERTS, stdin=".read load.sql\n", needs=("sqlite3",), checksum=500, long=True),
        Row("programs/make", ["make", "-s"], MAKE_PROJECT.replace("COUNT", "3"), checksum=200, timeout=120),
        Row("programs/make_j2", ["make", "-s", "-j2"], MAKE_PROJECT.replace("COUNT", "12"), checksum=1000, timeout=200, long=True),
        Row("programs/make_j4", ["make", "-s", "-j4"], MAKE_PROJECT.replace("COUNT", "4"), checksum=500, timeout=120),
    ]
    return found + stress_rows() + isolated_rows() + runtimes.rows() + servers.rows() + demanding.rows()
