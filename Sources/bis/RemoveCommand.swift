import ArgumentParser
import Trace

/// `bis rm`
struct RemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rm",
    abstract: "Delete recordings.",
    discussion: "Only directories that bis made as recordings are deleted, and none that is being recorded.")

  @Argument(help: ArgumentHelp("Recordings: paths, or names as 'bis ls' shows them.", valueName: "TRACE"))
  var traces: [String]

  func run() throws {
    let store = TraceStore.standard()
    let found = try traces.map { try store.resolve($0) }
    for trace in found { try store.remove(trace) }
  }
}
