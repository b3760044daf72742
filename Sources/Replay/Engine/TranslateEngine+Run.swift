import BisRuntime
import CABI
import Glibc
import Guest
import Linux
import Tape
import Translate

/// Running forwards.
extension TranslateEngine {
  public func run(
    to limit: RunLimit, stops: StopSet, collecting: Bool, interrupted: () -> Bool
  ) throws(GuestError) -> RunOutcome {
    try begin(stops, collecting: collecting)
    defer { finish() }
    let start = position
    var stop = try advance(to: limit, from: start, interrupted: interrupted)
    if stop == .limit || stop == .interrupted, position != start, let met = try meeting() {
      if collecting { focus.last = (position, met) } else { stop = met }
    }
    return RunOutcome(stop: stop, last: collecting ? lastPassed(since: start) : nil)
  }

  func begin(_ stops: StopSet, collecting: Bool) throws(GuestError) {
    focus.stops = stops
    focus.isCollecting = collecting
    focus.last = nil
    focus.eventLimit = nil
    focus.stepStart = nil
    touched = nil
    callUnderWay = nil
    ahead = []
    focus.touch = nil
    focus.passedEvent = nil
    if case .none = focus.pending {} else { focus.passedEvent = position.event }
    if reportedSignal == position { focus.passedEvent = position.event }
    try arm(stops)
    let debug = control.block
    debug.pointee.debug.hits = 0
    debug.pointee.debug.flags = 0
    if collecting { debug.pointee.debug.flags |= UInt64(BIS_DEBUG_COLLECT.rawValue) }
    if stops.systemCalls != nil { debug.pointee.debug.flags |= UInt64(BIS_DEBUG_CALLS.rawValue) }
    if process.guest.watching != .nothing { debug.pointee.debug.flags |= UInt64(BIS_DEBUG_WATCH.rawValue) }
    if !stops.watchpoints.isEmpty { debug.pointee.debug.flags |= UInt64(BIS_DEBUG_COMPARE.rawValue) }
    takeUntold()
  }

  func finish() {
    keepUntold()
    control.block.pointee.debug.flags = 0
    session.takeEcho(process)
    focus.eventLimit = nil
    focus.passedEvent = nil
  }

  /// What of the stop set is in the moment at hand and would stop as soon as the process went on.
  private func meeting() throws(GuestError) -> Stop? {
    let here = position
    let head = try session.checked { () throws(ReplayError) in try process.head() }
    if let head, head.kind == .signal, head.flags.contains(.asynchronous), head.ticks == here.ticks,
      head.rip == here.address, focus.stops.signals >> UInt64(head.number & 63) & 1 != 0
    {
      reportedSignal = here
      return .signal(Int32(truncatingIfNeeded: head.number))
    }
    if armed.addresses.contains(here.address) {
      control.block.pointee.debug.flags &= ~UInt64(BIS_DEBUG_COLLECT.rawValue)
      if try process.guest.call(Region.address(BIS_LABEL_BREAKPOINT), [UInt64(BIS_WINDOW_BASE), here.address]) & 1 != 0
      {
        return .breakpoint(here.address)
      }
    }
    if let wanted = focus.stops.systemCalls, read(here.address, 2) == [0x0F, 0x05] {
      let number = UInt32(truncatingIfNeeded: control.gpr[0])
      if wanted.isEmpty || wanted.contains(number) { return .systemCallEntry(number) }
    }
    return nil
  }

  /// With `collecting`: the last stop that was passed; none at the start itself.
  private func lastPassed(since start: Position) -> (position: Position, stop: Stop)? {
    let debug = control.block.pointee.debug
    var last = focus.last
    if debug.hits > 0 {
      let hit = Position(event: debug.hit_event, ticks: debug.hit_ticks, address: debug.hit_rip)
      if last == nil || last!.position <= hit { last = (hit, .breakpoint(hit.address)) }
    }
    if let l = last, l.position == start { return nil }
    return last
  }

  private func advance(to limit: RunLimit, from start: Position, interrupted: () -> Bool) throws(GuestError) -> Stop {
    while true {
      var ticks = UInt64.max
      var event: UInt64?
      let here = position
      switch limit {
      case .end: break
      case .ticks(let t):
        if here.ticks >= t { return .limit }
        ticks = t
      case .event(let e):
        if here.event >= e { return .limit }
        event = e
      case .position(let p):
        if here == p { return .limit }
        guard here < p else { throw .unsupported("the recording does not come by \(p)") }
        if here.event == p.event, here.ticks == p.ticks { return try approach(p, from: start) }
        event = here.event < p.event ? p.event : p.event + 1
        if here.event == p.event { ticks = p.ticks }
      }
      if isAtEnd, let endStop { return endStop }
      let stop = try leg(ticks: ticks, event: event, from: start)
      if case .position(let p) = limit, position == p { return .limit }
      if stop != .limit { return stop }
      if interrupted() { return .interrupted }
    }
  }

  /// Runs until `ticks` (or a chunk of them) are done or `event` events, or something stops.
  private func leg(ticks: UInt64, event: UInt64?, from start: Position) throws(GuestError) -> Stop {
    let now = control.ticks
    let debug = control.block
    debug.pointee.debug.ticks = min(ticks, now &+ chunkTicks)
    debug.pointee.debug.flags |= UInt64(BIS_DEBUG_TICKS.rawValue)
    if let event {
      debug.pointee.debug.event = event
      debug.pointee.debug.flags |= UInt64(BIS_DEBUG_EVENT.rawValue)
    }
    focus.eventLimit = event
    control.setTicks(target: debug.pointee.tick_target)
    let began = monotonicNanoseconds()
    let stop = try runOn(from: start)
    let took = max(monotonicNanoseconds() - began, 1000)
    // About 50 ms between looks at the world.
    let done = position.ticks - now
    if done > 1000 { chunkTicks = min(max(done * 50_000_000 / took, 1 << 14), 1 << 32) }
    control.block.pointee.debug.flags &= ~UInt64(BIS_DEBUG_TICKS.rawValue | BIS_DEBUG_EVENT.rawValue)
    focus.eventLimit = nil
    return stop
  }

  /// Lets the process go on until something is to be reported.
  private func runOn(from start: Position) throws(GuestError) -> Stop {
    while true {
      try leaveOverwritten()
      isAtLeave = false
      try session.goOn(focus, process)
      switch focus.stop {
      case .limit:
        if touched != nil {
          if let stop = reportTouch() { return stop }
          continue
        }
        if let call = callUnderWay, call.thread == currentThread, isReturn {
          callUnderWay = nil
          isAtLeave = true
          if let stop = report(.systemCallReturn(call.number)) { return stop }
          continue
        }
        if case .none = focus.pending {
          isAtLeave = control.arguments[0] != UInt64(BIS_DEBUG_AT_TICKS.rawValue)
        }
        return .limit
      case .breakpoint, .systemCallEntry:
        if let stop = try passOrStop(focus.stop!, start) { return stop }
      case .watchpoint:
        if focus.touch == nil { try finishInstruction() } else if let stop = try finishTouch() { return stop }
        if let stop = reportTouch() { return stop }
        if isLimitPassed { return .limit }
      case .exited, .killed, .exec, .cutOff:
        endStop = focus.stop
        return focus.stop!
      case .some(let other):
        return other
      case nil:
        throw .gone
      }
    }
  }

  /// On the way over an instruction the limit of the leg was met.
  private var isLimitPassed: Bool {
    let flags = control.block.pointee.debug.flags
    return flags & UInt64(BIS_DEBUG_TICKS.rawValue) == 0
      || focus.eventLimit != nil && flags & UInt64(BIS_DEBUG_EVENT.rawValue) == 0
  }

  /// The stop at hand is the one after a system call that was reported at its entry.
  private var isReturn: Bool { control.arguments[0] == UInt64(BIS_DEBUG_AT_LEAVE.rawValue) }

  /// A breakpoint or a system call: not where the run began, and only calls that are wanted.
  private func passOrStop(_ stop: Stop, _ start: Position) throws(GuestError) -> Stop? {
    if case .systemCallEntry(let number) = stop {
      guard let wanted = focus.stops.systemCalls, wanted.isEmpty || wanted.contains(number) else { return nil }
      callUnderWay = (number, currentThread)
      control.block.pointee.debug.flags |= UInt64(BIS_DEBUG_STEP.rawValue)
    }
    if position == start { return nil }
    return report(stop)
  }

  /// Stops, or remembers that it would have.
  private func report(_ stop: Stop) -> Stop? {
    guard focus.isCollecting else { return stop }
    focus.last = (position, stop)
    return nil
  }

  private func reportTouch() -> Stop? {
    guard let t = touched else { return nil }
    touched = nil
    return report(.watchpoint(t.watchpoint, address: t.address))
  }

  /// The last stretch to an exact position, within which neither a tick nor an event happens.
  private func approach(_ p: Position, from start: Position) throws(GuestError) -> Stop {
    for _ in 0..<300 {
      let stop = try stepOnce(from: start)
      if position == p { return .limit }
      if stop != .limit { return stop }
      guard position < p else { throw .unsupported("the recording does not come by \(p)") }
    }
    var stops = focus.stops
    stops.breakpoints.removeAll { $0.address == p.address }
    stops.breakpoints.append(Breakpoint(address: p.address))
    try arm(stops)
    defer { try? arm(focus.stops) }
    control.block.pointee.debug.flags &= ~UInt64(BIS_DEBUG_COLLECT.rawValue)
    let stop = try leg(ticks: p.ticks + 1, event: p.event + 1, from: start)
    if position == p { return .limit }
    if stop == .limit { throw .unsupported("the recording does not come by \(p)") }
    return stop
  }

  /// A process that stopped where a breakpoint's jump stands now goes on through the tables.
  func leaveOverwritten() throws(GuestError) {
    guard case .none = focus.pending else { return }
    let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    if process.guest.place(r.rip) == .translated, session.region.translator.isOverwritten(r.rip) {
      try process.guest.restart()
    }
  }
}
