"""Language runtimes, servers, parallel builds and terminals, as people run them: one row each."""

import os
import shutil

from rows import Row

SWIFTC = shutil.which("swiftc") or "/usr/bin/swiftc"

FREE_PORT = """/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' > port
"""

# The server is recorded, the client is not: it waits for the server, works, has it save by a fork and ends it.
REDIS_CLIENT = FREE_PORT + r"""cat > client.sh <<'SCRIPT'
cli="redis-cli -p $(cat port)"
until [ "$($cli ping 2>/dev/null)" = PONG ]; do sleep 0.05; done
redis-benchmark -q -p $(cat port) -n COUNT -c 8 -t set,get,lpush,rpop > bench
$cli bgsave
until $cli info persistence | grep -q rdb_bgsave_in_progress:0; do sleep 0.05; done
redis-benchmark -q -p $(cat port) -n COUNT -c 8 -P 4 -t incr,zadd,hset >> bench
$cli debug sleep 0
$cli shutdown save
SCRIPT
"""
REDIS_SERVER = "redis-server --port $(cat port) --save 1 1 --dir . --daemonize no --enable-debug-command yes"
REDIS_BOTH = REDIS_SERVER + " & sh client.sh; wait $!; echo $? $(wc -l < bench)"

NODE_HTTP = r"""cat > server.js <<'JS'
const http = require('http'), fs = require('fs'), crypto = require('crypto');
let seen = 0;
const server = http.createServer((request, response) => {
  const body = [];
  request.on('data', d => body.push(d)).on('end', () => {
    const hash = crypto.createHash('sha256').update(Buffer.concat(body)).digest('hex');
    response.setHeader('X-Seen', ++seen);
    response.end(JSON.stringify({ url: request.url, hash, list: Array.from({ length: 50 }, (_, i) => i * seen) }));
    if (request.url === '/end') server.close();
  });
});
server.listen(0, '127.0.0.1', () => { fs.writeFileSync('port.new', String(server.address().port)); fs.renameSync('port.new', 'port'); });
server.on('close', () => console.log('served', seen));
JS
cat > client.js <<'JS'
const http = require('http'), fs = require('fs');
const port = Number(fs.readFileSync('port', 'utf8')), agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
const ask = (path, body) => new Promise((done, failed) => {
  const request = http.request({ port, agent, host: '127.0.0.1', path, method: 'POST' }, response => {
    let text = ''; response.on('data', d => text += d).on('end', () => done(JSON.parse(text)));
  });
  request.on('error', failed); request.end(body);
});
(async () => {
  let sum = 0;
  for (let round = 0; round < COUNT / 10; round++) {
    const all = await Promise.all(Array.from({ length: 10 }, (_, i) => ask('/' + i, 'x'.repeat(100 * i + round))));
    sum += all.reduce((a, r) => a + r.list.length + parseInt(r.hash.slice(0, 4), 16), 0);
  }
  console.log('asked', sum); await ask('/end', ''); agent.destroy();
})();
JS
"""
NODE_RUN = "node server.js & until [ -s port ]; do sleep 0.05; done; node client.js; wait $!; echo $?"

JAVA = r"""cat > Pool.java <<'J'
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
public class Pool {
  static long work(int seed) {
    List<byte[]> kept = new ArrayList<>(); Map<String, Integer> words = new HashMap<>(); long sum = 0;
    for (int i = 0; i < COUNT; i++) {
      byte[] b = new byte[1000 + (i * seed) % 500]; b[i % 1000] = (byte) i;
      if (i % 10 == 0) { kept.add(b); if (kept.size() > 200) kept.clear(); }
      words.merge("w" + i % 97, 1, Integer::sum); sum += b[i % 1000] + b.length;
    }
    try { if (seed % 3 == 0) Objects.requireNonNull(seed < 0 ? "" : (Object) null).hashCode(); } catch (NullPointerException e) { sum++; }
    return sum + words.get("w5");
  }
  public static void main(String[] args) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(4);
    List<Future<Long>> results = new ArrayList<>(); LongAdder done = new LongAdder();
    for (int i = 0; i < 12; i++) { int seed = i; results.add(pool.submit(() -> { long r = work(seed); done.increment(); return r; })); }
    long sum = 0; for (Future<Long> f : results) sum += f.get();
    System.gc();
    Object[] big = new Object[100]; for (int i = 0; i < 2000; i++) big[i % 100] = new long[20000];
    pool.shutdown(); System.out.println(pool.awaitTermination(10, TimeUnit.SECONDS) + " " + sum + " " + done);
    System.out.println(CompletableFuture.supplyAsync(() -> 20).thenCombineAsync(CompletableFuture.supplyAsync(() -> 22), Integer::sum).get());
  }
}
J
javac Pool.java
"""

GO = r"""cat > main.go <<'G'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

func spin(n int) (x int) { // no call inside: only asynchronous preemption (SIGURG) stops it
	for i := 0; i < n; i++ { x = x*31 + i }
	return
}

func main() {
	runtime.GOMAXPROCS(4)
	jobs, results := make(chan int), make(chan int, 8)
	var wg sync.WaitGroup
	for w := 0; w < 20; w++ {
		wg.Add(1)
		go func() { defer wg.Done(); for j := range jobs { b := make([]byte, 1000*(j%50)); results <- j*j + len(b) } }()
	}
	go func() { for i := 0; i < 2000; i++ { jobs <- i }; close(jobs); wg.Wait(); close(results) }()
	sum := 0
	for r := range results { sum += r }
	fmt.Println(sum)
	var spinners sync.WaitGroup
	for i := 0; i < 6; i++ { spinners.Add(1); go func() { defer spinners.Done(); if spin(COUNT) == 1 { fmt.Println("one") } }() }
	runtime.GC()
	ticker, ticks := time.NewTicker(2*time.Millisecond), 0
	done := make(chan bool)
	go func() { spinners.Wait(); close(done) }()
	for over := false; !over; { select { case <-ticker.C: ticks++; case <-done: over = true } }
	out, err := exec.Command("/bin/echo", "from a goroutine").Output()
	fmt.Printf("%s %v %v\n", out, err, ticks >= 0)
	func() { defer func() { fmt.Println("recovered:", recover()) }(); var p *int; *p = 1 }()
	if len(os.Args) > 5 { os.Exit(3) }
}
G
cat > go.mod <<'G'
module guest
go 1.19
G
go build -o guest main.go
"""

SWIFT = r"""cat > main.swift <<'S'
actor Counter { var n = 0; func add(_ x: Int) { n += x } }
func fib(_ n: Int) -> Int { n < 2 ? n : fib(n - 1) + fib(n - 2) }
@main struct Main {
  static func main() async throws {
    let counter = Counter()
    let total = await withTaskGroup(of: Int.self) { group in
      for i in 0..<40 { group.addTask { await counter.add(i); if i % 7 == 0 { await Task.yield() }; return fib(10 + i % COUNT) } }
      return await group.reduce(0, +)
    }
    async let a = fib(15), b = fib(16)
    let stream = AsyncStream<Int> { c in Task { for i in 0..<100 { c.yield(i) }; c.finish() } }
    var sum = 0; for await x in stream { sum += x }
    let sleeper = Task { try await Task.sleep(nanoseconds: 60_000_000_000) }
    sleeper.cancel()
    do { try await sleeper.value } catch { print("cancelled: \(error is CancellationError)") }
    try await Task.sleep(nanoseconds: 5_000_000)
    print(total, await a + b, sum, await counter.n)
  }
}
S
""" + SWIFTC + " -O -parse-as-library -static-stdlib main.swift -o guest -module-cache-path \"$TMPDIR\"\n"

RUST = r"""cat > main.rs <<'R'
use std::{collections::HashMap, sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock, atomic::{AtomicUsize, Ordering}}, thread, time::Duration};
fn main() {
    let (tx, rx) = mpsc::channel();
    let (map, hits, barrier) = (Arc::new(RwLock::new(HashMap::new())), Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(8)));
    let threads: Vec<_> = (0..8usize).map(|t| {
        let (tx, map, hits, barrier) = (tx.clone(), map.clone(), hits.clone(), barrier.clone());
        thread::spawn(move || {
            barrier.wait();
            for i in 0..COUNT { if i % 10 == 0 { map.write().unwrap().insert((t, i % 100), i); } else if map.read().unwrap().contains_key(&(t, 0)) { hits.fetch_add(1, Ordering::Relaxed); } }
            tx.send(t).unwrap();
        })
    }).collect();
    drop(tx);
    println!("{} {}", rx.iter().sum::<usize>(), threads.into_iter().map(|t| t.join().is_ok() as usize).sum::<usize>());
    println!("{} {}", map.read().unwrap().len(), hits.load(Ordering::Relaxed));
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let other = pair.clone();
    thread::spawn(move || { thread::sleep(Duration::from_millis(5)); *other.0.lock().unwrap() = true; other.1.notify_one(); });
    let mut ready = pair.0.lock().unwrap();
    while !*ready { ready = pair.1.wait(ready).unwrap(); }
    let caught = thread::spawn(|| { std::panic::set_hook(Box::new(|_| {})); let v: Vec<i32> = vec![]; v[std::env::args().count()] }).join();
    println!("panicked: {}", caught.is_err());
    println!("{}", thread::scope(|s| (0..4).map(|i| s.spawn(move || i * i)).collect::<Vec<_>>().into_iter().map(|h| h.join().unwrap()).sum::<i32>()));
}
R
/usr/bin/rustc -O main.rs -o guest
"""

LTO = r"""
for i in $(seq COUNT); do echo "int part$i(int x) { int s = 0; for (int j = 0; j < x % 50; j++) s += j * $i; return s; }" > part$i.c; done
{ for i in $(seq COUNT); do echo "int part$i(int);"; done; echo '#include <stdio.h>'; echo 'int main(void) { int s = 7;'
  for i in $(seq COUNT); do echo "s += part$i(s);"; done; echo 'printf("%d\n", s); return 0; }'; } > main.c
"""

GIT_CLONE = r"""
export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1
git init -q -b main from; cd from; git config user.name guest; git config user.email guest@example.org
for i in $(seq 8); do seq $i $((i * 200)) > file$i; mkdir -p d$i; echo $i > d$i/x; git add .; git commit -q -m "commit $i"; done
"""
GIT_CLONE_RUN = "git clone -q --no-local file://$PWD/from to && git -C to log --oneline | wc -l && git clone -q from linked && " \
    "git -C to fsck --no-progress && git -C linked status -s && cat to/d3/x"

SSH_KEYGEN = "ssh-keygen -q -t ed25519 -N '' -C guest -f key && ssh-keygen -q -t rsa -b 2048 -N secret -f rsa && " \
    "ssh-keygen -lf key.pub && ssh-keygen -y -P secret -f rsa > again && cut -d' ' -f1-2 rsa.pub | cmp - <(cut -d' ' -f1-2 again) && echo same"

HTTP_SERVER = r"""cat > server.py <<'P'
import http.server, os, threading
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def date_time_string(self, timestamp=None): return "Fri, 01 Mar 2024 12:00:00 GMT"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body[::-1])
        if body == b"end": threading.Thread(target=self.server.shutdown).start()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("port.new", "w") as f: f.write(str(server.server_address[1]))
os.rename("port.new", "port")
with open("pid", "w") as f: f.write(str(os.getpid()))
server.serve_forever(0.02)
P
seq 100000 > numbers
"""
CURL_RUN = """/usr/bin/python3 server.py & until [ -s port ]; do sleep 0.05; done; at=http://127.0.0.1:$(cat port)
curl -s $at/numbers | sha256sum; curl -sI $at/numbers | grep -c HTTP; curl -s -d hello $at/; echo; curl -s --parallel $at/numbers -o a $at/numbers -o b 2>/dev/null; cmp a b
curl -s -o /dev/null -w '%{http_code}\\n' $at/none; curl -s -d end $at/; wait $!; echo " $?" """

# Recorded alone: the server is not part of the recording.
CURL_ALONE = HTTP_SERVER + "/usr/bin/python3 server.py >/dev/null 2>&1 & until [ -s port ]; do sleep 0.05; done\n"
CURL_ALONE_RUN = "at=http://127.0.0.1:$(cat port); curl -s $at/numbers | sha256sum; curl -s -d end $at/; echo; while [ -e /proc/$(cat pid)/exe ]; do sleep 0.05; done"

PYTHON_ASYNC = r"""cat > async.py <<'P'
import asyncio, concurrent.futures, os, queue, signal, threading, time
async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper()); await writer.drain()
    writer.close()
async def client(port, i):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = []
    for j in range(10):
        writer.write(f"message {i} {j}\n".encode()); got.append((await reader.readline()).decode().strip())
    writer.close(); await writer.wait_closed()
    return len(got), got[-1]
async def main():
    loop, alarms = asyncio.get_running_loop(), []
    loop.add_signal_handler(signal.SIGALRM, lambda: alarms.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(sorted(await asyncio.gather(*(client(port, i) for i in range(8))))[-1])
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print(sum(await asyncio.gather(*(loop.run_in_executor(pool, lambda n: sum(range(n)), 10000 * i) for i in range(12)))))
    child = await asyncio.create_subprocess_exec("/bin/cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    print(await child.communicate(b"through cat"), child.returncode)
    try: await asyncio.wait_for(asyncio.sleep(10), 0.05)
    except asyncio.TimeoutError: print("timeout", len(alarms) > 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    server.close(); await server.wait_closed()
asyncio.run(main())
lock, total, q = threading.Condition(), [0], queue.Queue(5)
def worker():
    while (i := q.get()) is not None:
        with lock: total[0] += i; lock.notify_all()
threads = [threading.Thread(target=worker) for _ in range(6)]
for t in threads: t.start()
for i in range(500): q.put(i)
with lock: lock.wait_for(lambda: total[0] == sum(range(500)), 10)
for t in threads: q.put(None)
for t in threads: t.join()
print(total)
P
"""

# A program at a terminal: what a person types, after what they wait to see. Recorded: the driver is not.
TERMINAL = r"""cat > drive.py <<'P'
import os, pty, re, select, signal, sys, termios, time
steps = eval(open("steps").read())
pid, fd = pty.fork()
if pid == 0:
    for s in signal.SIGINT, signal.SIGQUIT, signal.SIGHUP: signal.signal(s, signal.SIG_DFL)  # (as a terminal's login does)
    os.environ.update(TERM="vt100", PS1="@ ", LINES="24", COLUMNS="80")
    os.execvp(sys.argv[1], sys.argv[1:])
seen, failed = b"", ""
def wait(pattern):
    global seen, failed
    end = time.monotonic() + 20
    while not (m := re.search(pattern, seen)):
        ready = select.select([fd], [], [], max(0, end - time.monotonic()))[0]
        try: more = os.read(fd, 4096) if ready else b""
        except OSError: more = b""
        if not more: failed = f"no {pattern!r} in {seen[-300:]!r}"; return False
        seen += more
    seen = seen[m.end():]; return True
for pattern, typed in steps:
    if not wait(pattern): break
    time.sleep(0.05); os.write(fd, typed)
end = time.monotonic() + (0 if failed else 30)
while True:
    try: more = os.read(fd, 4096) if select.select([fd], [], [], max(0, end - time.monotonic()))[0] else None
    except OSError: more = b""
    if not more: break
    seen += more
if more is None:
    failed = failed or f"no end: {seen[-300:]!r}"
    os.kill(pid, signal.SIGKILL)
_, status = os.waitpid(pid, 0)
print("status", os.waitstatus_to_exitcode(status)); print(failed)
sys.exit(bool(failed))
P
"""
BASH_STEPS = TERMINAL + r"""cat > steps <<'S'
[(rb"@ ", b"echo $((40+2)); tty | cut -c1-9\n"), (rb"42\r\n/dev/pts/\r\n[^@]*@ ", b"sleep 100\n"), (rb"sleep 100\r\n", b"\x1a"),
 (rb"Stopped[^@]*@ ", b"jobs; sleep 200 &\n"), (rb"Stopped[^@]*\[2\] \d+[^@]*@ ", b"bg 1\n"), (rb"sleep 100 &[^@]*@ ", b"kill %2; wait %2; fg %1\n"),
 (rb"\nsleep 100\r\n", b"\x03"), (rb"@ ", b"echo st=$?\n"), (rb"st=130[^@]*@ ", b"cat | tr a-z A-Z\n"), (rb"A-Z\r\n", b"shout\n"), (rb"shout\r\n", b"\x04"),
 (rb"SHOUT[^@]*@ ", b"trap 'echo usr1' USR1; (sleep 0.2; kill -USR1 $$) & wait; stty -a | grep -c isig\n"), (rb"\nusr1[^@]*@ ", b"cat &\n"),
 (rb"\[\d\] \d+[^@]*@ ", b"sleep 0.3; jobs\n"), (rb"Stopped[^@]*cat[^@]*@ ", b"kill %%; fg\n"), (rb"\n[^@]*@ ", b"exit 7\n")]
S
"""
VIM_STEPS = TERMINAL + r"""printf 'one\ntwo\nthree\n' > text; cat > steps <<'S'
[(rb"three", b"jddGonew line\x1b:s/new/NEW/\r"), (rb"NEW", b":!echo from-the-shell\r"), (rb"\nfrom-the-shell\r\n", b""), (rb"Press ENTER", b"\r"),
 (rb"three", b"ggyyPx\x1b:%!sort\r"), (rb"NEW[^\x00]*one", b":w out\r"), (rb"written", b":q!\r")]
S
"""

# bis itself is the job: what stops the program stops bis, so that the shell sees it.
JOB_STEPS = TERMINAL + r"""cat > steps <<'S'
[(rb"@ ", b"$BIS record -o t1 -- cat\n"), (rb"-- cat\r\n", b"one\n"), (rb"one\r\none\r\n", b"\x1a"), (rb"Stopped[^@]*@ ", b"sleep 0.2; fg\n"),
 (rb"-- cat\r\n", b"two\n"), (rb"two\r\ntwo\r\n", b"\x1a"), (rb"Stopped[^@]*@ ", b"bg\n"), (rb"@ ", b"sleep 0.5; jobs\n"),
 (rb"Stopped[^@]*@ ", b"fg\n"), (rb"-- cat\r\n", b"three\n"), (rb"three\r\nthree\r\n", b"\x04"), (rb"@ ", b"echo st=$?\n"),
 (rb"st=0[^@]*@ ", b"$BIS record -o t2 -- vim -u NONE -n -N text\n"), (rb"~", b"ihello\x1b\x1a"), (rb"Stopped[^@]*@ ", b"fg\n"),
 (rb"hello", b":w\r:q\r"), (rb"@ ", b"$BIS record -o t3 -- sh -c 'trap \"echo caught\" INT; echo ready; sleep 9; echo after'\n"), (rb"\rready\r\n", b"\x03"),
 (rb"caught\r\nafter[^@]*@ ", b"exit 3\n")]
S
"""
JOB_RUN = "/usr/bin/python3 drive.py bash --norc -i; cat text; for t in t1 t2 t3; do $BIS replay -a --all $t >out 2>err; echo $t $?; done"

STRACE_FOLLOW = r"""strace -f -o log bash -c 'ls / | wc -l; (exit 3)'; echo $?; grep -c ' execve(' log; grep -c ' exited with' log
(for i in {1..400}; do [[ -s log2 ]] && break; sleep 0.05; done; exit 4) & p=$!
strace -o log2 -p $p 2>/dev/null; wait $p; echo $?; grep -c 'exited with 4' log2"""

# gdb starts a program with threads, stops in both, steps, looks, changes, calls; then lets go of one that it has attached to.
GDB_PROGRAM = r"""cat > main.c <<'S'
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
volatile int stop;
static int add(int a, int b) {
  int c = a + b;
  return c;
}
static void *work(void *p) {
  long n = (long)p;
  n += add((int)n, 10);
  return (void *)n;
}
int main(int argc, char **argv) {
  long sum = 0;
  void *r;
  if (argc > 1) {
    while (!stop) usleep(1000);
    printf("let go\n");
    return stop;
  }
  for (long i = 1; i < 3; i++) {
    pthread_t t;
    pthread_create(&t, 0, work, (void *)i);
    pthread_join(t, &r);
    sum += (long)r;
  }
  printf("sum %ld\n", sum);
  return 6;
}
S
gcc -O0 -g -pthread main.c -o main
cat > script <<'S'
set debuginfod enabled off
set print thread-events off
set print inferior-events off
break add
run
backtrace 1
next
print c
delete
print add(40, 2)
finish
tbreak 27
continue
watch sum
continue
print sum
set var sum = 100
continue
delete
continue
print $_exitcode
S
"""
GDB_RUN = r"""gdb -q -nx -batch -x script ./main < /dev/null 2>&1 | grep -E '^(\$|sum|Old|New|Value|#)' | grep -v LWP
./main x & p=$!; sleep 0.2
gdb -q -nx -batch -ex 'set debuginfod enabled off' -p $p -ex 'break usleep' -ex continue -ex 'print stop' -ex 'set var stop = 8' -ex detach \
  < /dev/null 2>&1 | grep '^\$' > said
wait $p; echo $?; cat said"""


def shell(name, script, **more):
    return Row(name="programs/" + name, argv=["bash", "-c", script], **more)


def both(make, name, short, long, **more):
    """A row in its short form, and with more work in a long run."""
    return [make(name, short, **more), make(name + "_long", long, long=True, **more)]


def terminal(name, steps, argv, **more):
    """The program at the terminal is recorded, and the driver of the terminal with it."""
    return Row("programs/" + name, ["/usr/bin/python3", "drive.py", *argv], steps, timeout=100, varies=True, **more)


def redis(name, count, **more):
    client = REDIS_CLIENT.replace("COUNT", str(count))
    return Row("programs/" + name, ["sh", "-c", "exec " + REDIS_SERVER], client + "sh client.sh > client.out 2>&1 &", varies=True,
               needs=("redis-server", "redis-benchmark"), checksum=1000, timeout=100, **more)


def redis_both(name, count, **more):
    return shell(name, REDIS_BOTH, setup=REDIS_CLIENT.replace("COUNT", str(count)), varies=True,
                 needs=("redis-server", "redis-benchmark"), checksum=1000, timeout=100, **more)


def node(name, count, **more):
    return shell(name, NODE_RUN, setup=NODE_HTTP.replace("COUNT", str(count)), needs=("node",), concurrent=True, ignore=("port",),
                 checksum=500, timeout=120, **more)


def java(name, count, **more):
    return Row("programs/" + name, ["java", "-Xmx64m", "Pool"], JAVA.replace("COUNT", str(count)), needs=("java", "javac"), checksum=500,
               timeout=120, **more)


def compiled(name, source, count, needs, **more):
    return Row("programs/" + name, ["./guest"], source.replace("COUNT", str(count)), needs=needs, checksum=40, timeout=100,
               ignore=("guest",), **more)


def rows():
    lto = lambda name, count, **more: shell(
        name, f"gcc -O2 -flto=2 -ffat-lto-objects main.c part*.c -o main && ./main", setup=LTO.replace("COUNT", str(count)), checksum=200,
        ignore=("main",), timeout=150, **more)
    return [
        redis("redis", 500), redis("redis_long", 20000, long=True),
        redis_both("redis_both", 300), redis_both("redis_both_long", 5000, long=True),
        node("node_http", 40), node("node_http_long", 1000, long=True),
        java("java_pool", 1000), java("java_pool_long", 50000, long=True),
        compiled("go", GO, 20_000_000, ("go",)), compiled("go_long", GO, 500_000_000, ("go",), long=True),
        compiled("swift_tasks", SWIFT, 12, (SWIFTC,)), compiled("swift_tasks_long", SWIFT, 22, (SWIFTC,), long=True),
        compiled("rust", RUST, 2000, ("rustc",), varies=True), compiled("rust_long", RUST, 100000, ("rustc",), varies=True, long=True),
        lto("gcc_lto", 3), lto("gcc_lto_long", 20, long=True),
        shell("git_clone", GIT_CLONE_RUN, setup=GIT_CLONE, needs=("git",), env={"GIT_CONFIG_NOSYSTEM": "1"}, checksum=200, timeout=100,
              ignore=("*/.git/*",)),
        shell("ssh_keygen", SSH_KEYGEN, needs=("ssh-keygen",), varies=True, checksum=50),
        shell("curl", CURL_RUN, setup=HTTP_SERVER, needs=("curl",), ignore=("port", "pid"), checksum=500, timeout=60),
        shell("curl_alone", CURL_ALONE_RUN, setup=CURL_ALONE, needs=("curl",), ignore=("port", "pid"), checksum=100, timeout=60),
        Row("programs/python_async", ["/usr/bin/python3", "async.py"], PYTHON_ASYNC, checksum=500, timeout=60),
        terminal("terminal_bash", BASH_STEPS, ["bash", "--norc", "-i"], checksum=50),
        terminal("terminal_vim", VIM_STEPS, ["vim", "-u", "NONE", "-n", "-N", "text"], needs=("vim",), checksum=500),
        shell("strace_ls", "strace -f -o log ls; echo $?; grep -c . log > lines; tail -1 log | cut -d' ' -f2-", needs=("strace",),
              ignore=("log", "lines")),
        shell("strace_follow", STRACE_FOLLOW, needs=("strace",), ignore=("log", "log2"), checksum=20, timeout=60),
        shell("gdb_inside", GDB_RUN, setup=GDB_PROGRAM, needs=("gdb",), ignore=("main", "said"), checksum=1000, timeout=100),
    ]
