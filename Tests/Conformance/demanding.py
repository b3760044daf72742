"""Programs that ask more of a recorder than most: debuggers inside a recording, sanitizers, a database, Go's way to start others."""

import glob
import os

from rows import Row
from runtimes import shell

LLDB_RUN = r"""lldb -b -o 'b work' -o run -o 'p x' -o 'br del -f' -o continue ./main < /dev/null 2>&1 | grep -oE '^\(int\) .*|exited.*'"""
LLDB_PROGRAM = r"""cat > main.c <<'C'
#include <pthread.h>
int n;
__attribute__((noinline)) int work(int x) { return __sync_fetch_and_add(&n, x); }
static void *run(void *a) { for (int i = 0; i < 100; i++) __sync_fetch_and_add(&n, 1); return a; }
int main(void) {
  pthread_t t[3];
  work(7);
  for (int i = 0; i < 3; i++) pthread_create(t + i, 0, run, 0);
  for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
  return n == 307 ? 3 : 4;
}
C
gcc -g -O1 -pthread -o main main.c
"""

# Go: other programs started (clone with a pidfd), an HTTP server of its own, a signal, timers, collection, a nil pointer.
GO_EXEC = r"""cat > main.go <<'G'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

type tree struct{ l, r *tree }

func grow(d int) *tree {
	if d == 0 {
		return &tree{}
	}
	return &tree{grow(d - 1), grow(d - 1)}
}
func (t *tree) count() int {
	if t == nil {
		return 0
	}
	return 1 + t.l.count() + t.r.count()
}

func main() {
	runtime.GOMAXPROCS(4)
	for i := 0; i < 3; i++ {
		out, err := exec.Command("sh", "-c", fmt.Sprintf("echo child %d; exit %d", i, i)).Output()
		fmt.Print(string(out), err, "\n")
	}
	var wait sync.WaitGroup
	var lock sync.Mutex
	total := 0
	for i := 0; i < 4; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			n := grow(11).count()
			lock.Lock()
			total += n
			lock.Unlock()
		}()
	}
	wait.Wait()
	runtime.GC()
	fmt.Println(total)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-signals)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hi ", r.URL.Path) }))
	for i := 0; i < 10; i++ {
		answer, err := http.Get(fmt.Sprintf("http://%s/%d", listener.Addr(), i))
		if err != nil {
			panic(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		fmt.Println(string(body))
	}
	ticker := time.NewTicker(time.Millisecond)
	for i := 0; i < 5; i++ {
		<-ticker.C
	}
	defer func() { fmt.Println(recover()) }()
	var none *tree
	fmt.Println(none.l)
}
G
GOCACHE=$PWD/cache GO111MODULE=off go build -o main main.go && rm -rf cache
"""

SANITIZERS = r"""cat > main.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static int shared;
static void *add(void *a) { for (int i = 0; i < 1000; i++) shared++; return a; }
int main(int argc, char **argv) {
  pthread_t t;
  pthread_create(&t, 0, add, 0);
  if (argc > 2) shared++;
  pthread_join(t, 0);
  int *p = malloc(40);
  p[argc] = 2147483647;
  if (argc > 1) p[argc] += atoi(argv[1]);
  free(p);
  printf("%d\n", shared);
  return argc > 1 ? p[argc] != 0 : 0;
}
C
gcc -g -O1 -fsanitize=address,undefined -pthread -o address main.c && gcc -g -O1 -fsanitize=thread -pthread -o thread main.c
"""
SANITIZERS_RUN = r"""export ASAN_OPTIONS=detect_leaks=0
./address; echo $?; ./address 1 2> log; echo $?; grep -oE 'heap-use-after-free|signed integer overflow' log
./thread; echo $?"""

# A database whose processes share memory, and whose clients write to the same rows. (It does not run for root.)
POSTGRES = ([*glob.glob("/usr/lib/postgresql/*/bin/postgres")] or ["postgres"])[-1]
PGBENCH = f"export PATH={os.path.dirname(POSTGRES)}:$PATH" + r"""
test $(id -u) != 0 || { mkdir /tmp/bis-pg-$$; chown nobody /tmp/bis-pg-$$; cd /tmp/bis-pg-$$; as='setpriv --reuid=65534 --clear-groups'; }
$as initdb -N -D db -U postgres -A trust > log 2>&1 || cat log
$as postgres -D db -k $PWD -c listen_addresses= > log 2>&1 & server=$!
for i in $(seq 100); do psql -h $PWD -U postgres -Atc 'select 1' postgres > /dev/null 2>&1 && break; sleep 0.2; done
pgbench -h $PWD -U postgres -i -q postgres > /dev/null 2>&1
pgbench -h $PWD -U postgres -n -c 3 -j 2 -t COUNT postgres 2>&1 | grep -E "processed|error"
psql -h $PWD -U postgres -Atc "select sum(abalance) = (select sum(delta) from pgbench_history) from pgbench_accounts" postgres
$as kill -INT $server; wait; rm -rf db log; test $(id -u) != 0 || rm -r /tmp/bis-pg-$$; echo done"""


# CPython's own tests of what it asks of the system, each in a recording of its own: a program's threads, signals, sockets and
# descriptors in every combination that somebody has found a fault in.
CPYTHON = ("test_posix", "test_socket", "test_threading", "test_mmap", "test_tempfile", "test_queue", "test_selectors",
           "test_ctypes", "test_httpservers", "test_eintr", "test_io -m '*deadlock*'")
CPYTHON_RUN = """/usr/bin/python3 -m test -q -i '*VSOCK*' -i '*stress*' TESTS > log 2>&1; status=$?
test $status = 0 || tail -40 log; echo $status; rm -f log"""


def cpython():
    there = glob.glob("/usr/lib/python3*/test/test_posix.py")
    needs = ("python3",) if there else ("libpython3.N-testsuite",)
    return [shell("cpython_" + t.split()[0], CPYTHON_RUN.replace("TESTS", t), needs=needs, checksum=500, timeout=300, long=True)
            for t in CPYTHON]


def rows():
    return [
        *cpython(),
        shell("lldb_inside", LLDB_RUN, setup=LLDB_PROGRAM, needs=("lldb",), ignore=("main",), checksum=5000, timeout=100),
        Row("programs/go_exec", ["./main"], GO_EXEC, needs=("go",), checksum=50, timeout=100, ignore=("main",)),
        shell("sanitizers", SANITIZERS_RUN, setup=SANITIZERS, ignore=("address", "thread", "log"), checksum=20, timeout=60),
        shell("pgbench", PGBENCH.replace("COUNT", "20"), needs=(POSTGRES, "psql", "setpriv"), checksum=5000, timeout=150),
    ]
