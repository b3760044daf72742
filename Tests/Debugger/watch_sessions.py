"""Sessions with more and larger watchpoints than debug registers hold: code that asks before it touches memory."""

PRELUDE = """
python
import gdb
events = []
gdb.events.stop.connect(events.append)
def run(command): return gdb.execute(command, to_string=True)
def move(command):
    "Moves; the watched expression that stopped it, or None."
    run(command)
    return events[-1].breakpoint.expression if isinstance(events[-1], gdb.BreakpointEvent) else None
def value(expression): return int(gdb.parse_and_eval(expression))
def place():
    "The innermost function of the program's own source."
    frame = gdb.selected_frame()
    while not frame.find_sal().symtab or not frame.find_sal().symtab.filename.endswith("watched.c"): frame = frame.older()
    return frame.name()
def when(): return run("monitor position").strip()
def to_main():
    run("seek start"); run("tbreak main"); run("continue")
def everything(way, told):
    "Moves on until nothing stops; what `told` says at each stop."
    said = []
    while move(way): said.append(told())
    return said
def same(a, b): assert a == b, (a, b)
""".splitlines()


def python(bench, lines, timeout=300):
    return bench.gdb("watched", PRELUDE + lines.splitlines() + ["end"], timeout=timeout)


def twenty(bench):
    """Twenty at once: every write of theirs, no other; the way back; the last writer as a debug register tells it."""
    return python(bench, """
to_main()
for i in range(20): run("watch slots[%d]" % (2 * i))
for i in range(20):
    same(move("continue"), "slots[%d]" % (2 * i))
    same((value("slots[%d]" % (2 * i)), place()), (i + 1, "main"))
same(everything("continue", place), ["work"] * 6)
end = (when(), run("monitor checksum"))
same(everything("reverse-continue", place), ["work"] * 6 + ["main"] * 20)
run("delete"); run("seek end")
same((when(), run("monitor checksum")), end)
def last_writer(slot, others):
    "Where the last write of a slot is, from the end, with other watchpoints."
    run("seek end")
    for i in [slot] + others: run("watch slots[%d]" % i)
    found = ""
    while found != "slots[%d]" % slot:
        found = move("reverse-continue")
        assert found
    found = when(), value("slots[%d]" % slot), place()
    run("delete")
    return found
for slot in (2, 4, 38):
    same(last_writer(slot, []), last_writer(slot, [i for i in range(0, 40, 2) if i != slot]))
print("twenty watched")"""), [r"twenty watched"]


def large(bench):
    """A page and a megabyte: string instructions, vectors, masks, bits, calls of the system."""
    return python(bench, """
to_main()
run("watch -l page")
same(everything("continue", place), ["strings", "strings", "vectors", "vectors", "bits", "main"])
same(everything("reverse-continue", place), ["main", "bits", "vectors", "vectors", "strings", "strings"])
run("delete"); to_main()
run("watch -l field")
count = len(everything("continue", place))
same([value("((char *)field)[%d]" % i) for i in (0, 99, 100, 1 << 19, (1 << 20) - 1)], [1, 1, 0, 2, 3])
assert 3 <= count <= 60, count
move("reverse-continue")
same((value("field[1 << 16]"), value("((char *)field)[(1 << 20) - 101]")), (2, 0))
same(len(everything("reverse-continue", place)), count - 1)
run("delete"); to_main(); same(value("field[0]"), 0)
print("large watched", count)"""), [r"large watched"]


def reads(bench):
    """awatch and rwatch beyond debug registers; a condition."""
    return python(bench, """
to_main()
for i in range(4): run("awatch slots[%d]" % (2 * i))
run("rwatch beside")
same([(move("continue"), place()) for i in range(3)], [("beside", "hot")] * 3)
run("delete"); run("tbreak vectors"); run("continue")
for i in range(1, 20): run("watch slots[%d]" % (2 * i))
run("watch slots[0] if slots[0] > 5")
same(everything("continue", place), ["main"] * 19 + ["work"] * 6)
same(value("slots[0]"), 1)
print("reads watched")"""), [r"reads watched"]


WATCHES = [twenty, large, reads]
