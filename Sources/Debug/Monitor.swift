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

  /// The position in the present program.
  var placeHere: Place { Place(timeline.position, of: engine) }

  /// The position as somebody can give it back: with the tape when there are several.
  var placeText: String { text(placeHere, on: tape.number) }

  func text(_ place: Place, on tape: UInt64) -> String {
    "\(HistoryPlace(tape: history.parts.count > 1 ? tape : nil, place))"
  }

  func text(_ position: HistoryPosition) -> String {
    // (ticks count from an event, which only the tape's own replay can tell)
    guard position.tape != tape.number else { return text(Place(position.position, of: engine), on: position.tape) }
    guard let reader = try? TapeFileReader(options.trace, tape: position.tape) else { return "\(position.tape):?" }
    let event = position.position.event
    let ticks = event == 0 ? 0 : (try? reader.event(event - 1))??.head.ticks ?? 0
    return text(Place(position.position, ticksBefore: ticks), on: position.tape)
  }

  /// Goes there when gdb resumes next.
  func move(to target: HistoryPlace) throws {
    if let tape = target.tape, !history.parts.contains(where: { $0.number == tape }) {
      let other = options.manifest.tape(tape).map { ": it is of process \($0.pid) ('process \($0.pid)')" } ?? ""
      throw TargetError("tape \(tape) is not one of process \(pid)\(other)")
    }
    if target.tape ?? tape.number == tape.number {
      if case .ticks(let ticks, let event, _) = target.place { _ = try engine.ticksCheck(ticks, after: event) }
      if case .event(let event) = target.place, event > engine.eventCount {
        throw TargetError("there is no event \(event): the tape has \(engine.eventCount)")
      }
    }
    let history = history
    pendingMove = { interrupted in try history.seek(to: target, interrupted: interrupted) }
  }

  /// A position, or a bookmark's name: one in the present program first.
  func place(named text: String) throws -> HistoryPlace {
    if let place = HistoryPlace(text) { return place }
    let named = try options.trace.bookmarks().filter { $0.name == text }
    let known = named.first { $0.tape == tape.number } ?? named.first { isPart($0.tape) }
    if let known, let place = Place(known.position) { return HistoryPlace(tape: known.tape, place) }
    if let other = named.first.flatMap({ options.manifest.tape($0.tape) }) {
      throw TargetError("bookmark \(text) is in process \(other.pid): 'process \(other.pid)' first")
    }
    throw TargetError("\(text) is no position: [TAPE:]EVENT, EVENT+TICKS, N%, start, end or a bookmark")
  }

  func isPart(_ tape: UInt64) -> Bool { history.parts.contains { $0.number == tape } }

  /// Where the replay is, for a person.
  func whenText() -> String {
    let total = engine.totalTicks
    let share = total == 0 ? 0 : Double(min(timeline.position.ticks, total)) / Double(total) * 100
    let percent = (share * 10).rounded() / 10
    let mode = diverted == nil ? "" : ", in a diversion"
    let whole = history.parts.count > 1 ? tape.programName : "the recording"
    return "\(placeText)  (\(percent)% of \(whole), event \(timeline.position.event) of \(engine.eventCount), "
      + "thread \(engine.currentThread)\(mode))"
  }

  /// The events around the position, the next one marked.
  func eventsText(_ argument: String) throws -> String {
    guard let count = argument.isEmpty ? 10 : Int(argument), (1...100_000).contains(count) else {
      throw TargetError("events \(argument): how many? a number from 1 to 100000")
    }
    let next = timeline.position.event
    let first = next > UInt64(count / 2) ? next - UInt64(count / 2) : 0
    let reader = try TapeFileReader(options.trace, tape: tape.number)
    guard first < reader.eventCount else { return "no events here" }
    var events = try reader.events(from: first, payloadLimit: 64)
    var lines: [String] = []
    while lines.count < count, let event = try events.next()?.event {
      if event.head.kind == .checksum { continue }
      lines.append((event.index == next ? "=> " : "   ") + options.describe(event, tape))
    }
    return lines.joined(separator: "\n")
  }

  func marksText() -> String {
    if history.marks.isEmpty { return "No checkpoints." }
    return history.marks.sorted { $0.key < $1.key }.map { number, mark in
      "\(number)  \(self.text(mark.position))" + (mark.note.isEmpty ? "" : "  \(mark.note)")
    }.joined(separator: "\n")
  }

  func number(_ text: String) throws -> Int {
    guard let number = Int(text), history.marks[number] != nil else {
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
    target.placeText
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
    let history = target.history
    target.pendingMove = { interrupted in
      guard let stop = try history.back(interrupted: interrupted) else {
        throw PlaceError("there is no position before this one")
      }
      return stop
    }
    return ""
  },
  MonitorCommand(name: "forward", arguments: "", help: "Undo 'back', with the next stepi.") { target, _ in
    let history = target.history
    target.pendingMove = { interrupted in
      guard let stop = try history.forward(interrupted: interrupted) else {
        throw PlaceError("there is no position after this one")
      }
      return stop
    }
    return ""
  },
  MonitorCommand(name: "checkpoint", arguments: "[NOTE]", help: "Remember the position.") { target, note in
    "Checkpoint \(try target.history.mark(note)) at \(target.placeText)"
  },
  MonitorCommand(name: "checkpoints", arguments: "", help: "List the checkpoints.") { target, _ in target.marksText() },
  MonitorCommand(name: "restart", arguments: "[N]", help: "Go to a checkpoint, or to the start, with the next stepi.") {
    target, text in
    guard !text.isEmpty else {
      try target.move(to: HistoryPlace(.start))
      return ""
    }
    let number = try target.number(text)
    let history = target.history
    target.pendingMove = { interrupted in try history.restart(mark: number, interrupted: interrupted) ?? .limit }
    return ""
  },
  MonitorCommand(name: "delete-checkpoint", arguments: "N", help: "Forget a checkpoint.") { target, text in
    _ = target.history.deleteMark(try target.number(text))
    return ""
  },
  MonitorCommand(name: "bookmark", arguments: "NAME", help: "Keep the position in the trace, for later sessions.") {
    target, name in
    let tape = target.tape.number
    guard HistoryPlace(name) == nil, let bookmark = Bookmark(name: name, tape: tape, position: "\(target.placeHere)")
    else {
      throw TargetError("a bookmark's name has letters, digits and ._+-, and is no position")
    }
    try target.options.trace.add(bookmark)
    return "Bookmark \(name) at \(target.placeText)"
  },
  MonitorCommand(name: "bookmarks", arguments: "", help: "List the bookmarks of this process.") { target, _ in
    let found = try target.options.trace.bookmarks().filter { target.isPart($0.tape) }
    let several = target.history.parts.count > 1
    return found.isEmpty
      ? "No bookmarks."
      : found.map { "\($0.name)  " + (several ? "\($0.tape):" : "") + $0.position }.joined(separator: "\n")
  },
  MonitorCommand(name: "delete-bookmark", arguments: "NAME", help: "Forget a bookmark.") { target, name in
    let tapes = [target.tape.number] + target.history.parts.map(\.number)
    guard try tapes.contains(where: { try target.options.trace.removeBookmark(name, tape: $0) }) else {
      throw TargetError("there is no bookmark \(name)")
    }
    return ""
  },
  MonitorCommand(name: "programs", arguments: "", help: "List the programs that this process was.") { target, _ in
    target.programsText()
  },
  MonitorCommand(
    name: "process", arguments: "[PID|NAME]",
    help: "List the processes, or look at another one: connect again ('disconnect', 'target remote')."
  ) { target, word in
    guard !word.isEmpty else { return target.processesText() }
    try target.look(at: target.process(named: word))
    return ""
  },
  MonitorCommand(name: "events", arguments: "[N]", help: "Show N events around the position (10).") { target, text in
    try target.eventsText(text)
  },
  MonitorCommand(name: "checksum", arguments: "", help: "Show a checksum of all registers and memory.") { target, _ in
    String(try target.engine.checksum(), radix: 16)
  },
  MonitorCommand(name: "status", arguments: "", help: "Show what the replay keeps.") { target, _ in
    let history = target.history
    return "\(history.checkpointCount) checkpoints, \(history.checkpointCost / 1_000_000) MB; "
      + "\(target.breakpointList.count) breakpoints and watchpoints"
  },
  MonitorCommand(name: "notices", arguments: "", help: "Show what bis had to say since the last time.") { target, _ in
    defer { target.notices = [] }
    // A person sees the stop: what comes next is not gdb going on by itself.
    if case .stopped(_, _, .exec) = target.lastStop { target.pendingReply = nil }
    return target.notices.map { "bis: \($0)" }.joined(separator: "\n")
  },
  MonitorCommand(
    name: "forks", arguments: "on|off",
    help: "Whether the debugger is told of new processes; off: ways back over many of them are faster."
  ) { target, text in
    guard ["on", "off"].contains(text) else { throw TargetError("forks on, or forks off") }
    target.reportsForks = text == "on"
    return ""
  },
  MonitorCommand(
    name: "direction", arguments: "backwards|forwards",
    help: "Where 'continue' and single steps go, for a debugger that has no commands to go backwards (lldb)."
  ) { target, text in
    guard let found = ["backwards": true, "forwards": false].first(where: { !text.isEmpty && $0.key.hasPrefix(text) })
    else { throw TargetError("direction backwards, or direction forwards") }
    target.goesBackwards = found.value
    return ""
  },
  MonitorCommand(
    name: "try", arguments: "COMMAND", help: "Do a command; the answer begins with 'ok' or 'error' (for scripts)."
  ) { target, text in
    var answer = "ok"
    do throws(TargetError) {
      try target.monitor(text, thread: nil) { answer += " " + ($0.hasSuffix("\n") ? String($0.dropLast()) : $0) }
    } catch {
      answer = "error \(error.message)"
    }
    return answer
  },
  MonitorCommand(name: "help", arguments: "", help: "Show this list.") { _, _ in
    monitorCommands.map { command in
      let usage = command.arguments.isEmpty ? command.name : "\(command.name) \(command.arguments)"
      return usage + String(repeating: " ", count: max(26 - usage.count, 1)) + command.help
    }.joined(separator: "\n")
  },
]
