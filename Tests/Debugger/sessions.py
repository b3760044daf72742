"""Sessions with gdb: each returns what gdb printed and the patterns that must be found in it, in order."""

import os
import random
import re
import signal
import shutil
import subprocess

from terminal import Terminal
from watch_sessions import WATCHES


def start(bench):
    """At the first instruction, in the dynamic linker."""
    output = bench.gdb("loop", ["when", "info threads", "info auxv", "x/i $pc", "info registers rip"])
    return output, [r"^\d+(\+0@|\+0)?.*thread \d+", r"\* 1 +Thread", r"AT_PHDR", r"=> 0x", r"^rip"]


def breakpoints(bench):
    output = bench.gdb("loop", ["break square if x == 300", "continue", "print x", "finish", "delete", "continue"])
    return output, [r"Breakpoint 1,.* square \(x=300\)", r"\$1 = 300", r"Value returned is \$2 = 90000", r"SIGUSR1"]


def library(bench):
    """A breakpoint in a library, set at the start, when none is there yet."""
    output = bench.gdb("loop", ["handle SIGUSR1 nostop noprint", "break _IO_file_write", "continue", "backtrace"])
    return output, [r"Breakpoint 1 \(_IO_file_write\) pending", r"Breakpoint 1, .*file_write", r"_start \(\)"]


def backwards(bench):
    commands = ["break main", "continue", "break square if x == 300", "continue", "delete", "when", "break square",
                "reverse-continue", "reverse-continue", "continue", "continue", "when"]
    return bench.gdb("loop", commands), [
        r"main \(\)", r"square \(x=300\)", r"^(\S+) +\(", r"square \(x=299\)", r"square \(x=298\)", r"square \(x=299\)",
        r"square \(x=300\)"]


def who_wrote(bench):
    """The last write to a variable, found backwards; the value before it."""
    commands = ["handle SIGUSR1 nostop noprint", "break printf", "continue", "watch rare", "reverse-continue", "print i", "print rare",
                "reverse-continue", "print i", "continue", "print rare"]
    return bench.gdb("loop", commands), [
        r"printf", r"Hardware watchpoint", r"Old value = 19999\s+New value = 14999", r"\$1 = 19999", r"\$2 = 14999",
        r"New value = 9999", r"\$3 = 14999", r"New value = 14999", r"\$4 = 14999"]


def start_and_end(bench):
    commands = ["handle SIGUSR1 nostop", "continue", "when", "reverse-stepi", "reverse-continue", "when", "seek end", "when",
                "seek 50%", "when", "restart", "when"]
    return bench.gdb("loop", commands), [
        r"exits here with status 3|No more reverse-execution history", r"^\d+\+?\S* +\((99|100)", r"No more reverse-execution history",
        r"^1\S* +\(0\.0", r"^\d+\S* +\(100", r"^\d+\S* +\((49|50)", r"^1\S* +\(0\.0"]


def signals(bench):
    commands = ["continue", "print handled", "print $_siginfo.si_signo", "break handler", "continue", "backtrace 3", "reverse-continue",
                "print handled"]
    return bench.gdb("loop", commands), [
        r"SIGUSR1", r"\$1 = 0", r"\$2 = 10", r"handler \(number=10\)", r"signal handler called", r"SIGUSR1", r"\$3 = 0"]


def source_steps(bench):
    """next and step forwards, and the same lines backwards."""
    commands = ["break main", "continue", "next", "next", "next", "reverse-next", "reverse-next", "break square", "continue",
                "reverse-finish", "reverse-step"]
    return bench.gdb("loop", commands), [r"Breakpoint 1, main", r"for \(long i", r"square\(i\)", r"rare = i", r"square\(i\)", r"square \(x=1\)", r"in main", r"square \(x=1\)|square\(i\)"]


def positions(bench):
    commands = ["break square if x == 100", "continue", "checkpoint here", "delete", "seek 90%", "info checkpoints", "restart 1",
                "print x", "bookmark hundred", "seek start", "seek hundred", "print x", "back", "when", "forward", "print x",
                "info bookmarks", "delete checkpoint 1", "info checkpoints", "events 4", "diff-at end total"]
    return bench.gdb("loop", commands), [
        r"square \(x=100\)", r"Checkpoint 1", r"1 +\d\S* +here", r"\$1 = 100", r"Bookmark hundred", r"\$2 = 100", r"^1\S* +\(0\.0",
        r"\$3 = 100", r"hundred +\d", r"No checkpoints", r"=> ", r"total at .*:\s+\d+\s+here, at .*different"]


def bookmarks_stay(bench):
    bench.gdb("loop", ["break square if x == 77", "continue", "bookmark later"])
    output = bench.gdb("loop", ["print x"], options=["--goto", "later"])
    return output, [r"\$1 = 77"]


def calls(bench):
    """Functions called from gdb run in a copy; the replay is the same afterwards."""
    commands = ["break square if x == 100", "continue", "monitor checksum", "print square(12)", "print label(5)",
                "call (int)strlen(\"hello\")", "print total", "set var total = 5", "print total", "stepi", "print total > 5",
                "reverse-stepi", "monitor checksum"]
    output = bench.gdb("loop", commands)
    sums = re.findall(r"^[0-9a-f]{8,16}$", output, re.M)
    assert len(sums) == 2 and sums[0] == sums[1], f"checksums differ: {sums}\n{output}"
    return output, [r"\$1 = 144", r"\$2 = 0x\w+ \"label 5\"", r"\$3 = 5", r"\$5 = 5", r"\$6 = 1"]


def system_calls(bench):
    commands = ["handle SIGUSR1 nostop noprint", "break main", "continue", "catch syscall write", "continue", "print handled", "continue",
                "reverse-continue", "reverse-continue"]
    return bench.gdb("loop", commands), [r"call to syscall (\"|')?write", r"\$1 = 10", r"returned from syscall", r"call to syscall"]


def corrupted_heap(bench):
    """The README's example, word for word: a crash, and backwards to the write that caused it."""
    with open(os.path.join(bench.root, "README.md")) as file:
        lines = re.search("<!-- heap begins -->(.*)<!-- heap ends -->", file.read(), re.S)[1].splitlines()
    lines = lines[lines.index("$ bis replay") + 1:]
    commands = [line.removeprefix("(gdb) ") for line in lines if line.startswith("(gdb)")]
    told = [line for line in lines if re.match(r"Program|\$\d|Old|New|Hardware|\d+\t", line)]
    assert len(commands) == 8 and len(told) == 9, (commands, told)
    return bench.gdb("heap", commands), ["^" + re.sub("0x5555[0-9a-f]+", "0x[0-9a-f]+", re.escape(line)) for line in told]


def thread_list(bench):
    commands = ["break work", "continue", "continue", "info threads", "thread apply all bt 1", "watch sum", "continue", "continue",
                "info threads", "reverse-continue", "seek start", "info threads"]
    return bench.gdb("threads", commands), [
        r"work \(argument", r"work \(argument", r"\* \d +Thread", r"New value", r"New value", r"Thread \S+ \"worker \d\"", r"Old value",
        r"\* \d +Thread \S+ \"threads\""]


WALK = ["handle SIGUSR1 SIGALRM nostop noprint pass", "python", "import gdb", "def walk(count):", "    sums = []",
        "    for _ in range(count):",
        "        sums.append(gdb.execute('monitor checksum', to_string=True))",
        "        gdb.execute('stepi', to_string=True)",
        "    for want in reversed(sums):",
        "        gdb.execute('reverse-stepi', to_string=True)",
        "        found = gdb.execute('monitor checksum', to_string=True)",
        "        assert found == want, (found, want)",
        "    print('walked', count)"]


def fifty_steps_back(bench):
    """stepi 50 times, reverse-stepi 50 times, in several places: the same checksums on both ways."""
    lines = WALK + ["for place in ('start', '3', '10', '20', '40%', '60%', '95%'):",
                    "    gdb.execute('seek ' + place, to_string=True)", "    walk(50)", "end"]
    return bench.gdb("loop", lines, timeout=400), [r"walked 50"] * 7


def fifty_steps_everywhere(bench):
    """The same around system calls, repeated instructions, pushed flags, signal frames, changing code and a fork."""
    functions = ["copying", "calling", "by_raise", "trapping", "patching", "forking", "by_timer"]
    lines = WALK + ["walk(50)", f"for place in {functions!r}:",
                    "    gdb.execute('tbreak *' + place, to_string=True)",
                    "    gdb.execute('continue', to_string=True)",
                    "    assert gdb.selected_frame().name() == place, (gdb.selected_frame().name(), place)",
                    "    for _ in range(15): gdb.execute('reverse-stepi', to_string=True)",
                    "    walk(50)",
                    "    for _ in range(20): gdb.execute('stepi', to_string=True)",
                    "    walk(50)", "end"]
    return bench.gdb("places", lines, timeout=400), [r"walked 50"] * 15


def fifty_steps_at_switches(bench):
    """The same where one thread hands over to another."""
    done = subprocess.run([bench.bis, "events", bench.trace("threads")], env=bench.environment, capture_output=True, text=True)
    events = [line.split()[1] for line in done.stdout.splitlines() if "switch to thread" in line]
    chosen = events[:2] + events[len(events) // 2:][:1] + events[-2:]
    lines = WALK + [f"for place in {chosen!r}:", "    gdb.execute('seek ' + place, to_string=True)",
                    "    for _ in range(25): gdb.execute('reverse-stepi', to_string=True)", "    walk(50)", "end"]
    return bench.gdb("threads", lines, timeout=400), [r"walked 50"] * len(chosen)


def random_walk(bench):
    """Random commands; registers and memory are the same whenever the position is."""
    choice = random.Random(7)
    moves = []
    for _ in range(150):
        moves.append(choice.choice(["stepi", "reverse-stepi", "continue", "reverse-continue", "next", "reverse-next", "reverse-step",
                                    "step", f"seek {choice.randrange(100)}%"]))
    lines = ["handle SIGUSR1 nostop noprint", "break square if x % 1999 == 0", "watch rare", "python", "import gdb", "seen = {}", "count = 0",
             f"for move in {moves!r}:", "    try:", "        gdb.execute(move, to_string=True)",
             "    except gdb.error as error:", "        print(move, error)",
             "    place = gdb.execute('monitor position', to_string=True)",
             "    sum = gdb.execute('monitor checksum', to_string=True)",
             "    assert seen.setdefault(place, sum) == sum, (move, place)", "    count += 1", "print('moves', count, 'of', len(seen))", "end"]
    return bench.gdb("loop", lines, timeout=600), [r"moves 150"]


def objects(bench):
    """What pretty-printers, operators and functions of the program make of C++ objects; nothing of it stays."""
    fresh = os.path.join(bench.place, "fresh")
    kept = os.path.join(bench.place, "kept")
    with open(kept, "w") as file:
        file.write("kept")
    commands = ["break puts", "continue", "up", "monitor checksum", "print ages", "print text", "print points", "print a + b",
                "print twice(21)", "print ages.size()", "call (int)dprintf(1, \"from gdb %d\\n\", 42)", "print (long)malloc(10) != 0",
                f'print save("{kept}")', f'print save("{fresh}")', "print thrower()", "monitor checksum", "set unwindonsignal on",
                "python", "try: gdb.execute('print crash(1)')", "except gdb.error as error: print('crashed:', error)", "end",
                "print twice(4)", "monitor checksum", "frame 0", "finish"]
    output = bench.gdb("objects", commands)
    sums = re.findall(r"^[0-9a-f]{8,16}$", output, re.M)
    assert len(sums) == 3 and len(set(sums)) == 1, f"checksums differ: {sums}\n{output}"
    with open(kept) as file:
        assert file.read() == "kept", "a diversion wrote to a file"
    printers = os.path.isdir("/usr/share/gcc/python/libstdcxx")
    return output, ([r"std::map with 2 elements = \{\[\"ada\"\] = 36", r"= \"hello you\"", r"std::vector of length 3"] if printers else []) + [
        r"\{x = 4, y = 6\}", r"\$5 = 42", r"\$6 = 2", r"from gdb 42", r"\$8 = true", r"\$9 = -1", r"\$10 = 1", r"\$11 = 7", r"crashed:",
        r"= 8$", r"Value returned"]


def local_files(bench):
    """gdb reads programs and libraries itself, under the names that the linker knows them by."""
    output = bench.gdb("objects", ["break puts", "continue", "info sharedlibrary"])
    assert "from remote target" not in output and "Could not open" not in output, output
    return output, [r"Yes.*/files/.*libstdc\+\+\.so\.6", r"Yes.*/files/.*libc\.so\.6"]


def terminal(bench):
    """A person at a terminal: Ctrl-C forwards, backwards and in a called function; gdb's status is bis's."""
    with Terminal([bench.bis, "replay", bench.trace("objects"), "--", "-nx"], bench.environment) as user:
        user.command("break puts")
        user.command("continue")
        user.command("print hang()", wait=False)
        user.interrupt()
        user.command("print $pc")
        user.command("monitor checksum")
        user.command("quit 5", wait=False)
        assert user.end() == 5, user.output
        output = user.output
    with Terminal([bench.bis, "replay", bench.trace("spin"), "--", "-nx"], bench.environment) as user:
        user.command("continue", until=rb"\d%  ")  # (while gdb reads libraries it loses a Ctrl-C)
        user.interrupt(after=0)
        user.command("when")
        user.command("seek end")
        user.command("reverse-continue", wait=False)
        user.interrupt(after=0.3)
        user.command("when")
        user.command("continue", wait=False)
        user.kill_child("gdb", after=0.3)
        assert user.end() == 128 + signal.SIGKILL, user.output
        output += user.output
    return output, [r"SIGINT", r"hang \(\)", r"\$1 = .*hang", r"SIGINT", r"\d+ .*of the recording", r"SIGINT", r"\d+ .*of the recording"]


def programs(bench):
    """A process that became another program: the last is shown; the session goes on over exec, both ways."""
    trace = bench.record("programs", ["/bin/sh", "-c", "x=1; exec /bin/echo two"])
    last = bench.gdb("programs", ["info programs", "reverse-stepi", "when", "stepi", "when"])
    first = bench.gdb("programs", ["continue", "when"], options=["--tape", "0"])
    return last + first, [
        r"became 2 programs; this is echo, tape 1 \(--tape 0: ", r"tape 0  /bin/sh", r"=> tape 1  /bin/echo two",
        r"executing new program: .*sh$", r"Program stopped", r"^0:\d+\S+ +\(100.0% of ", r"executing new program: .*echo$",
        r"^1:1\+0@\S+ +\(0.0% of echo", r"executing new program: .*echo$", r"two", r"No more reverse", r"^1:\d+\S+ +\(100.0% of echo"]


def over_exec(bench):
    """Breakpoints, positions and checkpoints of a process that is three programs; the same checksums on both ways."""
    commands = ["break begin", "continue", "print number", "monitor checksum", "continue", "print number", "checkpoint two",
                "monitor checksum", "bookmark second", "catch exec", "continue", "info programs", "reverse-continue", "when",
                "delete 2", "reverse-continue", "print number", "monitor checksum", "reverse-continue", "print number",
                "monitor checksum", "seek 4:50%", "when", "info checkpoints", "restart 1", "print number", "seek 4:end", "when",
                "seek second", "print number", "back", "when", "info bookmarks", "seek 9:1", "delete checkpoint 9"]
    script = ["python", f"for command in {commands!r}:", "    try: gdb.execute(command)",
              "    except gdb.error as error: print('error:', error)", "end"]
    output = bench.gdb("stages", script, options=["--tape", "0"])
    sums = re.findall(r"^[0-9a-f]{8,16}$", output, re.M)
    assert len(sums) == 4 and sums[0] == sums[3] and sums[1] == sums[2], f"checksums differ: {sums}\n{output}"
    again = bench.gdb("stages", ["when"], options=["--goto", "second"])
    return output + again, [
        r"\$1 = 1", r"executing new program: .*stages$", r"begin \(number=2\)", r"\$2 = 2", r"Checkpoint 1 at 3:\d+", r"Bookmark second at 3:",
        r"Catchpoint 2 \(exec'd .*echo\)", r"tape 3  .*2$", r"=> tape 4  echo the end", r"Catchpoint 2 \(exec'd .*stages\).*execve",
        r"^3:\S+ +\(100.0% of stages", r"begin \(number=2\)", r"\$3 = 2", r"executing new program: .*stages$", r"begin \(number=1\)", r"\$4 = 1",
        r"executing new program: .*echo$", r"Program stopped", r"^4:\S+ +\((49|50)", r"^1  3:\S+  two", r"begin \(number=2\)", r"\$5 = 2",
        r"^4:\S+ +\(100.0% of echo", r"\$6 = 2", r"^4:\S+ +\(100.0% of echo", r"second  3:\d+", r"error: tape 9 is not one of process",
        r"error: there is no checkpoint 9", r"^3:\d+\S+ "]


def fifty_steps_over_exec(bench):
    """The same from the last instructions of a program over exec to the first of the next, and back."""
    lines = WALK + ["for place in ('3:start', '4:start'):", "    gdb.execute('seek ' + place, to_string=True)",
                    "    for _ in range(25): gdb.execute('reverse-stepi', to_string=True)", "    walk(50)", "end"]
    return bench.gdb("stages", lines, timeout=400), [r"walked 50"] * 2


def forks(bench):
    """catch fork and catch vfork in both directions; a child that is followed, one that is kept, and one that is gone to."""
    catch = ["catch fork", "catch vfork", "continue", "when", "continue", "when", "reverse-continue", "when", "reverse-continue"]
    follow = ["break child", "set follow-fork-mode child", "continue", "print number", "info inferiors", "reverse-continue"]
    vfork = ["set follow-fork-mode child", "catch vfork", "delete 1", "continue"]
    keep = ["set detach-on-fork off", "catch fork", "continue", "stepi", "inferior 2", "break child", "continue", "print number",
            "reverse-continue", "inferior 1", "reverse-stepi", "when"]
    outputs = [bench.gdb("stages", catch, options=["--tape", "0"]), bench.gdb("stages", follow, options=["--tape", "0"]),
               bench.gdb("stages", keep, options=["--tape", "0"])]
    return "\n=====\n".join(outputs), [
        r"Catchpoint 1 \(forked process \d+\)", r"^0:38\+0", r"Catchpoint 2 \(vforked process \d+\)", r"^0:\d+\+0",
        r"Catchpoint 1 \(forked process \d+\)", r"^0:38\+0", r"No more reverse-execution history", r"=====",
        r"Detaching after fork from parent process", r"child \(number=7\)", r"\$1 = 7", r"\* 2 +process", r"No more reverse", r"=====",
        r"Catchpoint 1 \(forked", r"New inferior 2", r"Switching to inferior 2", r"child \(number=7\)", r"\$1 = 7", r"No more reverse",
        r"Switching to inferior 1", r"^0:38\+0"]


def processes(bench):
    """Another process of the recording under the same gdb; -p, --onfork and --tape choose one."""
    commands = ["break begin", "break child", "info processes", "process echo", "info inferiors", "continue", "process stages",
                "when", "continue", "print number", "python", "try: gdb.execute('process nobody')",
                "except gdb.error as error: print('error:', error)", "end"]
    output = bench.gdb("stages", commands, options=["--tape", "0"])
    forked = bench.gdb("forked", ["when", "info programs"], options=["-p", "cat", "--onfork"]) if bench.record(
        "forked", ["/bin/sh", "-c", "echo hello | cat; true"]) else ""
    program = bench.gdb("forked", ["info programs"], options=["-p", "cat"])
    return output + "=====\n" + forked + "=====\n" + program, [
        r"=> \d+  tape 0  exec  \S*stages", r"tape 2  exec  echo spawned", r"\* 1 +process \d+ .*echo", r"No more reverse",
        r"^3:1\+0@", r"begin \(number=2\)", r"\$1 = 2", r"error: there is no process nobody", r"=====", r"^\d:1\+0@\S+ +\(\S+% of \w*sh",
        r"=> tape \d+  /bin/sh", r"tape \d+  cat", r"=====", r"=> tape \d+  cat"]


def replaced_programs(bench):
    """Two programs of the same path, one after the other: gdb gets the one that ran."""
    names = ["first", "second"]
    for name in names:
        source = os.path.join(bench.place, f"{name}.c")
        with open(source, "w") as file:
            file.write(f"int {name}(void) {{ return 7; }}\nint main(void) {{ return {name}() - 7; }}\n")
        subprocess.run(["cc", "-g", "-O0", "-o", os.path.join(bench.place, name), source], check=True)
    script = "cp first prog; ./prog; rm prog; cp second prog; exec ./prog"
    trace = bench.record("replaced", ["/bin/sh", "-c", script])
    listing = subprocess.run([bench.bis, "ps", trace], env=bench.environment, capture_output=True, text=True).stdout
    pid = re.search(r"^ *(\d+) .* \./prog$", listing, re.M)[1]
    return bench.gdb("replaced", ["break second", "continue", "bt", f"process {pid}", "break first", "continue", "bt"]), [
        r"#0 +second \(\)", r"#0 +first \(\)", r"#1 .*main"]


def python_frames(bench):
    """The helpers that python3-dbg brings show the recorded interpreter's own stack."""
    python = os.path.realpath("/usr/bin/python3")
    if not os.path.exists(f"/usr/share/gdb/auto-load{python}-gdb.py"):
        raise Missing("gdb's helpers for Python (python3-dbg) are not installed")
    script = os.path.join(bench.place, "words.py")
    with open(script, "w") as file:
        file.write("def inner(number):\n    words = {'a': number}\n    return sorted(words)\n\nprint(inner(41))\n")
    bench.record("words", [python, script])
    return bench.gdb("words", ["break builtin_sorted", "seek end", "reverse-continue", "py-bt"]), [
        r"builtin_sorted", r"line 3, in inner", r"line 5, in <module>"]


def diversion_policy(bench):
    """What called functions must not do they cannot do; several in a row leave the replay as it was."""
    kept = os.path.join(bench.place, "precious")
    with open(kept, "w") as file:
        file.write("kept")
    calls = ["(int)kill(1, 0)", "(int)raise(10)", "(int)socket(2, 1, 0)", f'(int)open("{kept}", 1)', f'(int)unlink("{kept}")', "(int)fork()",
             '(int)execl("/bin/true", "true", 0)', f'(int)open("{kept}", 0) > 2', '(int)printf("hello %d\\n", 3)', "(int)fflush(0)",
             "(long)malloc(100000) != 0"]
    script = ["break puts", "continue", "monitor checksum", *[f"print {call}" for call in calls], "monitor checksum", "stepi", "reverse-stepi",
              "monitor checksum", "set unwindonsignal on", "python", "try: gdb.execute('call (int)abort()')",
              "except gdb.error as error: print('aborted:', error)", "end", "monitor checksum", "continue"]
    output = bench.gdb("objects", script)
    sums = re.findall(r"^[0-9a-f]{8,16}$", output, re.M)
    assert len(sums) == 4 and len(set(sums)) == 1, f"checksums differ: {sums}\n{output}"
    assert os.path.exists(kept), "a diversion removed a file"
    return output, [rf"\${n} = -1$" for n in range(1, 8)] + [r"\$8 = 1", r"\$9 = 8", r"hello 3", r"\$10 = 0", r"\$11 = 1", r"aborted:"]


def checkpoint_memory(bench):
    """Checkpoints stay within the memory they are given, and going back works with little of it, too."""
    commands = ["seek end", "monitor status", "seek 20%", "monitor status", "seek 90%", "reverse-stepi", "monitor status", "print pass"]
    outputs = [bench.gdb("heavy", commands, options=["--checkpoint-memory", megabytes]) for megabytes in ("2000", "100")]
    for output, most in zip(outputs, (2000, 100)):
        used = [int(number) for number in re.findall(r"checkpoints, (\d+) MB", output)]
        assert len(used) == 3 and max(used) <= most, output
        assert most == 100 or max(used) > 100, output
    passes = [re.search(r"\$1 = (\d+)", output)[1] for output in outputs]
    assert passes[0] == passes[1], passes
    return "".join(outputs), []


def process_information(bench):
    """What gdb shows of a process comes from the recording; a core file of a position is one of the program then."""
    core = os.path.join(bench.place, "core.bis")
    output = bench.gdb("loop", ["break square if x == 5", "continue", "info proc", "info proc mappings", "info auxv", "catch signal SIGUSR1",
                                "delete 1", "continue", "catch syscall group:signal", "continue", "reverse-continue", "info signals SIGUSR1",
                                "python", "try: gdb.execute('process 1')", "except gdb.error as error: print('error:', error)", "end",
                                f"gcore {core}", "help diff-at", "events 3", "monitor events 3"])
    done = subprocess.run(["gdb", "-nx", "-batch", "-ex", "bt", os.path.join(bench.place, "loop"), core], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=bench.environment)
    return output + done.stdout, [
        r"cmdline = '.*loop'", r"r-xp +/\S*/loop$", r"rw-p +\[stack\]", r"AT_ENTRY", r"Catchpoint 2 \(signal SIGUSR1\)", r"Catchpoint 3 \(.*syscall",
        r"Catchpoint \d", r"^SIGUSR1", r"error: there is no process 1", r"Saved corefile", r"diff-at POSITION EXPRESSION", r"=> ", r"=> ",
        r"in main \(\)"]


class Missing(Exception):
    """What a session needs is not installed."""


def runnable(name, environment):
    """The first program of this name in PATH that starts: a toolchain's own lldb may lack the libraries of the system it was built for."""
    for place in os.environ["PATH"].split(os.pathsep):
        path = os.path.join(place, name)
        if os.access(path, os.X_OK) and subprocess.run([path, "--version"], env=environment, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
            return path
    raise Missing(f"no {name} in PATH starts")


def lldb(bench):
    """lldb, with the commands of Docs/lldb: breakpoints, a call, a watchpoint, and backwards."""
    program = runnable("lldb", bench.environment)
    serving = subprocess.Popen([bench.bis, "replay", "--port", "0", "--tape", "0", bench.trace("stages")], env=bench.environment,
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    port = re.search(r":(\d+)$", serving.stderr.readline().strip())[1]
    commands = [f"command source -s 1 {bench.root}/Docs/lldb/bis.lldb", f"gdb-remote {port}", "breakpoint set -n begin", "continue", "when",
                "expression child(3)", "watchpoint set variable work", "continue", "watchpoint delete", "checkpoint here", "seek 0:95%", "si",
                "when", "restart 1", "si", "when", "backwards", "continue", "when", "forwards", "breakpoint delete", "continue", "when", "kill"]
    script = os.path.join(bench.place, "script.lldb")
    with open(script, "w") as file:
        file.write("settings set auto-confirm true\n" + "\n".join(commands) + "\n")
    done = subprocess.run([program, "-b", "-s", script, os.path.join(bench.place, "stages")], env=bench.environment, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        serving.wait(10)
    except subprocess.TimeoutExpired:
        serving.kill()
        raise AssertionError("the server stays: " + done.stdout)
    return done.stdout, [
        r"stop reason = breakpoint 1.1", r"begin\(number=", r"^0:\d+\+\d+@", r"\(int\) \$0 = 3", r"Watchpoint 1 hit", r"Checkpoint 1 at (\S+)",
        r"\((94|95)\.\d% of stages", r"^0:\d+\+\d+@", r"stop reason = breakpoint 1.1", r"^0:\d+\+\d+@", r"stop reason = exec", r"^3:1\+0@"]


def machine_interface(bench):
    """What an IDE says."""
    words = ["-break-insert main", "-exec-continue", "-stack-list-frames", "-break-insert twice", "-exec-continue", "-exec-finish",
             "-exec-continue --reverse", "-exec-continue --reverse", "-data-evaluate-expression a.x", "-gdb-exit"]
    with Terminal([bench.bis, "replay", "--interpreter", "mi", bench.trace("objects"), "--", "-nx"], bench.environment,
                  prompt=rb"\(gdb\) \r?\n") as user:
        for word in words[:-1]:
            user.command(word, until=rb"\*stopped.*?\(gdb\) \r?\n" if word.startswith("-exec") else None)
        user.command(words[-1], wait=False)
        assert user.end() == 0
        return user.output, [r"\^done,bkpt=", r"\*stopped,reason=\"breakpoint-hit\".*func=\"main\"", r"\^done,stack=", r"func=\"twice\"",
                             r"\*stopped,reason=\"function-finished\"", r"func=\"twice\"", r"func=\"main\"", r"\^done,value=\"1\""]


def server(bench):
    """--port: a gdb of one's own, which gets the files through the connection."""
    serving = subprocess.Popen([bench.bis, "replay", "--port", "0", bench.trace("objects")], env=bench.environment,
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    port = re.search(r":(\d+)$", serving.stderr.readline().strip())[1]
    done = subprocess.run(["gdb", "-nx", "-batch", "-ex", f"target remote 127.0.0.1:{port}", "-ex", "break twice", "-ex", "continue",
                           "-ex", "info sharedlibrary", "-ex", "reverse-stepi"], env=bench.environment, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert serving.wait(10) == 0
    return done.stdout, [r"twice \(x=3\)", r"Yes.*target:.*libstdc\+\+\.so\.6"]


def no_gdb(bench):
    done = subprocess.run([bench.bis, "replay", "--gdb", "no-such-gdb", bench.trace("loop")], env=bench.environment,
                          capture_output=True, text=True)
    assert done.returncode == 1, done.returncode
    return done.stderr, [r"cannot start gdb", r"apt install gdb"]


ALL = [start, breakpoints, library, backwards, who_wrote, start_and_end, signals, source_steps, positions, bookmarks_stay, calls,
       system_calls, corrupted_heap, thread_list, fifty_steps_back, fifty_steps_everywhere, fifty_steps_at_switches, random_walk, objects,
       local_files, terminal, programs, over_exec, fifty_steps_over_exec, forks, processes, replaced_programs, lldb, python_frames, diversion_policy, checkpoint_memory,
       process_information, machine_interface, server, no_gdb, *WATCHES]
