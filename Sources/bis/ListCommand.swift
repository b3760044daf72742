import ArgumentParser
import Trace

/// `bis ls`
struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls",
    abstract: "List the recordings that are kept.",
    discussion: "Oldest first. They are in $BIS_TRACE_DIR, else $XDG_DATA_HOME/bis, else ~/.local/share/bis.")

  func run() throws {
    let store = TraceStore.standard()
    let traces = try store.list()
    guard !traces.isEmpty else {
      return complain("no recordings in \(store.path)", hint: "record something: bis record -- PROGRAM")
    }
    var rows = [["NAME", "BEGUN", "EXIT", "SIZE", "COMMAND"]]
    for trace in traces {
      guard let manifest = try? Manifest.read(trace) else {
        rows.append([trace.name, "?", "?", "?", "(unreadable)"])
        continue
      }
      let total = try trace.sizes().total
      rows.append([
        trace.name, wallClock(manifest.recording.startNanoseconds, date: true), describe(manifest.outcome), size(total),
        quoted(manifest.recording.arguments),
      ])
    }
    print(table(rows, right: [2, 3]), terminator: "")
  }
}
