"""Bash scripts of commands_rows.py: what bis does with signals that somebody sends to it, or to its process group."""

COMMON = r"""
cat > common.py <<'P'
import os, pty, signal, sys, time
def exec_bis(name, script, *options):
    os.execvp(os.environ["BIS"], ["bis", "record", "--checksum=1", *options, "-o", name, "--", "sh", "-c", script])
def begin(name, script, *options):
    pid, fd = pty.fork()
    if pid == 0: exec_bis(name, script, *options)
    return pid, fd
def until(fd, *words):
    seen = b""
    while not any(w in seen for w in words): seen += os.read(fd, 1000)
    return seen.decode()
def end(name, pid, fd):
    try:
        while fd >= 0 and os.read(fd, 1000): pass
    except OSError: pass
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    again = os.waitstatus_to_exitcode(os.system("$BIS replay -a --all " + name + " > out 2>&1"))
    print(name, status, again, "incomplete" if "ended before" in open("out").read() else "complete")
P
cat > s.py <<'P'
from common import *
"""

# Ctrl-C: the program gets it, dies of it (or not), and the trace is complete. (Not with a program that dash starts right after
# "ready": it loses a SIGINT that comes at that moment, also without bis.)
INTERRUPT = COMMON + r"""
def interrupted(script, name):
    pid, fd = begin(name, script)
    until(fd, b"ready")
    os.write(fd, b"\x03")
    end(name, pid, fd)
interrupted("echo ready; read x", "dies")
interrupted("echo ready; while :; do :; done", "computes")
interrupted("trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done", "catches")
interrupted("sleep 20 | cat & sleep 20 | cat & echo ready; wait; sleep 20", "many")
P
python3 s.py"""

# What bis gets is for the program, once: whether it was sent to bis, to the group, or by a terminal that went away.
RELAYED = COMMON + r"""
pid, fd = begin("counts", "n=0; trap 'n=$((n+1)); echo n=$n.' TERM HUP; trap 'exit $n' USR1; echo ready; while :; do sleep 0.05; done")
until(fd, b"ready")
for step, send in enumerate([lambda: os.kill(pid, signal.SIGTERM), lambda: os.killpg(pid, signal.SIGTERM),
                             lambda: os.kill(pid, signal.SIGHUP), lambda: os.killpg(pid, signal.SIGHUP)], 1):
    send()
    until(fd, b"n=%d." % step)
    time.sleep(0.2)
os.kill(pid, signal.SIGUSR1)
end("counts", pid, fd)
pid, fd = begin("hangup", "trap 'exit 6' HUP; echo ready; while :; do sleep 0.05; done")
until(fd, b"ready")
os.close(fd)
end("hangup", pid, -1)
pid, fd = begin("computes", "echo ready; while :; do :; done")
until(fd, b"ready")
os.kill(pid, signal.SIGTERM)
end("computes", pid, fd)
pid, fd = pty.fork()
if pid == 0:  # a shell with a job: stopped by Ctrl-Z, continued and ended by signals for bis alone
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        exec_bis("stops", "trap 'echo goes on' CONT; echo ready; while :; do :; done")
    if os.WIFSTOPPED(os.waitpid(job, os.WUNTRACED)[1]): os.write(1, b"job=%d." % job)
    os.kill(job, signal.SIGCONT)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]))
until(fd, b"ready")
os.write(fd, b"\x1a")
job = int(until(fd, b"goes on").split("job=")[1].split(".")[0])
os.kill(job, signal.SIGTERM)
end("stops", pid, fd)
pid, fd = begin("group", "trap 'exit 7' TERM; kill 0; while :; do sleep 0.05; done")
end("group", pid, fd)
pid, fd = begin("waits", "setsid sleep 100 & echo ready", "-w")
until(fd, b"ready")
time.sleep(0.3)
os.kill(pid, signal.SIGTERM)
print("still running" in until(fd, b"trace:"))
end("waits", pid, fd)
P
python3 s.py; timeout 3 $BIS record -o t -- sh -c 'trap "echo caught; exit 5" TERM; while :; do sleep 0.05; done'; echo $?; $BIS replay -a --all t; echo $?"""
RELAYED_EXPECT = ("^counts 4 4 complete\nhangup 6 6 complete\ncomputes 143 143 complete\nstops 143 143 complete\ngroup 7 7 complete\n"
                  "True\nwaits 0 0 complete\ncaught\n124\ncaught\n5\n")
