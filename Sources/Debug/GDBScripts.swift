// What gdb is started with: settings, and commands that gdb does not have itself.
//
// gdb forgets what it knows of registers, memory and threads only when the target resumes. So a command that goes
// somewhere tells the target where, and resumes it with stepi: the target goes there instead of stepping.

public enum GDBScripts {
  /// For every gdb.
  public static let plain = """
    set confirm off
    set breakpoint pending on
    set remotetimeout 100000
    set tcp auto-retry off
    set stack-cache off
    set code-cache off
    set max-value-size 67108864

    define when
      monitor when
    end
    document when
    Show the position in the recording: event, ticks after it, instruction.
    end

    define seek
      monitor seek $arg0
      stepi
    end
    document seek
    seek POSITION: go to EVENT, EVENT+TICKS, N%, start, end or a bookmark.
    end

    define back
      monitor back
      stepi
    end
    document back
    Go to the position visited before.
    end

    define forward
      monitor forward
      stepi
    end
    document forward
    Undo 'back'.
    end

    define checkpoint
      monitor checkpoint
    end
    document checkpoint
    Remember this position; 'restart N' comes back.
    end

    define checkpoints
      monitor checkpoints
    end
    document checkpoints
    List the checkpoints.
    end

    define restart
      monitor restart $arg0
      stepi
    end
    document restart
    restart N: go to checkpoint N.
    end

    define events
      monitor events
    end
    document events
    Show the recorded events around this position.
    end

    define bookmark
      monitor bookmark $arg0
    end
    document bookmark
    bookmark NAME: keep this position in the recording; 'seek NAME' comes back, in later sessions, too.
    end

    """

  /// For a gdb with Python: the same with error messages, optional arguments, and what bis has to say.
  /// - Parameter socket: where to connect to.
  public static func python(socket: String) -> String { "BIS_SOCKET = \"\(socket)\"\n" + pythonText }

  private static let pythonText = #"""
    import gdb


    def monitor(command):
        # (a gdb before 14 shows no words of an error)
        answer = gdb.execute("monitor try " + command, to_string=True)
        word, _, text = answer.partition(" ")
        if word.strip() == "error":
            raise gdb.GdbError(text.strip())
        return text if text.strip() else ""


    class Show(gdb.Command):
        """Prints what the target answers."""

        def __init__(self, name, verb, text, kind=gdb.COMMAND_STATUS):
            self.verb = verb
            self.__doc__ = text
            super().__init__(name, kind)

        def invoke(self, argument, from_tty):
            gdb.write(monitor((self.verb + " " + argument).strip()))


    class Go(Show):
        """Tells the target where to go, and has gdb forget what it knew."""

        def invoke(self, argument, from_tty):
            gdb.write(monitor((self.verb + " " + argument).strip()))
            gdb.execute("stepi", from_tty)


    class DiffAt(gdb.Command):
        """diff-at POSITION EXPRESSION: show an expression's value there and here."""

        def __init__(self):
            super().__init__("diff-at", gdb.COMMAND_DATA)

        def value(self, expression):
            try:
                return gdb.parse_and_eval(expression).format_string()
            except gdb.error as error:
                return "<%s>" % error

        def go(self, position):
            monitor("seek " + position)
            gdb.execute("stepi", to_string=True)

        def invoke(self, argument, from_tty):
            words = argument.split(None, 1)
            if len(words) != 2:
                raise gdb.GdbError("diff-at POSITION EXPRESSION")
            here = monitor("position").strip()
            now = self.value(words[1])
            try:
                self.go(words[0])
                then = self.value(words[1])
                there = monitor("position").strip()
            finally:
                self.go(here)
            same = "the same" if then == now else "different"
            gdb.write("%s at %s:\n  %s\nhere, at %s (%s):\n  %s\n" % (words[1], there, then, here, same, now))


    class Process(gdb.Command):
        """process [PID|NAME]: list the processes of the recording, or look at another one."""

        def __init__(self):
            super().__init__("process", gdb.COMMAND_RUNNING)

        def invoke(self, argument, from_tty):
            gdb.write(monitor(("process " + argument).strip()))
            if not argument.strip():
                return
            gdb.execute("disconnect", to_string=True)
            gdb.execute("file", to_string=True)
            gdb.execute("target remote " + BIS_SOCKET)


    Show("when", "when", "Show the position in the recording: event, ticks after it, instruction.")
    Show("checkpoint", "checkpoint", "checkpoint [NOTE]: remember this position; 'restart N' comes back.", gdb.COMMAND_RUNNING)
    Show("info checkpoints", "checkpoints", "List the checkpoints.")
    Show("delete checkpoint", "delete-checkpoint", "delete checkpoint N: forget a checkpoint.", gdb.COMMAND_RUNNING)
    Show("events", "events", "events [N]: show N recorded events around this position.")
    Show("bookmark", "bookmark", "bookmark NAME: keep this position in the recording; 'seek NAME' comes back, in later sessions, too.")
    Show("info bookmarks", "bookmarks", "List the bookmarks kept in the recording.")
    Show("delete bookmark", "delete-bookmark", "delete bookmark NAME: forget a bookmark.")
    Go("seek", "seek", "seek [TAPE:]POSITION: go to EVENT, EVENT+TICKS, N%, start, end or a bookmark; in another program of the process: TAPE:POSITION.", gdb.COMMAND_RUNNING)
    Go("back", "back", "Go to the position visited before.", gdb.COMMAND_RUNNING)
    Go("forward", "forward", "Undo 'back'.", gdb.COMMAND_RUNNING)
    Go("restart", "restart", "restart [N]: go to checkpoint N, or to the start.", gdb.COMMAND_RUNNING)
    Go("run", "restart", "Go to the start of the recording.", gdb.COMMAND_RUNNING)
    Show("info programs", "programs", "List the programs that this process was, one after the other.")
    Show("info processes", "process", "List the processes of the recording.")
    Process()
    DiffAt()


    def tell(event):
        try:
            gdb.write(monitor("notices"))
        except gdb.error:
            pass


    class Enabled:
        """Which breakpoints are on for their owner: gdb switches off those that it cannot find in a program, and there may
        be another program before or after."""

        def __init__(self):
            self.states = {}
            self.program = None

        def note(self, breakpoint):
            same = gdb.current_progspace().filename == self.program and not breakpoint.pending
            if breakpoint.enabled or same:
                self.states[breakpoint.number] = breakpoint.enabled

        def look(self, event):
            program = gdb.current_progspace().filename
            if program == self.program:
                return
            self.program = program
            for breakpoint in gdb.breakpoints():
                if self.states.get(breakpoint.number) and not breakpoint.enabled:
                    breakpoint.enabled = True


    enabled = Enabled()
    gdb.events.breakpoint_created.connect(enabled.note)
    gdb.events.breakpoint_modified.connect(enabled.note)
    gdb.events.new_objfile.connect(enabled.look)
    gdb.events.stop.connect(tell)
    """#
}
