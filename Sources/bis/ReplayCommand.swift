import ArgumentParser
import Glibc
import Linux
import Replay
import Trace

/// `bis replay`
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Run a recording again, exactly: in gdb, forwards and backwards, or without a debugger.",
    usage: """
      bis replay [TRACE] [-p PID|NAME] [--goto POSITION] [-- GDB-ARG...]
      bis replay --port N [TRACE] [-p PID|NAME]
      bis replay -a [TRACE] [--all] [-p PID|NAME]
      """,
    discussion: """
      The program runs again with what it took in then. No file, network, clock
      or terminal is touched; inputs, program and working directory need not be
      there any more. What it wrote to standard output and standard error is
      echoed, every event is checked, and so are all registers and memory at
      each checksum that the recording has (bis record --checksum); the exit
      status is the recorded one. The first difference stops the replay and is
      shown.

        bis replay                     the latest recording in gdb
        bis replay -p cc1 --goto 50%   the process that ran cc1, in the middle
        bis replay build-3 -- -batch -ex 'break abort' -ex continue -ex bt
        bis replay --port 1234         for any client: target remote :1234
        bis replay -a --all build-3    no debugger, all processes

      In gdb everything works in both directions: reverse-continue, reverse-step,
      reverse-finish, watchpoints. There are more commands: when, seek POSITION,
      checkpoint, restart N, back, forward, events, bookmark NAME, diff-at
      POSITION EXPRESSION; 'monitor help' lists what the replay knows. Calling a
      function (print f(x)) runs it in a copy; the replay stays as it is.

      A POSITION is EVENT, EVENT+TICKS, a percentage, start, end or a bookmark.
      """)

  @Flag(name: [.customShort("a"), .long], help: "Replay without a debugger, to the end.")
  var autopilot = false

  @Flag(help: "Replay every process of the recording.")
  var all = false

  @Option(
    name: [.customShort("p"), .long],
    help: ArgumentHelp("Replay one process: its number or its program's name ('bis ps').", valueName: "PID|NAME"))
  var process: String?

  @Option(help: ArgumentHelp("Begin the debugger's session there.", valueName: "POSITION"))
  var goto: String?

  @Option(
    help: ArgumentHelp("Serve gdb's remote protocol at this port instead of starting gdb (0: any).", valueName: "N"))
  var port: UInt16?

  @Option(help: ArgumentHelp("The address to serve at.", valueName: "ADDRESS"))
  var host = "127.0.0.1"

  @Option(help: ArgumentHelp("gdb's interpreter: mi for IDEs.", valueName: "NAME"))
  var interpreter: String?

  @Option(help: ArgumentHelp("The gdb to start.", valueName: "PROGRAM"))
  var gdb = "gdb"

  @Flag(help: "With -p: begin where the process was forked, not where it became its program.")
  var onfork = false

  @Option(
    help: ArgumentHelp(
      "Debug this tape: of a process that became several programs, one of them.", valueName: "N"))
  var tape: UInt64?

  @Option(help: ArgumentHelp("Memory for checkpoints in MB (default: a quarter of the machine's).", valueName: "MB"))
  var checkpointMemory: Int?

  @Option(
    help: ArgumentHelp(
      "What functions called from gdb may do besides reading: files, signals, sockets (separated by commas), or all.",
      valueName: "LIST"))
  var diversionPolicy: String?

  @Flag(help: "Tell at the end how many events and checksums were compared.")
  var checksumVerbose = false

  @OptionGroup var trace: TraceArgument

  @Argument(parsing: .postTerminator, help: ArgumentHelp("Arguments for gdb.", valueName: "GDB-ARG"))
  var debuggerArguments: [String] = []

  func run() throws {
    guard !(all && process != nil) else { throw Failure.usage("--all and -p exclude each other") }
    let directory = try trace.open()
    guard autopilot else { throw ExitCode(try debug(directory)) }
    var options = ReplayOptions()
    options.trace = directory.path
    options.process = process
    options.all = all
    options.quiet = false
    let (status, isIncomplete) = try replayed(options)
    let outcome = try Manifest.read(directory).outcome
    guard outcome != nil, outcome != .lost, !isIncomplete else {
      throw Failure(
        "the recording ended before its program did: replayed to its last complete event",
        hint: "bis was killed, or the disk was full; what happened after that is not known")
    }
    throw ExitCode(status)
  }

  private func replayed(_ options: ReplayOptions) throws(Failure) -> (status: Int32, isIncomplete: Bool) {
    do {
      let (status, report) = try replayAutopilot(options)
      if checksumVerbose {
        let processes = count(report.processes, "process", plural: "processes")
        complain("replayed \(report.events) events, compared \(report.checksums) checksums, in \(processes)")
      }
      return (status, report.isIncomplete)
    } catch {
      let message = error.divergence.map { "\(error.message)\n\($0)" } ?? error.message
      throw Failure(message, hint: error.hint)
    }
  }
}
