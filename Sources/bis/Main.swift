// bis: the command line. One file per command; what they share is in Support/.
import ArgumentParser
import Trace

/// The root command.
struct Bis: ParsableCommand {
  static let version = bisVersion

  static let configuration = CommandConfiguration(
    commandName: "bis",
    abstract: "Records a Linux program once and runs it again, exactly, anywhere.",
    discussion: """
      bis needs no privilege, no hardware counters and no particular CPU.

        bis record -- ls -l      run a program and keep everything it took in
        bis replay -a            run it again: same output, same exit status
        bis ps                   the processes of the recording
        bis events               what they did, call by call
        bis doctor               whether bis works on this machine, and with what

      A TRACE is the path of a recording, or its name as 'bis ls' shows it; the
      latest when left out. Recordings are kept in $BIS_TRACE_DIR, else in
      $XDG_DATA_HOME/bis, else in ~/.local/share/bis.

      Exit status: the program's for record and replay (128 + signal when it
      died of one), 1 when bis failed, 2 for wrong usage.
      """,
    version: version,
    subcommands: [
      RecordCommand.self, ReplayCommand.self, ProcessesCommand.self, InfoCommand.self, EventsCommand.self,
      StatsCommand.self, ListCommand.self, RemoveCommand.self, CPUCommand.self,
      DoctorCommand.self,
    ])
}

@main struct Main {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      if let options = RecordCommand.plainOptions(arguments) { try RecordCommand.run(options) }
      var command = try Bis.parseAsRoot(RecordCommand.withChecksumValue(arguments))
      try command.run()
    } catch {
      leave(error)
    }
  }
}
