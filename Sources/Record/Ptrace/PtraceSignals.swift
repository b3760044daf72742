import BisRuntime
import CABI
import Guest
import Linux
import Translate

/// Signals of traced threads: the tracer sees each before the program does.
extension RecordSession {
  /// A signal came for a tracee (a signal-delivery stop of bis's own). Not a fault.
  func tracedSignal(
    _ p: RecordedProcess, _ t: Tracee, _ info: SignalInfo, _ r: Registers
  ) throws(GuestError) {
    if waits(r) {
      if t.mode == .calls, t.call != nil, RecordSession.restartCodes.contains(Int64(bitPattern: r.rax)) {
        t.call = nil
        t.events.append(.signal(info))
        return hold(p, t, .exit, at: .call(r), showing: interruptedView(p, t.tid, r))
      }
      return hold(p, t, .signal(info), at: .call(r), showing: interruptedView(p, t.tid, r))
    }
    if !p.control.isCurrent(UInt64(t.tid.rawValue)) { return hold(p, t, .signal(info), at: .kernel) }
    p.queue.append(
      QueuedSignal(thread: t.tid, number: info.signo, information: info.withBytes { Array($0) }))
    try abandonCall(p, t.tid, r, restarts: true)
  }

  /// Whether a stopped thread is in a system call that waits (and was interrupted by what stopped it).
  func waits(_ r: Registers) -> Bool {
    guard [BIS_LABEL_INTERRUPTIBLE_END, BIS_LABEL_RELEASED_END].contains(where: { Region.address($0) == r.rip }) else {
      return false
    }
    let code = Int64(bitPattern: r.rax)
    return Int64(bitPattern: r.orig_rax) >= 0 && (code == -4 || RecordSession.restartCodes.contains(code))
  }

  /// PTRACE_EVENT_STOP of a thread: somebody interrupted it. True when that was for ptrace and all is done.
  func interrupted(_ p: RecordedProcess, _ tid: ThreadID) throws(GuestError) -> Bool {
    let t = ptrace.tracees[tid]
    let isWaiter = ptrace.waiters.remove(tid) != nil
    guard isWaiter || t?.wantsInterrupt ?? false || t?.isListening ?? false else { return false }
    let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    if let t, t.stop == nil || t.isListening, t.wantsInterrupt || t.isListening {
      if t.isListening || waits(r) || !p.control.isCurrent(UInt64(tid.rawValue)) {
        t.wantsInterrupt = false
        t.isListening = false
        let place = waits(r) ? VirtualStop.Place.call(r) : .kernel
        hold(p, t, .interrupted, at: place, showing: waits(r) ? interruptedView(p, tid, r) : nil)
        return true
      }
    }
    let isWait = waits(r) && [61, 247, 202].contains(r.orig_rax)
    if !isWait { sendChildSignal(p.guest.pid) }  // it is back from its wait: told as others are
    if waits(r), !isWait {
      try restartInterrupted(tid, r)
      resume(tid)
    } else {
      try abandonCall(p, tid, r, restarts: true)
    }
    return true
  }

  /// The state of a tracee is exact and signals may be delivered: what comes before that. True: it is held.
  func holdsBeforeSignals(_ p: RecordedProcess, _ flags: SignalFlags) -> Bool {
    guard let t = ptrace.tracees[p.guest.tid] else { return false }
    if flags == .entry, t.mode == .calls, let call = t.call {  // its entry was reported; it begins anew
      t.call = nil
      var r = callView(p, t.tid, number: call.number, result: -512)
      r.rip &+= 2
      r.rcx = r.rip
      hold(p, t, .exit, at: .signals(flags), showing: r)
      return true
    }
    guard t.wantsInterrupt else { return false }
    t.wantsInterrupt = false
    hold(p, t, .interrupted, at: .signals(flags))
    return true
  }

  /// A group stop of the kernel.
  func groupStopped(_ p: RecordedProcess, _ tid: ThreadID, _ signal: Int32) -> Bool {
    guard let t = ptrace.tracees[tid] else { return false }
    t.wantsInterrupt = false
    let r = try? Ptrace.getRegisters(tid)
    hold(p, t, .group(signal), at: .kernel, showing: r.flatMap { waits($0) ? interruptedView(p, tid, $0) : nil })
    return true
  }

  /// The program faults. True: its tracer sees that first.
  func holdsFault(_ p: RecordedProcess, _ info: SignalInfo) -> Bool {
    guard let t = ptrace.tracees[p.guest.tid] else { return false }
    hold(p, t, .signal(info), at: .fault(info))
    return true
  }

  func isIgnored(_ p: RecordedProcess, _ signal: Int32) -> Bool {
    let handler = p.control.actions[Int(signal)].handler
    return handler == 1 || (handler == 0 && [17, 18, 23, 28].contains(signal))
  }

  /// A thread of a process that is in a virtual stop where calls into the process can be made.
  func heldThread(_ q: RecordedProcess) -> ThreadID? {
    guard let stop = ptrace.tracees[q.guest.tid]?.stop, processes[q.guest.tid] === q else { return nil }
    if case .kernel = stop.place { return nil }
    return q.guest.tid
  }

  func isStop(_ signal: Int32) -> Bool { (19...22).contains(signal) }

  // MARK: Single steps

  /// The tracee goes on from a stop for one instruction.
  func beginStep(_ p: RecordedProcess, _ t: Tracee, _ place: VirtualStop.Place) {
    switch place {
    case .entry, .call, .kernel, .exit: t.step = .last
    default: t.step = .first
    }
    t.stepStart = nil
    p.control.block.pointee.debug.flags |= UInt64(BIS_DEBUG_STEP.rawValue)
  }

  /// REASON_DEBUG: the runtime is about to leave for program code.
  func leaving(_ p: RecordedProcess) throws(GuestError) {
    guard let t = ptrace.tracees[p.guest.tid], t.step != .none else { return resume(p.guest.tid) }
    if let rip = region.translator.guestAddress(ofBody: p.control.block.pointee.resume_host) { p.control.rip = rip }
    let here = (rip: p.control.rip, ticks: p.control.ticks, event: p.control.block.pointee.event_count)
    // (translated code may only have asked for a fresh translation of the instruction)
    let isDone = t.step == .last && t.stepStart.map { $0 != here } ?? true
    if isDone, p.guest.leavesAtInstruction { return stepped(p, t, at: .leave) }
    t.step = .none
    t.stepStart = here
    if !isDone, try p.guest.read(p.control.rip, 1) == [0xCC] { return resume(t.tid) }  // (it traps by itself)
    let information = t.stepInformation
    try p.guest.leaveRuntime()
    // (done, but before an entry whose tick is not counted yet: only to the instruction behind it)
    let count = isDone ? 0 : 1
    let outcome = try p.guest.stepOn(limit: 100_000, until: { $0 == count }, hidesTrapFlag: true)
    t.stepInformation = information
    switch outcome {
    case .exact: stepped(p, t, at: .stepped)
    case .elsewhere:
      t.step = .last
      p.control.block.pointee.debug.flags |= UInt64(BIS_DEBUG_STEP.rawValue)
      resume(t.tid)
    case .signal(let signal):
      t.step = .last  // (a fault that is bis's own; others end the step)
      p.control.block.pointee.debug.flags |= UInt64(BIS_DEBUG_STEP.rawValue)
      try stopped(p, t.tid, .signal(signal))
    }
  }

  func stepped(_ p: RecordedProcess, _ t: Tracee, at place: VirtualStop.Place) {
    var info = t.stepInformation ?? SignalInfo()
    if t.stepInformation == nil {
      info.words[0] = 5
      info.words[1] = 2  // TRAP_TRACE
    }
    t.stepInformation = nil
    info.words[2] = p.control.rip
    hold(p, t, .signal(info), at: place)
  }
}
