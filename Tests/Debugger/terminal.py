"""A program at a terminal, and somebody who types."""

import os
import pty
import re
import select
import signal
import time


class Terminal:
    """Types commands when the prompt has come; `output` is everything that was seen."""

    def __init__(self, argv, environment, prompt=rb"\(gdb\) $", timeout=60):
        self.prompt, self.timeout, self.output = prompt, timeout, ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(argv[0], argv, environment)
        self.status = None

    def __enter__(self):
        self.until(self.prompt)
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def until(self, pattern):
        seen, late = b"", time.monotonic() + self.timeout
        while not re.search(pattern, seen, re.S):
            assert time.monotonic() < late, f"no {pattern}: {self.output}{seen.decode(errors='replace')}"
            if select.select([self.fd], [], [], 0.1)[0]:
                seen += self.read()
        self.output += seen.decode(errors="replace").replace("\r", "")

    def read(self):
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other side is closed
            data = b""
        assert data, f"it ended: {self.output}"
        return data

    def command(self, text, wait=True, until=None):
        os.write(self.fd, text.encode() + b"\n")
        if wait:
            self.until(until or self.prompt)

    def interrupt(self, after=0.5):
        time.sleep(after)
        os.write(self.fd, b"\x03")
        self.until(self.prompt)

    def kill_child(self, name, after):
        time.sleep(after)
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
            children = file.read().split()
        for child in children:
            with open(f"/proc/{child}/comm") as file:
                if file.read().strip() == name:
                    os.kill(int(child), signal.SIGKILL)

    def end(self):
        """Waits for its end; its exit status."""
        late = time.monotonic() + self.timeout
        while time.monotonic() < late:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
                return os.waitstatus_to_exitcode(status)
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.output += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    time.sleep(0.02)
        raise AssertionError(f"it does not end: {self.output}")
