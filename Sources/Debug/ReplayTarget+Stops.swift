// What to stop at, and how a stop is told.

public import RSP
import Replay
import Trace

extension ReplayTarget: BreakpointAccess, SystemCallCatching, SignalPassing, ProcessEventReporting {
  public var breakpointKinds: Set<BreakpointKind> { Set(BreakpointKind.allCases) }

  public func insertBreakpoint(_ breakpoint: RSP.Breakpoint, process: Int) throws(TargetError) {
    guard process == pid || others[process] != nil else { return }
    guard !breakpoint.kind.isWatchpoint || breakpoint.length > 0 else { throw .invalid }
    breakpointLists[process, default: []].removeAll { $0.isSamePlace(as: breakpoint) }
    breakpointLists[process, default: []].append(breakpoint)
  }

  public func removeBreakpoint(_ breakpoint: RSP.Breakpoint, process: Int) throws(TargetError) {
    // A forked child has no breakpoints of its own.
    breakpointLists[process]?.removeAll { $0.isSamePlace(as: breakpoint) }
  }

  public func catchSystemCalls(_ numbers: Set<Int>?, process: Int) throws(TargetError) {
    if process == pid { caughtSystemCalls = numbers }
  }

  public func passSignals(_ signals: Set<Int>) { passedSignals = signals }

  public var possibleProcessEvents: ProcessEvents { [.fork, .vfork, .exec] }
  public func reportProcessEvents(_ events: ProcessEvents) { processEventSet = events }

  /// Everything that gdb asked for, for the engine.
  func stopSet() -> StopSet {
    var stops = StopSet()
    var conditions: [UInt64: [[UInt8]]] = [:]
    for breakpoint in breakpointList {
      let codes = breakpoint.conditions.map(\.code)
      if breakpoint.kind.isWatchpoint {
        stops.watchpoints.append(
          Watchpoint(address: breakpoint.address, length: UInt64(breakpoint.length), kind: breakpoint.watchKind))
      } else if let others = conditions[breakpoint.address] {
        // Two at one place: it stops when one of them would.
        conditions[breakpoint.address] = others.isEmpty || codes.isEmpty ? [] : others + codes
      } else {
        conditions[breakpoint.address] = codes
      }
    }
    stops.breakpoints = conditions.sorted { $0.key < $1.key }.map {
      Replay.Breakpoint(address: $0.key, conditions: $0.value)
    }
    for signal in 1..<64 where !passedSignals.contains(signal) { stops.signals |= 1 << UInt64(signal) }
    stops.systemCalls = caughtSystemCalls.map { Set($0.compactMap { UInt32(exactly: $0) }) }
    stops.forks = processEventSet.contains(.fork) && reportsForks
    return stops
  }

  func reply(to stop: Stop) -> StopReply {
    func stopped(_ signal: Int = 5, _ reason: StopReason? = nil) -> StopReply {
      .stopped(currentID, signal: signal, reason)
    }
    switch stop {
    case .limit: return stopped()
    case .interrupted: return stopped(2)
    case .signal(let signal): return stopped(Int(signal))
    case .systemCallEntry(let number): return stopped(5, .systemCallEntry(Int(number)))
    case .systemCallReturn(let number): return stopped(5, .systemCallReturn(Int(number)))
    case .fork(let child):
      newborn = Birth(event: 0, child: child, isVfork: false)
      return stopped(5, .fork(RSP.ThreadID(process: Int(child), thread: Int(child))))
    case .vfork(let child):
      newborn = Birth(event: 0, child: child, isVfork: true)
      // To gdb the parent waits now. Here the child is gone already.
      pendingReply = stopped(5, .vforkDone)
      return stopped(5, .vfork(RSP.ThreadID(process: Int(child), thread: Int(child))))
    case .breakpoint(let address):
      let isSoftware = breakpointList.contains { $0.kind == .software && $0.address == address }
      return stopped(5, isSoftware ? .softwareBreakpoint : .hardwareBreakpoint)
    case .watchpoint(let watchpoint, let address):
      let kind: BreakpointKind =
        switch watchpoint.kind {
        case .write: .write
        case .read: .read
        case .access: .access
        }
      // An access may begin before the bytes that are watched.
      return stopped(5, .watchpoint(kind, address: max(address, watchpoint.address)))
    case .exited, .killed, .cutOff, .exec:
      notify(endText(stop))
      return stopped(5, .historyEnd)
    }
  }

  /// How the tape ends, for a person.
  private func endText(_ stop: Stop) -> String {
    switch stop {
    case .exited(let status): return "the program exits here with status \(status)"
    case .killed(let signal): return "the program is killed here by signal \(signal)"
    case .exec(let tape):
      let program = options.manifest.tape(tape)?.executable ?? "another program"
      return "the process becomes \(program) here, which the recording does not hold"
    default: return "the recording ends here, before the program did"
    }
  }
}

extension RSP.Breakpoint {
  fileprivate var watchKind: Watchpoint.Kind {
    switch kind {
    case .read: .read
    case .access: .access
    default: .write
    }
  }
}
