"""Races that ordinary recordings do not show and chaos mode does; and recordings that are killed at random moments."""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass

import harness

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(os.path.dirname(HERE), "Chaos")
RIGHT, WRONG = 0, 3                 # exit status of the programs in Tests/Chaos


def folder_of(name, runner):
    place = os.path.join(runner.work, re.sub(r"\W", "_", name))
    here = os.path.join(place, "here")
    os.makedirs(here)
    env = {"PATH": "/usr/bin:/bin", "HOME": place, "LC_ALL": "C", "XDG_CACHE_HOME": os.path.join(runner.work, "cache")}
    return place, here, env


def compiled(source, place):
    output = os.path.join(place, "program")
    subprocess.run(["gcc", "-O1", "-g", "-w", "-o", output, os.path.join(SOURCES, source + ".c"), "-lpthread"], check=True)
    return output


@dataclass
class ChaosRow:
    """A program with a race: never seen in `ordinary` recordings, found with one of the seeds 1 to `seeds`."""
    name: str
    ordinary: int = 5
    seeds: int = 60
    timeout: int = 60
    long: bool = False
    needs: tuple = ("gcc",)
    cpu: tuple = ()

    def check(self, runner):
        result = harness.Result(self.name, "passed")
        place, here, env = folder_of(self.name, runner)
        started = time.monotonic()
        try:
            program = compiled(self.name.split("/")[1], place)
            trace = os.path.join(place, "trace")
            for _ in range(self.ordinary):
                got = harness.run([runner.bis, "record", "-o", trace, "--", program], here, env, self.timeout)
                shutil.rmtree(trace)
                if got.status != RIGHT:
                    raise harness.Failure(f"an ordinary recording ended with status {got.status}: {got.err[-300:]}")
            seed = self.find(runner, program, trace, here, env)
            result.notes.append(f"seed {seed}")
            for _ in range(2):
                again = harness.run([runner.bis, "replay", "-a", "--all", trace], here, env, self.timeout)
                if again.status != self.found.status or again.out != self.found.out:
                    raise harness.Failure(f"the replay of seed {seed} differs: {again.status} {again.out} {again.err[-300:]}")
        except harness.Failure as failure:
            result.verdict, result.why = "failed", str(failure)
        result.seconds["all"] = time.monotonic() - started
        harness.end_all_descendants()
        shutil.rmtree(place, ignore_errors=True)
        return result

    def find(self, runner, program, trace, here, env):
        """The first seed that shows the race; its recording is at `trace`. Every recording on the way must replay."""
        for seed in range(1, self.seeds + 1):
            got = harness.run([runner.bis, "record", "-o", trace, f"--chaos-seed={seed}", "--checksum=7", "--", program], here,
                              env, self.timeout)
            if got.status not in (RIGHT, WRONG):
                raise harness.Failure(f"seed {seed}: status {got.status}, {got.err[-300:]}")
            if f"chaos seed: {seed}".encode() not in got.err:
                raise harness.Failure(f"the seed {seed} is not printed")
            if got.status == WRONG:
                self.found = got
                return seed
            again = harness.run([runner.bis, "replay", "-a", "--all", trace], here, env, self.timeout)
            if again.status != got.status or again.out != got.out:
                raise harness.Failure(f"the replay of seed {seed} differs: {again.status} {again.out} {again.err[-300:]}")
            shutil.rmtree(trace)
        raise harness.Failure(f"not found with {self.seeds} seeds")


KILLED = [  # programs of all kinds that run for a second or more
    ["bash", "-c", "for ((i = 0; i < 200; i++)); do /bin/echo $i; done"],
    ["bash", "-c", "for ((i = 0; i < 150000; i++)); do ((s += i)); done; echo $s"],
    ["python3", "-c", "import threading, queue\nq = queue.Queue()\n"
     "def f():\n  while q.get() is not None: pass\n"
     "ts = [threading.Thread(target=f) for _ in range(4)]\n[t.start() for t in ts]\n"
     "for i in range(40000): q.put(i)\n[q.put(None) for _ in ts]\n[t.join() for t in ts]"],
    ["find", "/usr/lib", "/usr/share", "-newer", "/etc/passwd"],
    ["sort", "--parallel=2", "-S", "1M", "/proc/self/exe"],
    ["bash", "-c", "seq 300000 | sort -R | awk '{s += $1} END {print s}'"],
    ["dd", "if=/dev/zero", "of=/dev/null", "bs=64", "count=400000"],
]


@dataclass
class KillRow:
    """`kill -9` of bis, of the program, or of both, at random moments: every tape replays to its last complete event."""
    name: str
    kills: int = 200
    timeout: int = 60
    long: bool = True
    needs: tuple = ("python3", "gcc")
    cpu: tuple = ()

    def check(self, runner):
        result = harness.Result(self.name, "passed")
        place, here, env = folder_of(self.name, runner)
        chance = random.Random(5)
        started = time.monotonic()
        counts = {"complete": 0, "cut": 0, "nothing": 0}
        try:
            for number in range(self.kills):
                counts[self.one(runner, number, chance, place, here, env)] += 1
            if counts["cut"] < self.kills / 4:
                raise harness.Failure(f"too few recordings were cut: {counts}")
        except harness.Failure as failure:
            result.verdict, result.why = "failed", f"{failure}\n{counts}"
        result.seconds["all"] = time.monotonic() - started
        result.notes.append(str(counts))
        print(f"note   {self.name}: {counts}", flush=True)
        harness.end_all_descendants()
        shutil.rmtree(place, ignore_errors=True)
        return result

    def one(self, runner, number, chance, place, here, env):
        trace = os.path.join(place, "trace")
        shutil.rmtree(trace, ignore_errors=True)
        program = KILLED[number % len(KILLED)]
        how = ("bis", "program", "both")[number // len(KILLED) % 3]
        child = subprocess.Popen([runner.bis, "record", "-o", trace, "--", *program], cwd=here, env=env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(chance.uniform(0.005, 0.6))
        below = harness.descendants(child.pid)
        victims = {"bis": [child.pid], "program": below[:1], "both": [*below, child.pid]}[how]
        for pid in victims:             # descendants of the Popen made here, and nothing else
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        try:
            child.wait(self.timeout)
        except subprocess.TimeoutExpired:
            raise harness.Failure(f"kill {number} ({how}, {program[0]}): the recording does not end")
        harness.end_all_descendants()
        if not os.path.exists(os.path.join(trace, "manifest")) or not any(f.startswith("tape") for f in os.listdir(trace)):
            return "nothing"
        what = f"kill {number} ({how}, {program[0]})"
        got = harness.run([runner.bis, "replay", "-a", "--all", trace], here, env, self.timeout)
        messages = [line for line in got.err.decode(errors="replace").splitlines() if line.startswith("bis: ")]
        if messages == ["bis: the trace holds no tape"]:    # killed before there was a program
            return "nothing"
        wrong = [m for m in messages if not re.match("bis: (" + "|".join(self.EXPECTED) + ")", m)]
        if wrong or (got.status in (1, 2) and not messages):
            raise harness.Failure(f"{what}: replay status {got.status}: {wrong or got.err[-300:]}")
        if status := harness.run([runner.bis, "stats", trace], here, env, self.timeout).status:
            raise harness.Failure(f"{what}: bis stats ends with {status}")
        return "cut" if messages or got.status == 137 else "complete"

    EXPECTED = ("the recording ended before its program did", "bis was killed, or the disk was full")


def rows():
    return [ChaosRow("chaos/lost_update"), ChaosRow("chaos/lost_wakeup"), ChaosRow("chaos/use_after_free"),
            KillRow("robustness/kill_9", kills=200)]
