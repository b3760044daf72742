"""Runs one row: natively, under `bis record`, and with `bis replay -a --all` where nothing of the recording is left."""

import ctypes
import fnmatch
import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import time
from dataclasses import dataclass, field

PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Result:
    row: str
    verdict: str                    # passed, failed, skipped
    why: str = ""
    notes: list = field(default_factory=list)
    seconds: dict = field(default_factory=dict)
    events: int = 0
    checksums: int = 0


class Failure(Exception):
    pass


def descendants(pid):
    """Process ids of all children of `pid`, and of theirs."""
    found = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children") as children:
                for child in map(int, children.read().split()):
                    found += [child] + descendants(child)
        except OSError:
            pass
    return found


def adopt_orphans():
    """What a step leaves behind becomes our child, so that it can be found and ended: those processes and no others."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def default_signals():
    """What a row starts has the default for each signal, and none blocked, whoever started this run: a shell's `&` ignores SIGINT
    and SIGQUIT for all that comes of it, nohup SIGHUP. (Ignored is inherited through exec, a handler that does nothing is not.)"""
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # (Python ignores these two, and gives them back itself)
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def end_all_descendants():
    left = 0
    for _ in range(50):
        alive = descendants(os.getpid())
        for child in alive:
            try:
                with open(f"/proc/{child}/stat") as status:
                    if status.read().rsplit(")", 1)[1].split()[0] != "Z":
                        left += 1
                os.kill(child, signal.SIGKILL)
            except OSError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return left
        time.sleep(0.02)
    return left


@dataclass
class Run:
    status: int                     # 128 + n for signal n
    out: bytes
    err: bytes
    seconds: float


def run(argv, cwd, env, timeout, stdin="/dev/null"):
    base = os.path.join(os.path.dirname(cwd.rstrip("/")), "output")
    started = time.monotonic()
    with open(stdin, "rb") as source, open(base + ".err", "wb") as err:
        child = subprocess.Popen(argv, cwd=cwd, env=env, stdin=source, stdout=subprocess.PIPE, stderr=err,
                                 start_new_session=True)
        try:
            out, _ = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            end_all_descendants()
            child.stdout.close()
            with open(base + ".err", "rb") as text:
                tail = text.read()[-600:].decode(errors="replace")
            raise Failure(f"no end after {timeout} s: {' '.join(argv)[:200]}\n{tail}")
    seconds = time.monotonic() - started
    with open(base + ".err", "rb") as text:
        errors = text.read()
    status = child.returncode if child.returncode >= 0 else 128 - child.returncode
    return Run(status, out, errors, seconds)


def tree(folder, ignore):
    """What stands in a folder: {path: kind, mode and content}."""
    found = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(place, name)
            relative = os.path.relpath(path, folder)
            if any(fnmatch.fnmatch(relative, pattern) for pattern in ignore):
                continue
            info = os.lstat(path)
            if stat.S_ISLNK(info.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            else:
                content = ""
            found[relative] = f"{info.st_mode:o} {content}"
    return found


def split_messages(err):
    """Standard error without bis's own lines, and those lines."""
    pattern = rb"(?m)^bis: .*\n?|bis: trace: .*\n\Z"   # the program's last line may lack its end
    own = re.findall(pattern, err)
    return re.sub(pattern, b"", err), [line.decode(errors="replace").rstrip() for line in own]


def difference(what, expected, found):
    a, b = expected.split(b"\n"), found.split(b"\n")
    for number, (x, y) in enumerate(zip(a, b), 1):
        if x != y:
            return f"{what} differs in line {number}: expected {x[:160]!r}, found {y[:160]!r}"
    return f"{what} differs: expected {len(a)} lines ({len(expected)} bytes), found {len(b)} lines ({len(found)} bytes)"


def compare(what, expected, found, row, order_matters=True):
    problems = []
    for name, x, y in (("stdout", expected.out, found.out), ("stderr", expected.err, found.err)):
        if x != y and (order_matters and not row.concurrent or sorted(x.split(b"\n")) != sorted(y.split(b"\n"))):
            problems.append(difference(f"{name} of the {what}", x, y))
    if expected.status != found.status:
        problems.append(f"exit status of the {what}: expected {expected.status}, found {found.status}")
    return problems


class Runner:
    def __init__(self, bis, work, isolate, keep, slow):
        self.bis, self.work, self.isolate, self.keep, self.slow = bis, work, isolate, keep, slow

    def environment(self, row, place):
        env = {"PATH": "/usr/bin:/bin", "HOME": os.path.join(place, "home"), "LC_ALL": "C", "TZ": "UTC",
               "TMPDIR": os.path.join(place, "tmp"), "USER": "guest", "XDG_CACHE_HOME": os.path.join(self.work, "cache")}
        env.update(row.env)
        return env

    def prepare(self, row, place, env):
        """An empty folder `here` with what the row's set-up makes."""
        here = os.path.join(place, "here")
        for name in ("here", "home", "tmp"):
            shutil.rmtree(os.path.join(place, name), ignore_errors=True)
            os.makedirs(os.path.join(place, name))
        if row.guest:
            os.makedirs(os.path.join(place, "bin"), exist_ok=True)
            shutil.copy2(row.guest, os.path.join(place, "bin", os.path.basename(row.guest)))
        if row.setup:
            done = run(["bash", "-ec", row.setup], here, env, 120)
            if done.status != 0:
                raise Failure(f"set-up failed: {done.err.decode(errors='replace')[-300:]}")
        return here

    def row(self, row):
        place = os.path.join(self.work, re.sub(r"[^\w.-]", "_", row.name))
        os.makedirs(place, exist_ok=True)
        result = Result(row.name, "passed")
        try:
            self.steps(row, place, result)
        except Failure as failure:
            result.verdict, result.why = "failed", str(failure)
        left = end_all_descendants()
        if left and result.verdict == "passed":
            result.verdict, result.why = "failed", f"{left} processes were left behind"
        if not (self.keep and result.verdict == "failed"):
            shutil.rmtree(place, ignore_errors=True)
        else:
            result.notes.append(f"kept: {place}")
        return result

    def steps(self, row, place, result):
        env = self.environment(row, place)
        argv = [os.path.join(place, "bin", a[1:]) if a.startswith("@") else a for a in row.argv]
        stdin = "/dev/null"
        if row.stdin:
            stdin = os.path.join(place, "stdin")
            with open(stdin, "w") as text:
                text.write(row.stdin)

        here = self.prepare(row, place, env)
        if not row.refused:
            native = run(argv, here, env, row.timeout, stdin)
            result.seconds["native"] = native.seconds
            native_tree = tree(here, row.ignore)
            here = self.prepare(row, place, env)

        trace = os.path.join(place, "trace")
        timeout = row.timeout * self.slow
        recorded = run([self.bis, "record", "-o", trace, f"--checksum={row.checksum}", "--", *argv], here, env, timeout, stdin)
        result.seconds["recorded"] = recorded.seconds
        recorded.err, messages = split_messages(recorded.err)
        result.notes += [m for m in messages if not m.startswith("bis: trace: ")]
        if row.refused:
            if recorded.status == 0 or row.refused not in " ".join(messages):
                raise Failure(f"not refused: status {recorded.status}, messages {messages}")
            return
        if left := end_all_descendants():
            raise Failure(f"recording left {left} processes behind")
        problems = [] if row.varies else compare("recording", native, recorded, row)
        if row.varies and native.status != recorded.status:
            problems.append(f"exit status of the recording: expected {native.status}, found {recorded.status}")
        recorded_tree = tree(here, row.ignore)
        if not row.varies and native_tree != recorded_tree:
            names = [n for n in sorted(native_tree.keys() | recorded_tree.keys()) if native_tree.get(n) != recorded_tree.get(n)]
            problems.append(f"files made by the recording differ: {', '.join(names[:5])}")
        if not messages or not messages[-1].startswith("bis: trace: "):
            problems.append("the last line of standard error does not name the trace")
        if problems:
            problems += messages
            raise Failure("\n".join(problems))

        moved = self.destroy(row, place, trace)
        elsewhere = os.path.join(place, "elsewhere")
        os.makedirs(elsewhere)
        replayed = run([*self.isolate, self.bis, "replay", "-a", "--all", "--checksum-verbose", moved], elsewhere,
                       {"PATH": "/usr/bin:/bin", "HOME": elsewhere, "XDG_CACHE_HOME": os.path.join(self.work, "cache"),
                        **{name: value for name, value in row.env.items() if name.startswith("BIS_")}}, timeout)
        result.seconds["replayed"] = replayed.seconds
        replayed.err, messages = split_messages(replayed.err)
        problems = compare("replay", recorded, replayed, row)
        if report := re.search(r"(\d+) events.* (\d+) checksums", " ".join(messages)):
            result.events, result.checksums = int(report[1]), int(report[2])
        if result.checksums == 0:
            problems.append("the replay compared no checksum")
        if os.listdir(elsewhere):
            problems.append(f"the replay left files: {os.listdir(elsewhere)}")
        if problems:
            raise Failure("\n".join(problems + messages[:6]))

    def destroy(self, row, place, trace):
        """The inputs, the program and the working directory of the recording are gone or changed; the trace has moved."""
        for name in ("here", "home", "tmp"):
            shutil.rmtree(os.path.join(place, name), ignore_errors=True)
        if row.guest:
            path = os.path.join(place, "bin", os.path.basename(row.guest))
            os.chmod(path, 0o755)
            with open(path, "r+b") as program:
                program.write(b"#!/bin/false\n" + b"\xcc" * (os.path.getsize(path) - 13))
        moved = os.path.join(place, "moved")
        if not os.path.isdir(trace):
            raise Failure("there is no trace where -o said")
        os.rename(trace, moved)
        return moved
