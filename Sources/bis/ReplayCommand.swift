import ArgumentParser
import Replay
import Trace

/// `bis replay`
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Run a recording again, exactly.",
    usage: "bis replay -a [TRACE] [--all] [-p PID|NAME]",
    discussion: """
      The program runs again with what it took in then. No file, network, clock
      or terminal is touched; inputs, program and working directory need not be
      there any more. What it wrote to standard output and standard error is
      echoed, every event is checked, and the exit status is the recorded one.
      The first difference stops the replay and is shown.

        bis replay -a                  the latest recording, its first process
        bis replay -a --all build-3    all processes of a recording
        bis replay -a -p cc1           the process that ran cc1

      The debugger (bis replay without -a) is not in this version.
      """)

  @Flag(name: [.customShort("a"), .long], help: "Replay without a debugger, to the end.")
  var autopilot = false

  @Flag(help: "Replay every process of the recording.")
  var all = false

  @Option(
    name: [.customShort("p"), .long],
    help: ArgumentHelp("Replay one process: its number or its program's name ('bis ps').", valueName: "PID|NAME"))
  var process: String?

  @Flag(help: "Tell at the end how many events and checksums were compared.")
  var checksumVerbose = false

  @OptionGroup var trace: TraceArgument

  func run() throws {
    guard !(all && process != nil) else { throw Failure.usage("--all and -p exclude each other") }
    let directory = try trace.open()
    guard autopilot else {
      throw Failure(
        "the debugger is not in this version",
        hint: "replay without it: bis replay -a\(trace.trace.map { " " + quoted([$0]) } ?? "")")
    }
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
