// The TRACE argument that most commands have, and what is behind it.
import ArgumentParser
import Trace

/// `[TRACE]`: the latest recording when left out.
struct TraceArgument: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "A recording: its path, or its name as 'bis ls' shows it. Default: the latest.", valueName: "TRACE"))
  var trace: String?

  /// Finds it.
  func open() throws -> TraceDirectory { try TraceStore.standard().resolve(trace) }

  /// Finds it and reads what it says about itself.
  func read() throws -> (directory: TraceDirectory, manifest: Manifest) {
    let directory = try open()
    return (directory, try Manifest.read(directory))
  }
}

extension Manifest {
  /// The tapes of the processes that `-p` names: a process number, or the name of a program; nil: all.
  func tapes(of selection: String?) throws -> [TapeInfo] {
    guard let selection else { return tapes }
    let found = tapes.filter {
      String($0.pid) == selection || $0.programName == selection || $0.executable == selection
    }
    guard found.isEmpty else { return found }
    throw Failure("the recording has no process \(selection)", hint: "'bis ps' lists its processes")
  }
}

extension Manifest.TapeInfo {
  /// The last part of the executable's path.
  var programName: String { executable.split(separator: "/").last.map(String.init) ?? executable }

  /// Program and arguments as a shell would take them.
  var commandLine: String { quoted(arguments.isEmpty ? [executable] : arguments) }
}
