import ArgumentParser
import Trace

/// `bis ps`
struct ProcessesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ps",
    abstract: "List the processes of a recording.",
    discussion: """
      One line per tape: a process has one from its birth, and another for each
      program it became by exec. EXIT is the status, the signal it died of, 'exec'
      when it went on as another program, or 'lost' when the recording stopped.
      """)

  @OptionGroup var trace: TraceArgument

  func run() throws {
    let (directory, manifest) = try trace.read()
    var rows = [["PID", "PPID", "TAPE", "BORN", "EXIT", "EVENTS", "COMMAND"]]
    for tape in manifest.tapes {
      let parent = tape.parent.flatMap(manifest.tape)
      let isExec = parent?.pid == tape.pid
      let grandparent = isExec ? parent.flatMap { ancestor(of: $0, in: manifest) } : parent
      rows.append([
        String(tape.pid), grandparent.map { String($0.pid) } ?? "-", String(tape.number), tape.origin.rawValue,
        describe(tape.end?.outcome), eventCount(tape, directory), tape.commandLine,
      ])
    }
    print(table(rows, right: [0, 1, 2, 4, 5]), terminator: "")
  }

  /// The tape of another process that this one comes from.
  private func ancestor(of tape: Manifest.TapeInfo, in manifest: Manifest) -> Manifest.TapeInfo? {
    var current = tape
    for _ in 0..<manifest.tapes.count {
      guard let parent = current.parent.flatMap(manifest.tape) else { return nil }
      if parent.pid != tape.pid { return parent }
      current = parent
    }
    return nil
  }

  /// As the manifest says, else (the recording was cut) as the tape does.
  private func eventCount(_ tape: Manifest.TapeInfo, _ directory: TraceDirectory) -> String {
    if let end = tape.end { return String(end.eventCount) }
    return (try? TapeFileReader(directory, tape: tape.number)).map { String($0.eventCount) } ?? "?"
  }
}
