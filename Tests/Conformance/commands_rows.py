"""The command line itself: bad input gives a message that says what to do, status 1 or 2, no hang, no stack trace; the
commands that look at a trace show what is in it."""

import os
import re
import shutil
import struct
from dataclasses import dataclass

import harness
import runtimes
import signal_scripts

ELF32 = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x8048054, 52, 0, 0, 52, 32, 1, 0, 0, 0) + \
    struct.pack("<IIIIIIII", 1, 0, 0x8048000, 0x8048000, 96, 96, 5, 4096) + b"\x31\xc0\x40\xcd\x80" + bytes(60)


MAPS_FILE = r"""
head -c 8192 /dev/zero | tr '\0' a > F
cat > maps.py <<'P'
import mmap, os, sys, time
with open("F", "r+b") as f: m = mmap.mmap(f.fileno(), 0, access=int(sys.argv[1]))
print(m[:4], flush=True)
open("ready" + sys.argv[1], "w").close()
while not os.path.exists("go"): time.sleep(0.02)
print(m[:4])
P
"""
# A process that is not recorded writes to the file: taken as input. One that has it mapped for writing: refused.
OUTSIDE_WRITE = MAPS_FILE + r"""
(until test -e ready1; do sleep 0.05; done; printf BBBB | dd of=F conv=notrunc status=none; sleep 0.3; touch go) &
$BIS record -o t -- python3 maps.py 1; wait; rm F; $BIS replay -a t"""
OUTSIDE_MAPPING = MAPS_FILE + r"""
python3 maps.py 2 > /dev/null & until test -e ready2; do sleep 0.05; done
$BIS record -o t -- python3 maps.py 1; s=$?; touch go; wait; $BIS replay -a t 2>/dev/null; exit $s"""
# One that had it mapped and has ended since the last look at everybody's mappings (its files' inodes may be another's by now).
OUTSIDE_GONE = MAPS_FILE + r"""
cat > both.py <<'P'
import mmap, os, sys, time
def mapped(name):
    with open(name, "r+b") as f: return mmap.mmap(f.fileno(), 0, access=1)
with open("G", "wb") as f: f.write(b"g" * 4096)
g = mapped("G")
open("go", "w").close()
while os.path.exists("/proc/" + sys.argv[1]): time.sleep(0.002)
print(mapped("F")[:4], g[:4])
P
python3 maps.py 2 > /dev/null & other=$!; until test -e ready2; do sleep 0.05; done
$BIS record -o t -- python3 both.py $other & bis=$!; wait $other; wait $bis && rm F G && $BIS replay -a t"""

# One that maps it soon after a look at everybody's mappings.
OUTSIDE_SOON = MAPS_FILE + r"""
cat > soon.py <<'P'
import mmap, os, time
def mapped(file): return mmap.mmap(file.fileno(), 0, access=1)
with open("G", "wb") as f: f.write(b"g" * 4096)
with open("G", "r+b") as f: mapped(f)
open("begin", "w").close()
while not os.path.exists("ready2"): time.sleep(0.002)
with open("F", "r+b") as f: mapped(f)
P
(until test -e begin; do sleep 0.01; done; exec python3 maps.py 2) > /dev/null &
$BIS record -o t -- python3 soon.py; s=$?; touch go; wait; exit $s"""
# Two threads that wait for each other in loops with PAUSE: each wait ends soon, not with a time slice (100,000 ticks and more).
PAUSES = r"""
cat > pauses.c <<'P'
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
static volatile int token;
static void pass(int me) {
  for (int i = 0; i < 3000; i++) {
    for (int n = 1; token != me; n++)
      if (n % 20000) __builtin_ia32_pause(); else sched_yield();
    token = !me;
  }
}
static void *other(void *p) { pass(1); return p; }
int main(void) {
  pthread_t t;
  pthread_create(&t, 0, other, 0);
  pass(0);
  pthread_join(t, 0);
  puts("passed");
}
P
cc -O2 -pthread -o pauses pauses.c && $BIS record --checksum=50 -o t ./pauses && $BIS replay -a t || exit
$BIS events --json t | tail -1 | python3 -c 'import json, sys; n = json.loads(input())["ticks"]; print(n if n > 2000000 else "few")'
"""

# Writes that have room and reads that find something keep the turn: a pipe's worth for each switch, not one call.
STREAM = r"""
cat > stream.c <<'P'
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static int ends[2];
static void *writer(void *unused) {
  char line[100] = "a line";
  for (int i = 0; i < 5000; i++) write(ends[1], line, sizeof line);
  return 0;
}
int main(void) {
  pipe(ends);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, writer, 0);
  char line[100];
  int n = 0;
  while (n < 20000 && read(ends[0], line, sizeof line) > 0) n++;
  for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
  printf("%d\n", n);
}
P
cc -O2 -pthread -o stream stream.c && $BIS record --checksum=5000 -o t ./stream && $BIS replay -a t || exit
$BIS events t | grep -c 'switch to' | python3 -c 'n = int(input()); print(n if n > 5000 else "few")'
"""
# A set-uid program: for root the privileges of its file, for others its own and a warning.
SET_UID = r"""
if test $(id -u) != 0; then $BIS record -o t -- su --version && exit 3; exit 1; fi
d=$(mktemp -d /tmp/bis-set-uid-XXXXXX); cp $BIS $d/bis; cp /usr/bin/id $d/id; chmod 4755 $d/id; chmod 777 $d; cd $d
as="setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=$d XDG_CACHE_HOME=$d/cache"
./bis record -o root -- setpriv --reuid=65534 --clear-groups ./id && ./bis replay -a --all root
$as ./bis record -o t -- sh -c './id -u; exit 3' ; s=$?; $as ./bis replay -a --all t
rm -rf $d; exit $s"""
# A small disk: of its own in a mount namespace, so that only the recording sees it.
SMALL_DISK = r"""
mkdir m; unshare -rm sh -c 'mount -t tmpfs -o size=%s none m || exit 77
%s'; s=$?; test $s != 77 || { echo "no mounts here"; exit 0; }; exit $s"""
FULL_DISK = SMALL_DISK % ("24m", r"""
timeout 60 $BIS record -o m/t -- sh -c "dd if=/dev/urandom bs=1M count=60 2>/dev/null | cat | wc -c"; echo recorded $?
rm -f m/filler; timeout 60 $BIS replay -a --all m/t > /dev/null; echo replayed $?; $BIS info m/t > /dev/null; echo info $?""")
FULL_AT_START = SMALL_DISK % ("200k", "timeout 60 $BIS record -o m/t -- echo not run; echo recorded $?")
FULL_AT_LIBC = SMALL_DISK % ("1m", "timeout 60 $BIS record -o m/t -- echo not run; echo recorded $?")
FULL_OF_FORKS = SMALL_DISK % ("6m", r"""
timeout 60 $BIS record -o m/t -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do sleep 30 & done; wait'; echo recorded $?
timeout 60 $BIS replay -a --all m/t > /dev/null; echo replayed $?""".replace("'", '"'))
# Little memory: bis says what it lacks; a program that is refused memory is a program like any other.
LITTLE_SPACE = r"""
(ulimit -v 400000; timeout 60 $BIS record -o t -- echo not run); echo recorded $?
$BIS record -o u -- sh -c 'ulimit -v 60000; head -c 200000000 /dev/zero | sort > /dev/null; echo status $?' 2>err
grep bis: err | grep -v trace:; $BIS replay -a --all u"""
# A memory limit of a control group (version 1 or 2): the kernel ends the program, its tape ends with that.
MEMORY_LIMIT = r"""
for g in /sys/fs/cgroup/memory /sys/fs/cgroup; do
  test -w $g/cgroup.procs && mkdir $g/bis-test-$$ 2>/dev/null && g=$g/bis-test-$$ && break; g=""
done
limit=$g/memory.limit_in_bytes; test -e $limit || limit=$g/memory.max
if ! test -n "$g" || ! echo 150000000 > $limit; then test -z "$g" || rmdir $g; echo "no control groups here"; exit; fi
cat > grows.py <<'P'
print("begins", flush=True)
x = []
while True: x.append(bytearray(1000000))
P
sh -c 'echo $$ > '$g'/cgroup.procs; exec timeout 60 $BIS record -o t -- python3 grows.py'; echo recorded $?
$BIS replay -a --all t; echo replayed $?; sleep 0.2; rmdir $g"""


@dataclass
class CommandRow:
    """A bash script with $BIS, $TRACE (a good recording) and $HERE; `expect` is searched in both streams."""
    name: str
    script: str
    status: int = 0
    expect: str = ""
    timeout: int = 30
    long: bool = False
    needs: tuple = ()
    cpu: tuple = ()

    def check(self, runner):
        result = harness.Result(self.name, "passed")
        place = os.path.join(runner.work, re.sub(r"\W", "_", self.name))
        here = os.path.join(place, "here")
        os.makedirs(here)
        env = {"PATH": "/usr/bin:/bin", "HOME": place, "BIS": runner.bis, "TRACE": os.path.join(place, "trace"), "LC_ALL": "C",
               "BIS_TRACE_DIR": os.path.join(place, "traces"), "HERE": here}
        with open(os.path.join(here, "elf32"), "wb") as file:
            file.write(ELF32)
        os.chmod(os.path.join(here, "elf32"), 0o755)
        try:
            if "$TRACE" in self.script:
                made = harness.run([runner.bis, "record", "-o", env["TRACE"], "--checksum=1", "--", "sh", "-c",
                                    "echo out; echo err >&2; /bin/echo child; exit 5"], here, env, self.timeout)
                if made.status != 5 or not os.path.isdir(env["TRACE"]):
                    raise harness.Failure(f"cannot record: {made.status}, {made.err.decode(errors='replace')[-300:]}")
            got = harness.run(["bash", "-c", self.script], here, env, self.timeout)
            text = (got.out + got.err).decode(errors="replace")
            if got.status != self.status:
                raise harness.Failure(f"exit status: expected {self.status}, found {got.status}\n{text[-500:]}")
            if not re.search(self.expect, text, re.S):
                raise harness.Failure(f"no match of /{self.expect}/ in:\n{text[-500:]}")
            if re.search(r"Fatal error|Stack dump|Thread 0 crashed|Backtrace", text):
                raise harness.Failure(f"a crash:\n{text[-500:]}")
            result.seconds["ran"] = got.seconds
        except harness.Failure as failure:
            result.verdict, result.why = "failed", str(failure)
        if harness.end_all_descendants() and result.verdict == "passed":
            result.verdict, result.why = "failed", "processes were left behind"
        shutil.rmtree(place, ignore_errors=True)
        return result


def rows():
    c = lambda name, *rest, **more: CommandRow("commands/" + name, *rest, **more)
    return [
        # How it presents itself.
        c("version", "$BIS --version", 0, r"\d+\.\d+"),
        c("help", "$BIS --help", 0, "record.*replay.*doctor"),
        c("help_record", "$BIS record --help", 0, "--checksum.*--aslr|--aslr.*--checksum"),
        c("completion", "$BIS --generate-completion-script bash | bash -n && $BIS --generate-completion-script zsh", 0, "record"),
        c("no_command", "$BIS frobnicate", 2, "bis: "),
        c("bad_option", "$BIS record --frobnicate /bin/true", 2, "bis: "),
        c("record_nothing", "$BIS record", 2, "bis: "),
        c("checksum_word", "$BIS record --checksum=often /bin/true", 2, "bis: "),
        c("doctor", "$BIS doctor", 0, "ptrace.*CPUID"),
        c("cpu", "$BIS cpu && $BIS cpu list && $BIS cpu show host", 0, "xcr0|XCR0"),
        c("cpu_unknown", "$BIS cpu show pentium-nine", 2, "bis: .*pentium-nine"),
        # What cannot be recorded.
        c("missing_program", "$BIS record -- no-such-program", 1, "bis: .*no-such-program"),
        c("not_executable", "echo text > f; $BIS record -- ./f", 1, "bis: .*(executable|permission)"),
        c("directory", "$BIS record -- /usr", 1, "bis: .*director"),
        c("elf32", "$BIS record -- ./elf32", 1, "bis: .*32-bit"),
        c("no_interpreter", "printf '#!/no/such/shell\\n' > s; chmod +x s; $BIS record -- ./s", 1, "bis: .*/no/such/shell"),
        c("not_elf", "printf 'garbage' > g; chmod +x g; $BIS record -- ./g", 1, "bis: "),
        c("cut_elf", "head -c 3000 /bin/ls > g; chmod +x g; $BIS record -- ./g", 1, "bis: "),
        c("bad_output_folder", "$BIS record -o /proc/none/x -- /bin/true", 1, "bis: .*/proc/none/x"),
        c("output_exists", "mkdir o; echo precious > o/f; $BIS record -o o -- /bin/true; s=$?; cat o/f; exit $s", 1, "precious.*bis: "),
        c("unknown_cpu", "$BIS record --cpu pentium-nine -- /bin/true", 2, "bis: .*pentium-nine"),
        # What cannot be replayed.
        c("no_gdb", "$BIS replay --gdb no-such-gdb $TRACE", 1, "bis: .*apt install gdb"),
        c("missing_trace", "$BIS replay -a /no/such/trace", 1, "bis: .*/no/such/trace"),
        c("no_latest", "$BIS replay -a", 1, "bis: .*record"),
        c("empty_trace", "mkdir e; $BIS replay -a e", 1, "bis: "),
        c("trace_is_file", "echo x > e; $BIS replay -a e", 1, "bis: "),
        c("cut_tape", "for f in $(find $TRACE -type f -name '*tape*'); do truncate -s -400 $f; done; timeout 20 $BIS replay -a --all $TRACE >&2; test $? -lt 128 -a $? -ne 124", 0, "bis: "),
        c("corrupt_tape", "for f in $(find $TRACE -type f -name '*tape*'); do printf XXXXXXXX | dd of=$f bs=1 seek=200 conv=notrunc status=none; done; timeout 20 $BIS replay -a --all $TRACE", 1, "bis: "),
        c("empty_files", "find $TRACE -type f -exec truncate -s 0 {} +; timeout 20 $BIS replay -a --all $TRACE", 1, "bis: "),
        c("garbage_files", "find $TRACE -type f -exec sh -c 'head -c 5000 /dev/urandom > \"$1\"' - {} ';'; timeout 20 $BIS replay -a --all $TRACE", 1, "bis: "),
        # What can.
        c("replay_status", "$BIS replay -a $TRACE", 5, "out"),
        c("replay_all", "$BIS replay -a --all $TRACE 2>/dev/null", 5, "out\nchild"),
        c("replay_root_only", "$BIS replay -a $TRACE 2>&1 >/dev/null", 5, "err"),
        c("replay_twice", "a=$($BIS replay -a --all $TRACE 2>&1); b=$($BIS replay -a --all $TRACE 2>&1); test \"$a\" = \"$b\" -a -n \"$a\"", 0, ""),
        c("default_trace", "$BIS record -- /bin/echo kept && $BIS replay -a && $BIS ls && ls -d $BIS_TRACE_DIR/latest", 0, "kept.*kept.*echo-.*latest"),
        c("record_signal", "$BIS record -o t -- sh -c 'kill -TERM $$'; a=$?; $BIS replay -a t; echo $a $?", 0, "143 143"),
        c("record_crash", "$BIS record -o t -- sh -c 'kill -SEGV $$' 2>&1; echo $?", 0, "bis: the program died of SIGSEGV: Segmentation fault\nbis: trace: .*/t\n139"),
        c("leak_check", "echo 'int main(){}' > l.c; gcc -fsanitize=address -o l l.c && $BIS record -o t ./l 2>&1 | grep '^bis: '; $BIS record -o t2 --env ASAN_OPTIONS=detect_leaks=0 ./l 2>/dev/null", 0, "shares its memory.*record with --env ASAN_OPTIONS=detect_leaks=0"),
        c("trace_named_last", "$BIS record -o t -- sh -c 'echo x >&2' 2>&1 | tail -1", 0, r"^bis: trace: .*/t$"),
        c("double_dash", "$BIS record -o t -- /bin/echo -- --help -o x", 0, "^-- --help -o x"),
        c("options_of_program", "$BIS record -o t /bin/echo --version --all", 0, "^--version --all|GNU coreutils"),
        c("environment", "$BIS record -o t --env A=1 --env 'B=x y' -- sh -c 'echo $A $B'", 0, "1 x y"),
        c("stdin_closed", "$BIS record -o t -- sh -c 'cat; echo end' < /dev/null", 0, "end"),
        c("standard_output_closed", "$BIS record -o t -- /bin/true >&-", 0, ""),
        c("reader_goes_away", "$BIS record -o t -- seq 1000000 2>/dev/null | head -1; $BIS replay -a t 2>/dev/null | tail -c 100 | wc -l", 0, "^1\n"),
        c("unreadable_output", "$BIS record -o t -- python3 -c 'import ctypes; print(ctypes.CDLL(None).write(1, 16, 8), flush=True)' "
          "> /dev/null && $BIS replay -a t", 0, "^8\n", needs=("python3",)),
        # Looking at a trace.
        c("ps", "$BIS ps $TRACE", 0, "echo"),
        c("info", "$BIS info $TRACE", 0, "events"),
        c("stats", "$BIS stats $TRACE", 0, "write|bytes"),
        # Where there is more than one CPU, code is asked for without stops (Guest/Attention.swift); on one it never is.
        c("asked", "n() { BIS_NO_CACHE=1 \"$@\" $BIS record -o t -- python3 -c 1; $BIS stats t | sed -n 's/^code asked for without a stop *//p'; rm -rf t; }; "
          "many=$(n env) one=$(n taskset -c $(taskset -cp $$ | sed 's/.*: //; s/[^0-9].*//')); test $one = 0 -a \( $(nproc) = 1 -o $many -gt 0 \) && echo yes", 0,
          "yes", needs=("python3", "taskset")),
        c("events", "$BIS events $TRACE", 0, r"write\(.*\) = 4"),
        c("events_json", "$BIS events --json $TRACE | python3 -c 'import json, sys; rows = [json.loads(l) for l in sys.stdin]; print(len(rows) > 5)'", 0, "True"),
        c("events_of_one", "$BIS events -p echo $TRACE", 0, r"write\(1, 0x[0-9a-f]+, 6\) = 6"),
        c("rm", "$BIS rm $TRACE && ! test -e $TRACE", 0, ""),
        c("rm_no_trace", "mkdir d; echo precious > d/f; $BIS rm d; s=$?; cat d/f; exit $s", 1, "precious.*bis: "),
        # Memory that others have, who are not recorded.
        c("outside_write", OUTSIDE_WRITE, 0, "b'aaaa'\nb'BBBB'\nb'aaaa'\nb'BBBB'\n.*not recorded has changed .*/F", needs=("python3",)),
        c("outside_mapping", OUTSIDE_MAPPING, 1, r"not recorded\) has mapped for writing.*No such device", needs=("python3",)),
        c("outside_soon", OUTSIDE_SOON, 1, r"not recorded\) has mapped for writing.*No such device", needs=("python3",)),
        c("outside_gone", OUTSIDE_GONE, 0, r"^(b'aaaa' b'gggg'\n){2}", needs=("python3",)),
        c("pauses", PAUSES, 0, "^passed\npassed\nfew\n", needs=("cc", "python3")),
        c("stream", STREAM, 0, "^20000\n20000\nfew\n", needs=("cc", "python3")),
        # Ends that nobody planned.
        c("kill_bis", "timeout -s KILL 2 $BIS record -o t -- sh -c 'i=0; while :; do i=$((i+1)); echo $i; done' > out; sleep 1; timeout 20 $BIS replay -a t >out2 2>err; head -1 out2; grep bis: err", 0,
          r"^1\n.*(ended|killed|incomplete|last complete)"),
        c("interrupt", "timeout -s INT 2 $BIS record -o t -- sleep 10 ; $BIS info t", 0, ""),
        c("job_control", runtimes.JOB_STEPS + runtimes.JOB_RUN, 0, "status 3.*hello\nt1 0\nt2 0\nt3 0", needs=("vim",), timeout=100),
        c("daemon", "$BIS record -o t -- bash -c 'setsid sleep 5 & echo started' 2>err; cat err; $BIS replay -a --all t", 0,
          "started.*still running.*started"),
        c("daemon_waited_for", "$BIS record -w -o t -- bash -c '(setsid sleep 1; echo later) & echo started'; $BIS replay -a --all t", 0,
          "started\nlater\n.*started\nlater"),
        c("interrupt_program", signal_scripts.INTERRUPT, 0, "dies 130 130 complete\ncomputes 130 130 complete\ncatches 5 5 complete\nmany 130 130 complete",
          needs=("python3",), timeout=100),
        c("signals_for_bis", signal_scripts.RELAYED, 0, signal_scripts.RELAYED_EXPECT, needs=("python3",), timeout=60),
        c("set_uid", SET_UID, 3, "set-uid program.*without the privileges|uid=65534.*euid=0.*65534\n65534\n.*set-uid program", needs=("setpriv", "su")),
        # No room.
        c("full_disk", FULL_DISK, 0, "no mounts here|recorded 1\nreplayed [01]\ninfo 0\n.*bis: .*(disk|space)", needs=("unshare",), timeout=120),
        c("full_at_start", FULL_AT_START, 0, "no mounts here|^recorded 1\n.*bis: .*(disk|space)", needs=("unshare",)),
        c("full_at_libc", FULL_AT_LIBC, 0, "no mounts here|^recorded 1\n.*bis: .*(disk|space)", needs=("unshare",)),
        c("full_of_forks", FULL_OF_FORKS, 0, "no mounts here|recorded 1\nreplayed [01]\n.*bis: .*(disk|space)", needs=("unshare",), timeout=60),
        c("memory_limit", MEMORY_LIMIT, 0, "no control groups here|begins\nrecorded 137\nbegins\nreplayed 137\n", needs=("python3",), timeout=100),
        c("little_space", LITTLE_SPACE, 0, "recorded 1\nstatus [12]\nstatus [12]\n.*ulimit -v"),
    ]
