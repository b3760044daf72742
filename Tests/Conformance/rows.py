"""What a row of the conformance run is, and the guests found by folder."""

import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
GUESTS = os.path.join(os.path.dirname(HERE), "Guests")


@dataclass
class Row:
    name: str
    argv: list                      # "@name" is replaced by the path of a built guest's copy
    setup: str = ""                 # bash, run natively in the row's folder before each run
    env: dict = field(default_factory=dict)
    stdin: str = ""
    needs: tuple = ()               # programs that must exist
    cpu: tuple = ()                 # flags of /proc/cpuinfo that must exist
    long: bool = False              # only with --long
    varies: bool = False            # its output differs from run to run: record and replay are compared only
    concurrent: bool = False        # processes that write at the same time: lines are compared without their order
    refused: str = ""               # bis must refuse it, with a message that holds this word
    ignore: tuple = ()              # globs of files made that differ from run to run
    timeout: int = 30               # seconds, of each step
    checksum: int = 1               # every n-th event is checked with all registers and memory
    guest: str = ""                 # path of a built guest


VARIANTS = {
    "dynamic": ["-fPIE", "-pie"],
    "no-pie": ["-fno-pie", "-no-pie"],
    "static": ["-static", "-fno-pie", "-no-pie"],
    "static-pie": ["-static-pie", "-fPIE"],
}


def directives(path):
    """The `// bis: key=value` lines at the head of a guest's source."""
    found = {}
    with open(path) as source:
        for line in source:
            if not line.startswith("//"):
                break
            match = re.match(r"// bis: ([a-z]+)(?:=(.*))?$", line.rstrip())
            if match:
                found[match[1]] = match[2] or "yes"
    return found


def compile_guest(source, variant, extra, output):
    newest = max(os.path.getmtime(source), os.path.getmtime(os.path.join(GUESTS, "asm", "guest.inc")))
    if os.path.exists(output) and os.path.getmtime(output) >= newest:
        return
    os.makedirs(os.path.dirname(output), exist_ok=True)
    if source.endswith(".S"):
        command = ["gcc", "-nostdlib", "-I", os.path.dirname(source)]
    else:
        command = ["g++" if source.endswith(".cc") else "gcc", "-O1", "-g", "-w"]
    command += VARIANTS[variant] + ["-o", output + ".new", source] + extra
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"cannot compile {source}:\n{shlex.join(command)}\n{done.stderr}")
    os.rename(output + ".new", output)


def guest_rows(build, long, wanted):
    """One row per guest and variant; what `wanted` accepts is compiled into the folder `build`."""
    rows = []
    for folder in sorted(os.listdir(GUESTS)):
        place = os.path.join(GUESTS, folder)
        if not os.path.isdir(place):
            continue
        for file in sorted(os.listdir(place)):
            stem, extension = os.path.splitext(file)
            if extension not in (".c", ".cc", ".S"):
                continue
            source = os.path.join(place, file)
            says = directives(source)
            default = "static" if extension == ".S" else "dynamic"
            variants = says.get("variants", default).split(",")
            if long and extension == ".c" and "static" not in variants and "-ldl" not in says.get("libs", ""):
                variants.append("static")
            for variant in variants:
                name = f"{folder}/{stem}" + (f":{variant}" if len(variants) > 1 else "")
                if not wanted(name):
                    continue
                output = os.path.join(build, folder, f"{stem}.{variant}", stem)
                env = dict([says["env"].split("=", 1)]) if "env" in says else {}
                rows.append(Row(
                    name=name, argv=["@" + stem] + shlex.split(says.get("args", "")), env=env,
                    cpu=tuple(filter(None, says.get("needs", "").split(","))), varies="varies" in says,
                    concurrent="concurrent" in says, refused=says.get("refused", ""), long="long" in says,
                    guest=output, timeout=int(says.get("timeout", "30")), checksum=int(says.get("checksum", "1"))))
                if long or not rows[-1].long:
                    compile_guest(source, variant, says.get("libs", "").split(), output)
    return rows
