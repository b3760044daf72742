import ArgumentParser
import CPUModel
import Trace

/// `bis info`
struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Summarise a recording.")

  @OptionGroup var trace: TraceArgument

  func run() throws {
    let (directory, manifest) = try trace.read()
    let recording = manifest.recording
    let sizes = try directory.sizes()
    let known = manifest.tapes.compactMap(\.end)
    var rows = [
      ["trace", directory.path],
      ["command", quoted(recording.arguments)],
      ["in", recording.workingDirectory],
      ["begun", wallClock(recording.startNanoseconds, date: true)],
      ["ended", try ending(manifest, directory)],
      ["processes", "\(Set(manifest.tapes.map(\.pid)).count), on \(count(manifest.tapes.count, "tape"))"],
      [
        "events", "\(known.reduce(0) { $0 + $1.eventCount })" + (known.count < manifest.tapes.count ? " and more" : ""),
      ],
      [
        "size",
        "\(size(sizes.total)): tapes \(size(sizes.tapes)), mapped files \(size(sizes.files)) (\(count(manifest.files.count, "file")))",
      ],
      ["cpu", cpu(recording.cpuProfile)],
      ["recorded by", "bis \(recording.bisVersion) on Linux \(recording.kernel), \(recording.machine)"],
    ]
    if !recording.options.isEmpty {
      rows.append([
        "options", recording.options.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " "),
      ])
    }
    print(table(rows), terminator: "")
  }

  private func ending(_ manifest: Manifest, _ directory: TraceDirectory) throws -> String {
    switch manifest.outcome {
    case .exited(let status): return "with exit status \(status)"
    case .signalled: return "by \(describe(manifest.outcome))"
    case .exec: return "as another program"
    case .lost: return "not: the recording stopped first; it replays to its last complete event"
    case nil:
      if try directory.isBeingRecorded() { return "not yet: it is being recorded" }
      return "not: bis was killed; it replays to its last complete event"
    }
  }

  private func cpu(_ text: String) -> String {
    guard let profile = try? CPUProfile(text: text) else { return "unreadable" }
    return profile.summary.split(separator: "\n").first.map(String.init) ?? ""
  }
}
