// A process that becomes another program (exec), and other processes of the recording.

import Guest
public import RSP
import Replay
import Trace

extension ReplayTarget {
  /// The present program is another one now, or another process. gdb forgets its breakpoints then, finds the new
  /// program's symbols and goes on, unless somebody wants it to stop at exec.
  /// - Parameter reply: what it is answered with when it goes on.
  func becameProgram(then reply: StopReply?) -> StopReply {
    newborn = nil
    onProgram()
    if processEventSet.contains(.exec) {
      breakpointList = []
      pendingReply = reply
      return .stopped(currentID, signal: 5, .exec(tape.executable))
    }
    notify("this is \(tape.executable) now: tell the debugger ('file')")
    return reply ?? arrived(signal: 5)
  }

  /// Stopped here, for no other reason than that it is here.
  func arrived(signal: Int = 0) -> StopReply { .stopped(currentID, signal: signal, nil) }

  func takePendingReply() -> StopReply? {
    newborn = nil
    guard let reply = pendingReply, reply.thread?.process == pid else { return nil }
    pendingReply = nil
    lastStop = reply
    return reply
  }

  // MARK: Other processes

  /// The process that a word means: its number or the name of a program. Of several programs of a process the last one
  /// that is meant.
  func process(named word: String) throws -> Manifest.TapeInfo {
    let all = options.manifest.tapes
    let named = all.filter { String($0.pid) == word || $0.programName == word || $0.executable == word }
    guard let first = named.first else { throw TargetError("there is no process \(word) in the recording") }
    let last = named.last { $0.pid == first.pid && $0.origin == .exec }
    return last ?? named.last { $0.pid == first.pid } ?? first
  }

  /// Looks at another process from now on. What gdb knows of the old one is of no use: it has to connect again.
  func look(at tape: Manifest.TapeInfo) throws {
    guard tape.pid != self.tape.pid || !isPart(tape.number) else {
      if tape.number != self.tape.number {
        throw TargetError("process \(pid) is this one: 'seek \(tape.number):start' goes to \(tape.programName)")
      }
      throw TargetError("process \(pid) is this one")
    }
    try change(to: tape)
    expectsClient = true
  }

  /// Makes a process the present one: one that gdb keeps, or the child that it was told of last.
  func use(_ number: Int) throws(TargetError) {
    guard number != pid else { return }
    if others[number] == nil, let newborn, number == Int(newborn.child) { try adopt(newborn) }
    guard let other = others.removeValue(forKey: number) else { throw .noSuchThread }
    _ = activeDiversion()
    endDiversion()
    others[pid] = history
    history = other
  }

  /// Opens the replay of a child that gdb wants to look at (`set follow-fork-mode child`, `set detach-on-fork off`).
  private func adopt(_ birth: Birth) throws(TargetError) {
    guard let first = options.manifest.birth(of: birth.child, by: tape.number) else { throw .noSuchThread }
    guard others.count < Self.mostProcesses else {
      let text = "gdb looks at \(others.count + 1) processes: 'detach inferiors' some, or 'set detach-on-fork on'"
      report(text)
      throw TargetError(code: 11, text)
    }
    let child: ProcessHistory
    do throws(GuestError) { child = try options.open(first) } catch {
      report(Self.text(error))
      throw TargetError(Self.text(error))
    }
    child.onProgress = history.onProgress
    others[Int(birth.child)] = child
    // A child of vfork is another program already.
    guard birth.isVfork, processEventSet.contains(.exec) else { return }
    let thread = RSP.ThreadID(process: Int(birth.child), thread: Int(child.timeline.engine.currentThread))
    pendingReply = .stopped(thread, signal: 5, .exec(first.executable))
  }

  private static let mostProcesses = 31

  /// gdb is done with a process, or with all.
  func leave(_ process: Int?) {
    guard let process else { return endDiversion() }
    if pendingReply?.thread?.process == process { pendingReply = nil }
    if process == pid {
      endDiversion()
      guard let other = others.first else { return }
      others[other.key] = nil
      history = other.value
    } else {
      others[process] = nil
    }
    breakpointLists[process] = nil
  }

  private func change(to tape: Manifest.TapeInfo) throws(GuestError) {
    let other = try options.open(tape)
    other.onProgress = history.onProgress
    clientLeft()
    history = other
    engineFailure = nil
    lastStop = arrived(signal: 5)
    onProgram()
  }

  /// The connection is gone, and with it what gdb wanted.
  public func clientLeft() {
    endDiversion()
    others = [:]
    breakpointLists = [:]
    passedSignals = []
    caughtSystemCalls = nil
    processEventSet = []
    pendingMove = nil
    pendingReply = nil
    newborn = nil
    goesBackwards = false
    lastStop = arrived(signal: 5)
    onProgram()
  }

  /// Called when a client has come.
  public func clientCame() { expectsClient = false }

  /// The programs of this process, the present one marked.
  func programsText() -> String {
    history.parts.map { part in
      (part.number == tape.number ? "=> " : "   ") + "tape \(part.number)  "
        + (part.arguments.isEmpty ? part.executable : part.arguments.joined(separator: " "))
    }.joined(separator: "\n")
  }

  /// All processes, one line per program, the present one marked.
  func processesText() -> String {
    options.manifest.tapes.map { other in
      let mark = other.number == tape.number ? "=> " : "   "
      return "\(mark)\(other.pid)  tape \(other.number)  \(other.origin)  "
        + (other.arguments.isEmpty ? other.executable : other.arguments.joined(separator: " "))
    }.joined(separator: "\n")
  }
}

extension Manifest.TapeInfo {
  /// The last part of the executable's path.
  var programName: String { executable.split(separator: "/").last.map(String.init) ?? executable }
}
