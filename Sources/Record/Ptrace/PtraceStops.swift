import CABI
import Guest
import Linux
import Tape

/// Virtual stops: how a tracee comes into one and how it goes on.
extension RecordSession {
  /// The tracee stands still from here on, until its tracer says otherwise.
  ///
  /// - Parameter registers: what the tracer is shown; nil: what the program has.
  func hold(
    _ p: RecordedProcess, _ t: Tracee, _ what: VirtualStop.What, at place: VirtualStop.Place,
    showing registers: Registers? = nil
  ) {
    t.step = .none
    t.stepInformation = nil
    p.control.block.pointee.debug.flags &= ~UInt64(BIS_DEBUG_STEP.rawValue)
    let r = registers ?? view(p, t.tid)
    t.stop = VirtualStop(
      what: what, place: place, registers: r, before: r, status: status(t, what), information: information(t, what))
    notify(t)
  }

  /// The word that wait4 reports.
  private func status(_ t: Tracee, _ what: VirtualStop.What) -> Int32 {
    switch what {
    case .entry, .exit: (t.has(.sysgood) ? 0x85 : 5) << 8 | 0x7F
    case .signal(let information): information.signo << 8 | 0x7F
    case .event(let number): (5 | number << 8) << 8 | 0x7F
    case .interrupted: (5 | 128 << 8) << 8 | 0x7F
    case .group(let signal): (t.isSeized ? signal | 128 << 8 : signal) << 8 | 0x7F
    }
  }

  /// What PTRACE_GETSIGINFO shows.
  private func information(_ t: Tracee, _ what: VirtualStop.What) -> SignalInfo {
    if case .signal(let information) = what { return information }
    let code = status(t, what) >> 8
    return signalInfo(5, code: code, t.tid.rawValue, 0)
  }

  /// A `siginfo_t` with a sender (or a child and its status).
  func signalInfo(_ signal: Int32, code: Int32, _ pid: Int32, _ status: Int32) -> SignalInfo {
    var info = SignalInfo()
    info.words[0] = UInt64(UInt32(bitPattern: signal))
    info.words[1] = UInt64(UInt32(bitPattern: code))
    info.words[2] = UInt64(UInt32(bitPattern: pid)) | UInt64(processOwner(pid)) << 32
    info.words[3] = UInt64(UInt32(bitPattern: status))
    return info
  }

  private func processOwner(_ pid: Int32) -> UInt32 {
    statusWords(pid, "Uid").first.flatMap { UInt32($0) } ?? 0
  }

  /// Tells the runtime of a process which stops are wanted.
  func updateTracing(_ p: RecordedProcess) {
    var flags: UInt32 = 0
    for t in ptrace.tracees.values where processes[t.tid] === p {
      if t.mode == .calls || !t.events.isEmpty { flags |= UInt32(BIS_TRACED_CALLS.rawValue) }
    }
    if isTracer(p) { flags |= UInt32(BIS_TRACED_WAITS.rawValue) }
    if p.writesMemoryFiles { flags |= UInt32(BIS_TRACED_WRITES.rawValue) }
    p.control.block.pointee.traced = flags
  }

  func isTracer(_ p: RecordedProcess) -> Bool {
    ptrace.tracees.values.contains { $0.tracer == p.guest.pid } || ptrace.ends.contains { $0.tracer == p.guest.pid }
  }

  // MARK: Questions of the runtime

  /// REASON_TRACED: a system call begins, or an event is written. The process is resumed here, or not.
  func traced(_ p: RecordedProcess) throws(GuestError) {
    let atEntry = p.control.arguments[0] == UInt64(BIS_TRACED_AT_ENTRY.rawValue)
    p.control.block.pointee.answer = 0
    guard let t = ptrace.tracees[p.guest.tid] else { return resume(p.guest.tid) }
    guard atEntry else { return try event(p, t) }
    guard t.mode == .calls else { return resume(t.tid) }
    let number = p.control.gpr[0]
    t.call = (number, [7, 6, 2, 10, 8, 9].map { p.control.gpr[$0] })
    if t.skipsEntry {
      t.skipsEntry = false
      return resume(t.tid)
    }
    hold(p, t, .entry, at: .entry, showing: callView(p, t.tid, number: number, result: -38))
  }

  /// An event of the tracee's tape is written and program code comes next: what the tracer is to see of that.
  func event(_ p: RecordedProcess, _ t: Tracee) throws(GuestError) {
    if let next = t.events.firstIndex(where: { !$0.isSignal }) {
      let what = t.events.remove(at: next)
      updateTracing(p)
      return hold(p, t, what, at: .event)
    }
    if t.skipsEntry { return resume(t.tid) }  // (the call begins anew)
    if t.mode == .calls, let call = t.call {
      t.call = nil
      return hold(
        p, t, .exit, at: .event,
        showing: callView(p, t.tid, number: call.number, result: Int64(bitPattern: p.control.gpr[0])))
    }
    t.call = nil
    if !t.events.isEmpty {
      let what = t.events.removeFirst()
      updateTracing(p)
      return hold(p, t, what, at: .event)
    }
    resume(t.tid)
  }

  // MARK: Going on

  /// PTRACE_CONT, SYSCALL, SINGLESTEP, DETACH of a thread in a virtual stop.
  func goOn(_ t: Tracee, _ mode: Tracee.Mode, signal: Int32) throws(GuestError) {
    guard var stop = t.stop, let p = processes[t.tid] else { return }
    if p.control.isCurrent(UInt64(t.tid.rawValue)) { p.guest.tid = t.tid }
    var isMoved = try writeChanges(p, t, stop)
    stop.isNoted = t.stop?.isNoted ?? false
    t.stop = nil
    t.mode = mode
    t.isListening = false
    updateTracing(p)
    if mode == .step { beginStep(p, t, stop.place) }
    var information = stop.information
    let isSignal = stop.what.isSignal
    if signal != 0, !isSignal || information.signo != signal {
      information = signalInfo(signal, code: 0, t.tracer, 0)
    }
    switch stop.place {
    case .entry:
      if case .entry = stop.what, isMoved {
        p.control.block.pointee.answer = UInt64(BIS_ANSWER_MOVED.rawValue)
      }
      resume(t.tid)
    case .event, .leave:
      if signal != 0, isSignal { inject(p, t, information) }
      if case .leave = stop.place { return resume(t.tid) }
      try event(p, t)
    case .signals(let flags):
      if signal != 0, isSignal { p.queue.insert(QueuedSignal(passed: information, t.tid), at: 0) }
      if case .exit = stop.what { t.call = nil }
      if try deliverSignals(p, isMoved || stop.isNoted ? .now : flags) { resume(t.tid) }
    case .fault(let fault):
      isMoved = isMoved || stop.isNoted
      if !isMoved, signal == fault.signo {
        if try deliverFault(p, stop.information, isPassed: true) { resume(p.guest.tid) }
        return
      }
      if !isMoved { try writeSuppressedFault(p, fault) }
      try p.guest.restart()
      if signal != 0 { p.queue.insert(QueuedSignal(passed: information, t.tid), at: 0) }
      if try deliverSignals(p, .now) { resume(t.tid) }
    case .stepped:
      if signal != 0 { inject(p, t, information) }
      try p.guest.restart()
      resume(t.tid)
    case .call(let r):
      try goOnInCall(p, t, r, isSignal && signal != 0 ? information : nil)
    case .kernel:
      guard signal != 0, isSignal else { return resume(t.tid) }
      let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(t.tid) }
      p.queue.append(QueuedSignal(passed: information, t.tid))
      try abandonCall(p, t.tid, r, restarts: true)
    case .exit:
      try systemCall(p)
      resume(t.tid)
    }
  }

  /// A signal that the tracer sends along with a resume: delivered at the next point where that is possible.
  private func inject(_ p: RecordedProcess, _ t: Tracee, _ information: SignalInfo) {
    p.queue.append(QueuedSignal(passed: information, t.tid))
    p.control.setPending(UInt64(t.tid.rawValue), restarts: true)
    if p.control.isCurrent(UInt64(t.tid.rawValue)) { p.control.expireAtNextTick() }
  }

  /// A call that waits in the kernel: it goes on waiting, or is given up for a signal or a change.
  private func goOnInCall(
    _ p: RecordedProcess, _ t: Tracee, _ r: Registers, _ information: SignalInfo?
  ) throws(GuestError) {
    if !t.events.isEmpty {
      let what = t.events.removeFirst()
      return hold(p, t, what, at: .call(r), showing: interruptedView(p, t.tid, r))
    }
    t.call = nil
    var restarts = true
    if let information {
      let signal = information.signo
      let action = p.control.actions[Int(signal)]
      if action.handler == 0, isStop(signal) { return resume(t.tid, signal) }
      if !isIgnored(p, signal) {
        restarts = action.handler > 1 && action.flags & 0x1000_0000 != 0
        p.queue.append(QueuedSignal(passed: information, t.tid))
        return try abandonCall(p, t.tid, r, restarts: restarts)
      }
    }
    if ptrace.changes[t.tid] != nil || t.mode == .calls { return try abandonCall(p, t.tid, r, restarts: true) }
    try restartInterrupted(t.tid, r)
    resume(t.tid)
  }

  /// The call is given up: the runtime asks what is to be done (REASON_SIGNALS), and mostly begins it anew.
  func abandonCall(
    _ p: RecordedProcess, _ tid: ThreadID, _ r: Registers, restarts: Bool
  ) throws(GuestError) {
    let isCurrent = p.control.isCurrent(UInt64(tid.rawValue))
    p.control.setPending(UInt64(tid.rawValue), restarts: restarts)
    if isCurrent { p.guest.tid = tid }
    try makeStop(p, tid, r, restarts: restarts, isCurrent: isCurrent)
    resume(tid)
  }

  /// A call that the kernel has interrupted, as a tracer sees it.
  func interruptedView(_ p: RecordedProcess, _ tid: ThreadID, _ r: Registers) -> Registers {
    let v = view(p, tid)
    return callView(p, tid, number: v.rax, result: Int64(bitPattern: r.rax))
  }
}

extension VirtualStop.What {
  var isSignal: Bool {
    if case .signal = self { return true }
    return false
  }
}
