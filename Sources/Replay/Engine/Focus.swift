import CABI
import Guest
import Linux
import Tape
import Translate

/// What a debugger wants of one process of a replay, and where that process is.
///
/// A process that stopped for the debugger stays in its ptrace stop. `Pending` says what was under way and is done again
/// when it goes on.
final class Focus {
  enum Pending {
    case none
    /// A question of the runtime.
    case runtime(bis_reason)
    case fault(Int32)
    /// Events that follow at once.
    case settle(restarts: Bool)
    /// A signal that ends the process was reported: its end comes next.
    case death(Int32)
    /// The tape's end: nothing goes on.
    case end
  }

  let tape: UInt64
  var process: ReplayedProcess?
  var stops = StopSet()
  var isCollecting = false
  /// A diversion: nothing is checked against the tape.
  var isLive = false
  /// Why the process stopped; nil while it runs.
  var stop: Stop?
  var pending = Pending.none
  /// The signal event with this index was reported: it is delivered now.
  var passedEvent: UInt64?
  /// Signals from this event on wait, whatever the stop set says: the run's limit is there.
  var eventLimit: UInt64?
  /// Single steps: the moment before a signal's delivery is one of its own, whatever the stop set says, unless the step
  /// began there.
  var stepStart: Position?
  /// With a stop at a watchpoint: what the runtime said of it.
  var touch: Touch?
  /// Collecting: the last stop that was passed.
  var last: (position: Position, stop: Stop)?
  /// A trap in translated code: debug registers, single steps.
  var onTrap: ((ReplayedProcess, SignalInfo, Registers) throws(GuestError) -> Bool)?
  /// An instruction was executed by a step that nobody asked for; the process goes on through the runtime. True: it touched
  /// what is watched.
  var onHiddenStep: (() throws(GuestError) -> Bool)?

  init(tape: UInt64) { self.tape = tape }

  /// The replay of a process begins. If it is the one, it stops before its first instruction.
  func begin(_ p: ReplayedProcess) {
    guard p.feed.tape == tape else { return }
    process = p
    p.control.block.pointee.debug.flags = UInt64(BIS_DEBUG_STEP.rawValue)
  }
}

extension ReplayedProcess {
  var position: Position {
    let block = control.block
    return Position(event: block.pointee.event_count, ticks: control.ticks, address: block.pointee.rip)
  }
}

extension ReplaySession {
  /// Runs the process that the debugger looks at until it stops for it.
  func goOn(_ focus: Focus, _ p: ReplayedProcess) throws(GuestError) {
    let pending = focus.pending
    focus.stop = nil
    focus.pending = .none
    switch pending {
    case .none: resume(p)
    case .runtime(let why): if try serveRuntime(p, why) { resume(p) }
    case .fault(let signal): if try fault(p, signal) { resume(p) }
    case .settle(let restarts): if try settle(p, restarts: restarts) { resume(p) }
    case .death(let signal):
      focus.stop = .killed(signal)
      focus.pending = .end
      return
    case .end:
      focus.pending = .end
      focus.stop = .limit
      return
    }
    try loop()
    if focus.stop == nil { throw divergence(p, "the replay process is gone") }
  }

  /// A signal is about to be delivered: true when the debugger wants to see that first.
  func holdsSignal(_ p: ReplayedProcess, _ head: EventHead, _ pending: Focus.Pending) -> Bool {
    holdsSignal(p, Int32(truncatingIfNeeded: head.number), pending)
  }

  private func holdsSignal(_ p: ReplayedProcess, _ signal: Int32, _ pending: Focus.Pending) -> Bool {
    guard let focus, focus.process === p else { return false }
    let index = p.control.block.pointee.event_count
    if focus.passedEvent == index { return false }
    let isWanted = focus.stops.signals >> UInt64(signal & 63) & 1 != 0
    let isLimit = focus.stepStart.map { $0 != p.position } ?? false || focus.eventLimit.map { index >= $0 } ?? false
    if isWanted, focus.isCollecting { focus.last = (p.position, .signal(signal)) }
    if isWanted, !focus.isCollecting {
      focus.stop = .signal(signal)
    } else if isLimit {
      focus.stop = .limit
    } else {
      return false
    }
    focus.pending = pending
    return true
  }

  /// The tape ends here. A process that a debugger looks at stays.
  func holdsEnd(_ p: ReplayedProcess) throws(GuestError) -> Bool {
    guard let focus, focus.process === p else { return false }
    takeEcho(p)
    guard let head = try checked({ () throws(ReplayError) in try p.head() }) else {
      focus.stop = .cutOff
      focus.pending = .end
      return true
    }
    switch head.kind {
    case .exit where head.number == 0: focus.stop = .exited(Int32(truncatingIfNeeded: head.value))
    case .exit:
      let signal = Int32(truncatingIfNeeded: head.value)
      if holdsSignal(p, signal, .death(signal)) { return true }
      focus.stop = .killed(signal)
    case .exec: focus.stop = .exec(tape: head.value)
    default: focus.stop = .cutOff
    }
    focus.pending = .end
    return true
  }

  /// REASON_DEBUG. False: the process waits.
  func debugStop(_ p: ReplayedProcess) throws(GuestError) -> Bool {
    guard let focus, focus.process === p else { return true }
    let block = p.control.block
    switch bis_debug_stop(rawValue: UInt32(truncatingIfNeeded: p.control.arguments[0])) {
    case BIS_DEBUG_AT_TICKS:
      guard let guest = region.translator.guestAddress(ofBody: block.pointee.resume_host) else {
        throw .unsupported("a tick ran out at an unknown place")
      }
      p.control.rip = guest
      focus.stop = .limit
    case BIS_DEBUG_AT_LEAVE, BIS_DEBUG_AT_EVENT:
      // (where a tick ran out the program's address is known by the translated one only)
      if let l = region.translator.locate(host: block.pointee.resume_host), l.kind == .instruction {
        p.control.rip = l.guest
      }
      focus.stop = .limit
    case BIS_DEBUG_AT_WATCH, BIS_DEBUG_AT_TOUCHED:
      return try debugTouch(p, focus)
    case BIS_DEBUG_AT_BREAKPOINT:
      focus.stop = .breakpoint(p.control.rip)
    case BIS_DEBUG_AT_CALL, BIS_DEBUG_AT_LIVE_CALL:
      focus.stop = .systemCallEntry(UInt32(truncatingIfNeeded: p.control.gpr[0]))
    default:
      throw .unsupported("a stop that nobody asked for")
    }
    return false
  }

  /// SIGTRAP in the process that the debugger looks at. True when that was for the debugger.
  func debugTrap(_ p: ReplayedProcess, _ info: SignalInfo, _ r: Registers) throws(GuestError) -> Bool {
    guard let focus, focus.process === p, let handler = focus.onTrap else { return false }
    return try handler(p, info, r)
  }
}
