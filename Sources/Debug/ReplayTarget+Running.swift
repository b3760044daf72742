// Forwards and backwards.

import Guest
public import RSP
import Replay

extension ReplayTarget: ResumeAccess, ReverseAccess, RestartAccess {
  public func resume(_ actions: [ResumeAction], interrupted: () -> Bool) throws(TargetError) -> StopReply {
    if let wanted = actions.lazy.compactMap(\.process).first { try use(wanted) }
    if let reply = takePendingReply() { return reply }
    if let move = pendingMove { return try moved(move, interrupted) }
    let stepping = actions.first { $0.step != .run }
    if goesBackwards, activeDiversion() == nil {
      var thread = currentID
      if let stepping, case .thread(let wanted) = stepping.threads { thread = wanted }
      return try reverse(stepping == nil ? .run : .instruction, thread: thread, interrupted: interrupted)
    }
    if let state = activeDiversion() {
      lastStop = try resume(state, step: stepping?.step ?? .run, interrupted: interrupted)
      return lastStop
    }
    let stops = stopSet()
    let before = history.index
    let stop = try checked { () throws(GuestError) in
      guard let stepping else { return try history.continue(stops: stops, interrupted: interrupted) }
      var thread = engine.currentThread
      if case .thread(let wanted) = stepping.threads { thread = Int32(truncatingIfNeeded: wanted.thread) }
      return try history.goOn(after: step(thread, stepping.step, stops: stops, interrupted: interrupted))
    }
    lastStop = history.index == before ? reply(to: stop) : becameProgram(then: stepping == nil ? nil : arrived())
    return lastStop
  }

  public func reverse(
    _ step: ResumeStep, thread: RSP.ThreadID, interrupted: () -> Bool
  ) throws(TargetError) -> StopReply {
    try use(thread.process)
    if let reply = takePendingReply() { return reply }
    if let move = pendingMove { return try moved(move, interrupted) }
    if diverted != nil {
      _ = activeDiversion()
      endDiversion()
    }
    let stops = stopSet()
    let before = history.index
    let arrival = try checked { () throws(GuestError) in
      guard step != .run else { return try history.reverseContinue(stops: stops, interrupted: interrupted) }
      let arrival = try stepBack(Int32(truncatingIfNeeded: thread.thread), stops: stops, interrupted: interrupted)
      return try history.goBack(after: arrival, interrupted: interrupted)
    }
    if history.index != before {
      let stays = arrival == .stop(.interrupted)
      lastStop = becameProgram(then: stays ? arrived(signal: 2) : step == .run ? nil : arrived())
      return lastStop
    }
    switch arrival {
    case .historyBegin: lastStop = .stopped(currentID, signal: 5, .historyBegin)
    case .stop(let stop): lastStop = reply(to: stop)
    }
    return lastStop
  }

  public func restart() throws(TargetError) -> StopReply {
    endDiversion()
    try checked { () throws(GuestError) in try history.restart() }
    lastStop = .stopped(currentID, signal: 5, nil)
    return lastStop
  }

  /// What `monitor seek` and the like left to be done.
  private func moved(
    _ move: (() -> Bool) throws -> Stop, _ interrupted: () -> Bool
  ) throws(TargetError) -> StopReply {
    pendingMove = nil
    endDiversion()
    newborn = nil
    let before = history.index
    do {
      let stop = try withoutActuallyEscaping(interrupted) { try move($0) }
      let isInterrupted = stop == .interrupted
      lastStop =
        history.index == before
        ? arrived(signal: isInterrupted ? 2 : 5) : becameProgram(then: arrived(signal: isInterrupted ? 2 : 0))
      return lastStop
    } catch let error as PlaceError {
      notify(error.description)
      lastStop = history.index == before ? arrived(signal: 5) : becameProgram(then: arrived())
      return lastStop
    } catch let error as GuestError {
      return try checked { () throws(GuestError) in throw error }
    } catch {
      throw TargetError("\(error)")
    }
  }

  // MARK: Instructions

  /// One instruction of a thread, or a range of them. Other threads go on until it has the turn.
  private func step(
    _ thread: Int32, _ step: ResumeStep, stops: StopSet, interrupted: () -> Bool
  ) throws(GuestError) -> Stop {
    if let stop = try giveTurn(to: thread, stops: stops, interrupted: interrupted) { return stop }
    var stop = try timeline.stepInstruction(stops: stops)
    guard case .range(let start, let end) = step else { return stop }
    var count = 0
    while stop == .limit {
      if engine.currentThread != thread {
        if let stop = try giveTurn(to: thread, stops: stops, interrupted: interrupted) { return stop }
      }
      guard (start..<end).contains(timeline.position.address) else { return .limit }
      count += 1
      if count % 256 == 0, interrupted() { return .interrupted }
      stop = try timeline.stepInstruction(stops: stops)
    }
    return stop
  }

  /// Runs until a thread has the turn; what stopped before that, if something did.
  private func giveTurn(to thread: Int32, stops: StopSet, interrupted: () -> Bool) throws(GuestError) -> Stop? {
    while engine.currentThread != thread, engine.threads.contains(where: { $0.tid == thread }) {
      let stop = try timeline.continueToNextEvent(stops: stops, interrupted: interrupted)
      if stop != .limit { return stop }
    }
    return nil
  }

  private func stepBack(_ thread: Int32, stops: StopSet, interrupted: () -> Bool) throws(GuestError) -> Arrival {
    while engine.currentThread != thread {
      let arrival = try timeline.reverseToEvent(interrupted: interrupted)
      guard arrival == .stop(.limit) else { return arrival }
    }
    let arrival = try timeline.reverseStepInstruction(interrupted: interrupted)
    guard arrival == .stop(.limit) else { return arrival }
    if !stops.watchpoints.isEmpty {
      let here = timeline.position
      var watched = StopSet()
      watched.watchpoints = stops.watchpoints
      let stop = try timeline.stepInstruction(stops: watched)
      _ = try timeline.go(to: here)
      if case .watchpoint = stop { return .stop(stop) }
    }
    return .stop(breakpointHere() ?? .limit)
  }

  /// Whether a breakpoint holds where the replay is.
  private func breakpointHere() -> Stop? {
    let address = timeline.position.address
    let holds = breakpointList.contains {
      !$0.kind.isWatchpoint && $0.address == address && $0.holds(in: self)
    }
    return holds ? .breakpoint(address) : nil
  }
}

extension ResumeAction {
  /// The process that it is about, if only one.
  fileprivate var process: Int? {
    switch threads {
    case .thread(let thread): thread.process
    case .process(let process): process
    case .any, .all: nil
    }
  }
}

extension ReplayTarget: AgentEnvironment {
  public func register(_ index: Int) -> UInt64? {
    guard layout.description.registers.indices.contains(index), let value = try? registerValue(index, of: currentID)
    else { return nil }
    return value.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  public func memory(at address: UInt64, count: Int) -> [UInt8]? {
    let bytes = engine.read(address, count)
    return bytes.count == count ? bytes : nil
  }
}
