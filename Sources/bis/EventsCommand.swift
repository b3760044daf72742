import ArgumentParser
import Syscalls
import Tape
import Trace

/// `bis events`
struct EventsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events",
    abstract: "Show what a recording holds, event by event.",
    discussion: """
      Each line: process, number of the event on its tape, time of day, event.
      Events of several processes are in the order in which they happened. System
      calls are shown with their result and the memory that they wrote; their
      other arguments are not on the tape (replay computes them again).

        bis events -p bash --from 100 --to 120
        bis events --json | jq 'select(.name == "openat" and .result < 0)'

      A POSITION is an event's number or a percentage of the tape (50%).
      """)

  @Option(
    name: [.customShort("p"), .long],
    help: ArgumentHelp("One process only: its number or its program's name.", valueName: "PID|NAME"))
  var process: String?

  @Option(help: ArgumentHelp("The first event to show, of each tape.", valueName: "POSITION"))
  var from: TapePosition = .start

  @Option(help: ArgumentHelp("The last event to show, of each tape.", valueName: "POSITION"))
  var to: TapePosition = .end

  @Flag(help: "One JSON object per line, with everything but the bytes.")
  var json = false

  @Flag(help: "Show checksums, too.")
  var checksums = false

  @OptionGroup var trace: TraceArgument

  func run() throws {
    let (directory, manifest) = try trace.read()
    var merge = EventMerge()
    for tape in try manifest.tapes(of: process) {
      try merge.add(tape, of: directory, from: from, to: to)
    }
    let describer = EventDescriber(manifest: manifest)
    while let (tape, event) = try merge.next() {
      if event.head.kind == .checksum && !checksums { continue }
      print(json ? describer.json(event, of: tape).text : describer.line(event, of: tape))
    }
  }
}

/// An event number, a percentage, or an end of a tape.
enum TapePosition: ExpressibleByArgument, Equatable {
  case start
  case end
  case event(UInt64)
  case percent(Double)

  init?(argument: String) {
    if argument.hasSuffix("%"), let value = Double(argument.dropLast()), (0...100).contains(value) {
      self = .percent(value)
    } else if let number = UInt64(argument.split(separator: "+", maxSplits: 1).first ?? "") {
      self = .event(number)
    } else {
      return nil
    }
  }

  var defaultValueDescription: String { self == .start ? "the first" : "the last" }

  /// The number of the event, on a tape with `count` events.
  func index(count: UInt64) -> UInt64 {
    switch self {
    case .start: 0
    case .end: count
    case .event(let number): number
    case .percent(let value): UInt64(Double(count) * value / 100)
    }
  }
}
