// `monitor COMMAND`: what gdb has no packets for. The start file makes commands of gdb of them.

import Guest
public import RSP
import Replay
import Tape
import Trace

/// One of them.
struct MonitorCommand: Sendable {
  let name: String
  let arguments: String
  let help: String
  let run: @Sendable (ReplayTarget, _ argument: String) throws -> String
}

extension ReplayTarget: MonitorAccess {
  public func monitor(_ command: String, thread: RSP.ThreadID?, print: (String) -> Void) throws(TargetError) {
    let words = command.split(separator: " ", maxSplits: 1)
    let argument = words.count > 1 ? words[1].split(separator: " ").joined(separator: " ") : ""
    let name = words.first.map(String.init) ?? "help"
    guard let found = monitorCommands.first(where: { $0.name == name }) else {
      throw TargetError("there is no command \(name); 'monitor help' lists them")
    }
    do {
      let text = try found.run(self, argument)
      if !text.isEmpty { print(text + "\n") }
    } catch let error as TargetError {
      throw error
    } catch let error as GuestError {
      throw TargetError(Self.text(error))
    } catch {
      throw TargetError("\(error)")
    }
  }

  var placeHere: Place { Place(timeline.position, of: engine) }

  /// Goes there when gdb resumes next.
  func move(to place: Place) throws {
    if case .ticks(let ticks, let event, _) = place { _ = try engine.ticksCheck(ticks, after: event) }
    if case .event(let event) = place, event > engine.eventCount {
      throw TargetError("there is no event \(event): the tape has \(engine.eventCount)")
    }
    let timeline = timeline
    pendingMove = { interrupted in try timeline.seek(to: place, interrupted: interrupted) }
  }

  /// A position, or a bookmark's name.
  func place(named text: String) throws -> Place {
    if let place = Place(text) { return place }
    let found = try options.trace.bookmarks().first { $0.name == text && $0.tape == options.tape.number }
    if let found, let place = Place(found.position) { return place }
    throw TargetError("\(text) is no position: EVENT, EVENT+TICKS, N%, start, end or a bookmark")
  }

  /// Where the replay is, for a person.
  func whenText() -> String {
    let total = engine.totalTicks
    let share = total == 0 ? 0 : Double(min(timeline.position.ticks, total)) / Double(total) * 100
    let percent = (share * 10).rounded() / 10
    let mode = diverted == nil ? "" : ", in a diversion"
    return "\(placeHere)  (\(percent)% of the recording, event \(timeline.position.event) of \(engine.eventCount), "
      + "thread \(engine.currentThread)\(mode))"
  }

  /// The events around the position, the next one marked.
  func eventsText(_ argument: String) throws -> String {
    guard let count = argument.isEmpty ? 10 : Int(argument), (1...100_000).contains(count) else {
      throw TargetError("events \(argument): how many? a number from 1 to 100000")
    }
    let next = timeline.position.event
    let first = next > UInt64(count / 2) ? next - UInt64(count / 2) : 0
    let reader = try TapeFileReader(options.trace, tape: options.tape.number)
    guard first < reader.eventCount else { return "no events here" }
    var events = try reader.events(from: first, payloadLimit: 64)
    var lines: [String] = []
    while lines.count < count, let event = try events.next()?.event {
      if event.head.kind == .checksum { continue }
      lines.append((event.index == next ? "=> " : "   ") + options.describe(event))
    }
    return lines.joined(separator: "\n")
  }

  func marksText() -> String {
    if timeline.marks.isEmpty { return "No checkpoints." }
    return timeline.marks.sorted { $0.key < $1.key }.map { number, mark in
      "\(number)  \(Place(mark.position, of: engine))" + (mark.note.isEmpty ? "" : "  \(mark.note)")
    }.joined(separator: "\n")
  }

  func number(_ text: String) throws -> Int {
    guard let number = Int(text), timeline.marks[number] != nil else {
      throw TargetError(text.isEmpty ? "which checkpoint?" : "there is no checkpoint \(text)")
    }
    return number
  }
}

extension Engine {
  /// Whether there are so many ticks after an event.
  fileprivate func ticksCheck(_ ticks: UInt64, after event: UInt64) throws -> Bool {
    let before = event == 0 ? 0 : self.ticks(atEvent: event - 1)
    guard let before, let next = self.ticks(atEvent: event) else {
      throw TargetError("there is nothing after event \(event): the tape has \(eventCount)")
    }
    guard ticks <= next - min(before, next) else {
      throw TargetError("the next event comes \(next - min(before, next)) ticks after event \(event), not \(ticks)")
    }
    return true
  }
}

let monitorCommands: [MonitorCommand] = [
  MonitorCommand(name: "when", arguments: "", help: "Show the position.") { target, _ in target.whenText() },
  MonitorCommand(name: "position", arguments: "", help: "Show the position, nothing else.") { target, _ in
    "\(target.placeHere)"
  },
  MonitorCommand(
    name: "seek", arguments: "POSITION",
    help: "Go to a position (EVENT, EVENT+TICKS, N%, start, end, a bookmark) with the next stepi."
  ) { target, text in
    try target.move(to: target.place(named: text))
    return ""
  },
  MonitorCommand(name: "back", arguments: "", help: "Go to the position visited before, with the next stepi.") {
    target, _ in
    let timeline = target.timeline
    target.pendingMove = { interrupted in
      guard try timeline.back(interrupted: interrupted) else {
        throw TargetError("there is no position before this one")
      }
      return .limit
    }
    return ""
  },
  MonitorCommand(name: "forward", arguments: "", help: "Undo 'back', with the next stepi.") { target, _ in
    let timeline = target.timeline
    target.pendingMove = { interrupted in
      guard try timeline.forward(interrupted: interrupted) else {
        throw TargetError("there is no position after this one")
      }
      return .limit
    }
    return ""
  },
  MonitorCommand(name: "checkpoint", arguments: "[NOTE]", help: "Remember the position.") { target, note in
    "Checkpoint \(try target.timeline.mark(note)) at \(target.placeHere)"
  },
  MonitorCommand(name: "checkpoints", arguments: "", help: "List the checkpoints.") { target, _ in target.marksText() },
  MonitorCommand(name: "restart", arguments: "[N]", help: "Go to a checkpoint, or to the start, with the next stepi.") {
    target, text in
    let timeline = target.timeline
    guard !text.isEmpty else {
      try target.move(to: .start)
      return ""
    }
    let number = try target.number(text)
    target.pendingMove = { interrupted in
      _ = try timeline.restart(mark: number, interrupted: interrupted)
      return .limit
    }
    return ""
  },
  MonitorCommand(name: "delete-checkpoint", arguments: "N", help: "Forget a checkpoint.") { target, text in
    _ = target.timeline.deleteMark(try target.number(text))
    return ""
  },
  MonitorCommand(name: "bookmark", arguments: "NAME", help: "Keep the position in the trace, for later sessions.") {
    target, name in
    let tape = target.options.tape.number
    guard Place(name) == nil, let bookmark = Bookmark(name: name, tape: tape, position: "\(target.placeHere)") else {
      throw TargetError("a bookmark's name has letters, digits and ._+-, and is no position")
    }
    try target.options.trace.add(bookmark)
    return "Bookmark \(name) at \(target.placeHere)"
  },
  MonitorCommand(name: "bookmarks", arguments: "", help: "List the bookmarks of this process.") { target, _ in
    let found = try target.options.trace.bookmarks().filter { $0.tape == target.options.tape.number }
    return found.isEmpty ? "No bookmarks." : found.map { "\($0.name)  \($0.position)" }.joined(separator: "\n")
  },
  MonitorCommand(name: "delete-bookmark", arguments: "NAME", help: "Forget a bookmark.") { target, name in
    guard try target.options.trace.removeBookmark(name, tape: target.options.tape.number) else {
      throw TargetError("there is no bookmark \(name)")
    }
    return ""
  },
  MonitorCommand(name: "events", arguments: "[N]", help: "Show N events around the position (10).") { target, text in
    try target.eventsText(text)
  },
  MonitorCommand(name: "checksum", arguments: "", help: "Show a checksum of all registers and memory.") { target, _ in
    String(try target.engine.checksum(), radix: 16)
  },
  MonitorCommand(name: "status", arguments: "", help: "Show what the replay keeps.") { target, _ in
    let timeline = target.timeline
    return "\(timeline.checkpointCount) checkpoints, \(timeline.checkpointCost / 1_000_000) MB; "
      + "\(target.breakpointList.count) breakpoints and watchpoints"
  },
  MonitorCommand(name: "notices", arguments: "", help: "Show what bis had to say since the last time.") { target, _ in
    defer { target.notices = [] }
    return target.notices.map { "bis: \($0)" }.joined(separator: "\n")
  },
  MonitorCommand(name: "help", arguments: "", help: "Show this list.") { _, _ in
    monitorCommands.map { command in
      let usage = command.arguments.isEmpty ? command.name : "\(command.name) \(command.arguments)"
      return usage + String(repeating: " ", count: max(26 - usage.count, 1)) + command.help
    }.joined(separator: "\n")
  },
]
