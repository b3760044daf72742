import BisRuntime
import CABI
import CPUModel
import Guest
import Linux
import Tape
import Translate

/// Signals: synchronous ones at once, asynchronous ones at the next point where the program's state is exact.
extension RecordSession {
  private enum Default { case terminate, ignore, stop }
  private func defaultAction(_ signal: Int32) -> Default {
    switch signal {
    case 17, 18, 23, 28: .ignore  // CHLD CONT URG WINCH
    case 19, 20, 21, 22: .stop  // STOP TSTP TTIN TTOU
    default: .terminate
    }
  }

  /// A signal-delivery stop that is not the runtime's question.
  func signalStop(_ p: RecordedProcess, _ tid: ThreadID, _ signal: Int32) throws(GuestError) {
    let sent = try kernel("read signal information") { () throws(Errno) in try Ptrace.signalInfo(tid) }
    if sent.isExitEvent, (try? peek(for: tid, nohang: true)) ?? nil != nil { throw .gone }
    if p.guest.pid == root.rawValue { relay?.note(sent) }
    let info = childSignal(p, sent)
    let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    if p.vforkParents.contains(tid) {  // a vfork parent, suspended: what comes for it waits
      return resume(tid, signal)
    }
    if info.signo == 5, info.code == 4, let t = ptrace.tracees[tid], t.hasWatchpoints {  // TRAP_HWBKPT
      return try watchpoint(p, t, info, r)
    }
    let isCurrent = p.control.isCurrent(UInt64(tid.rawValue))
    if info.tellsFault, !isSent(p, r) {
      guard isCurrent else {
        throw .unsupported("signal \(signal) in a thread that waits, at \(String(r.rip, radix: 16))")
      }
      p.guest.tid = tid
      if try fault(p, info, r) { resume(p.guest.tid) }
      return
    }
    if let t = ptrace.tracees[tid], t.stop == nil { return try tracedSignal(p, t, info, r) }
    let action = p.control.actions[Int(signal)]
    let ignored = action.handler == 1 || (action.handler == 0 && defaultAction(signal) == .ignore)
    if ignored {
      try restartInterrupted(tid, r)
      return resume(tid)
    }
    if action.handler == 0, defaultAction(signal) == .stop { return resume(tid, signal) }
    let restarts = action.handler > 1 && action.flags & 0x1000_0000 != 0
    if p.queue.contains(where: { $0.thread == tid && $0.number == signal }) { try holdBack(p, signal, tid) }
    p.queue.append(QueuedSignal(thread: tid, number: signal, information: info.withBytes { Array($0) }))
    p.control.setPending(UInt64(tid.rawValue), restarts: restarts)
    if isCurrent { p.guest.tid = tid }
    try makeStop(p, tid, r, restarts: restarts, isCurrent: isCurrent)
    resume(tid)
  }

  /// A signal that comes again before it could be delivered waits in the kernel until that is done: a timer with a short
  /// interval would stop the thread again and again and never let it go on to its next tick.
  private func holdBack(_ p: RecordedProcess, _ signal: Int32, _ tid: ThreadID) throws(GuestError) {
    try kernel("block a signal") { () throws(Errno) in
      try Ptrace.setSignalMask(tid, try Ptrace.signalMask(tid) | 1 << UInt64(signal - 1))
    }
    p.heldBack.insert(tid)
  }

  private enum Restart {
    static let sys: Int64 = -512, noIntr: Int64 = -513, noHand: Int64 = -514, block: Int64 = -516
  }

  /// Sees to it that the process stops soon where its state is exact.
  func makeStop(
    _ p: RecordedProcess, _ tid: ThreadID, _ r: Registers, restarts: Bool, isCurrent: Bool
  ) throws(GuestError) {
    func set(_ change: (inout Registers) -> Void) throws(GuestError) {
      var new = r
      change(&new)
      try kernel("set registers") { () throws(Errno) in try Ptrace.setRegisters(tid, new) }
    }
    switch p.guest.place(r.rip) {
    case .runtime:
      var start = Region.address(BIS_LABEL_INTERRUPTIBLE_START), end = Region.address(BIS_LABEL_INTERRUPTIBLE_END)
      var abort = Region.address(BIS_LABEL_INTERRUPTIBLE_ABORT)
      if r.rip >= Region.address(BIS_LABEL_RELEASED_START), r.rip <= Region.address(BIS_LABEL_RELEASED_END) {
        start = Region.address(BIS_LABEL_RELEASED_START)
        end = Region.address(BIS_LABEL_RELEASED_END)
        abort = Region.address(BIS_LABEL_RELEASED_ABORT)
      }
      if r.rip >= start, r.rip < end {
        try set {
          $0.rip = abort
          $0.orig_rax = .max
        }
      } else if r.rip == end, Int64(bitPattern: r.orig_rax) >= 0 {
        let code = Int64(bitPattern: r.rax)
        let again = code == Restart.noIntr || (code == Restart.sys && restarts)
        if [Restart.sys, Restart.noIntr, Restart.noHand, Restart.block].contains(code) {
          try set {
            $0.rax = UInt64(bitPattern: again ? Restart.sys : -4)
            $0.orig_rax = .max
          }
        }
      } else if isCurrent {
        p.control.expireAtNextTick()
      }
    case .translated:
      // A tick may be half done: finish it first, or its count is lost.
      for _ in 0..<64 {
        let now = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
        guard p.guest.place(now.rip) == .translated, let at = region.translator.locate(host: now.rip),
          at.kind == .stepOn
        else { break }
        try p.guest.singleStep()
      }
      p.control.expireAtNextTick()
    case .outside:
      if isCurrent { p.control.expireAtNextTick() }
    }
  }

  // MARK: Delivery

  /// What the kernel would go by: a call like sigsuspend has a mask of its own until a handler begins, which has that one and
  /// returns to the other (sigmask_to_save, kernel/signal.c).
  private func maskInForce(_ block: bis_control) -> UInt64 {
    block.turn.temporary_mask == 0 ? block.signal_mask : block.turn.temporary_mask & ~(1 << 8 | 1 << 18)
  }

  /// REASON_SIGNALS, or a tick ran out while signals wait: delivers what is not blocked. False when the process was
  /// resumed (to die) or must not be resumed here.
  func deliverSignals(_ p: RecordedProcess, atExpiry: Bool) throws(GuestError) -> Bool {
    try deliverSignals(p, atExpiry ? .tick : p.control.block.pointee.restart_syscall != 0 ? .entry : .now)
  }

  func deliverSignals(_ p: RecordedProcess, _ place: SignalFlags) throws(GuestError) -> Bool {
    let block = p.control.block
    var place = place
    p.control.clearPending()
    if try applyChange(p, place) { place = .now }
    if holdsBeforeSignals(p, place) { return false }
    var flags: EventFlags = place == .tick ? .asynchronous : place == .entry ? .atEntry : []
    // The first one the kernel has found unblocked.
    var isFirst = block.pointee.held_signals == 0
    let tid = p.guest.tid
    while let i = p.queue.firstIndex(where: {
      $0.thread == tid
        && (isFirst && faultSignals >> UInt64($0.number - 1) & 1 == 0
          || maskInForce(block.pointee) >> UInt64($0.number - 1) & 1 == 0)
    }) {
      isFirst = false
      let signal = p.queue.remove(at: i)
      if !signal.isPassed, let t = ptrace.tracees[tid] {
        let info = signal.information.withUnsafeBytes { SignalInfo(bytes: $0) }
        hold(p, t, .signal(info), at: .signals(flags.isEmpty ? .now : place))
        return false
      }
      let action = p.control.actions[Int(signal.number)]
      if action.handler == 1 || (action.handler == 0 && defaultAction(signal.number) == .ignore) { continue }
      if action.handler == 0, isStop(signal.number) {
        resume(tid, signal.number)  // a group stop, here
        return false
      }
      if action.handler == 0 {
        try append(
          p,
          EventHead(
            .exit, number: 1, flags: flags, rip: p.control.rip, value: UInt64(signal.number),
            value2: UInt64((flags.contains(.atEntry) ? BIS_EXIT_AT_CALL : BIS_EXIT_IMMEDIATE).rawValue)))
        p.endWritten = true
        try kernel("reset a signal") { () throws(Errno) in
          try Ptrace.setSignalMask(p.guest.tid, block.pointee.signal_mask & ~faultSignals)
        }
        resume(p.guest.tid, signal.number)
        return false
      }
      try deliver(
        p, signal.number, signal.information, action, cause: BIS_SIGNAL_ASYNC, flags: flags, trap: 0, error: 0, cr2: 0)
      flags = []
    }
    if p.heldBack.remove(tid) != nil { try setMask(p, block.pointee.signal_mask) }
    block.pointee.held_signals = p.queue.reduce(0) { $1.thread != tid ? $0 : $0 | 1 << UInt64($1.number - 1) }
    return true
  }

  /// Builds the frame and moves the program to its handler; writes the event.
  func deliver(
    _ p: RecordedProcess, _ signal: Int32, _ information: [UInt8], _ action: bis_sigaction, cause: bis_signal_cause,
    flags: EventFlags, trap: UInt64, error: UInt64, cr2: UInt64
  ) throws(GuestError) {
    let control = p.control
    let block = control.block
    let mask = block.pointee.signal_mask
    let inForce = maskInForce(block.pointee)
    block.pointee.turn.temporary_mask = 0
    let event = EventHead(
      .signal, number: UInt32(signal), flags: flags, rip: control.rip, value: UInt64(cause.rawValue),
      registers: control.registerHash())
    let frame = SignalFrame.build(
      control: control, action: action, information: information, xstate: try codec.read(p.guest.tid),
      profile: region.profile, mask: mask, trap: trap, error: error, cr2: cr2, oldMask: mask)
    guard let frame, try p.guest.writes(frame.address, frame.bytes) else {  // force_sigsegv, kernel/signal.c
      let other = control.actions[11]
      if signal == 11 || other.handler <= 1 || inForce >> 10 & 1 != 0 { return try die(p, 11, event) }
      let fault = SignalInfo(signal: 11, code: 0x80).withBytes { Array($0) }
      return try deliver(p, 11, fault, other, cause: cause, flags: flags, trap: trap, error: error, cr2: cr2)
    }
    AlternateStack.disarm(control)
    control.gpr[4] = frame.handlerRSP
    control.gpr[7] = UInt64(signal)
    control.gpr[6] = frame.siginfo
    control.gpr[2] = frame.ucontext
    control.gpr[0] = 0
    control.rip = action.handler
    block.pointee.rflags &= ~0x10500  // DF, TF, RF
    block.pointee.resume_host = 0
    if action.flags & 0x8000_0000 != 0 { control.actions[Int(signal)].handler = 0 }  // SA_RESETHAND
    var new = inForce | action.mask
    if action.flags & 0x4000_0000 == 0 { new |= 1 << UInt64(signal - 1) }
    try setMask(p, new)
    let initial = codec.initialState()
    try codec.write(p.guest.tid, initial)
    try append(
      p, event,
      [.signalInfo(Payload(information))] + memoryEffects(frame.address, frame.bytes) + [
        .registers(
          RegisterValues(
            general: (0..<16).map { control.gpr[$0] }, rip: control.rip, rflags: block.pointee.rflags,
            fsBase: block.pointee.fs_base, gsBase: block.pointee.gs_base)),
        .extendedState(Payload(initial)),
      ])
  }

  /// The current thread gets SIGSEGV when its call is over; blocked or ignored, that kills. force_sig, kernel/signal.c
  func forceSegmentationFault(_ p: RecordedProcess) throws(GuestError) {
    let mask = p.control.block.pointee.signal_mask, bit: UInt64 = 1 << 10
    if p.control.actions[11].handler == 1 || mask & bit != 0 {
      p.control.actions[11].handler = 0
      try setMask(p, mask & ~bit)
    }
    let information = SignalInfo(signal: 11, code: 0x80).withBytes { Array($0) }
    p.queue.append(QueuedSignal(thread: p.guest.tid, number: 11, information: information))
    p.control.setPending(UInt64(p.guest.tid.rawValue), restarts: false)
  }

  /// The program dies of a signal at exactly this point.
  func die(_ p: RecordedProcess, _ signal: Int32, _ at: EventHead) throws(GuestError) {
    var head = at
    head.kind = .exit
    head.number = 1
    head.value = UInt64(signal)
    head.value2 = UInt64((at.flags.contains(.atEntry) ? BIS_EXIT_AT_CALL : BIS_EXIT_IMMEDIATE).rawValue)
    try append(p, head)
    p.endWritten = true
    try? Ptrace.setSignalMask(p.guest.tid, 0)
    resume(p.guest.tid, signal)
    throw .gone
  }

  // MARK: Faults

  /// A signal that says it is a fault comes when a system call is over: the program has sent it, as handlers do that pass on what
  /// they got (rt_tgsigqueueinfo(2): to oneself with any code).
  private func isSent(_ p: RecordedProcess, _ r: Registers) -> Bool {
    if case .call = p.guest.rest(r) { return !r.hasTrapFlag }
    return false
  }

  /// A synchronous signal. True when the process may be resumed.
  private func fault(_ p: RecordedProcess, _ info: SignalInfo, _ r: Registers) throws(GuestError) -> Bool {
    if try sharedFault(p, info, r) { return false }
    try faultBeyondEnd(p, info, r)
    if try p.guest.dropTrapFlag(info, r) {
      warn("\(p.executable) sets the trap flag: not supported in this version; it gets no SIGTRAP for it")
      return true
    }
    if try p.guest.handleGuardedWrite(info, r) { return true }
    switch p.guest.place(r.rip) {
    case .runtime:
      if try p.guest.handleGuestAccessFault(r) { return true }
      let inCopy = p.guest.isGuestCopy(r.rip)
      guard inCopy else {
        throw .unsupported(
          "signal \(info.signo) in the runtime at \(String(r.rip - UInt64(BIS_RUNTIME_BASE), radix: 16)), address \(String(info.address, radix: 16))"
        )
      }
      // The operand of a special instruction: the fault is the program's, at the instruction.
      p.control.rip -= p.guest.descriptorLength()
    case .translated:
      var at = r
      if info.signo == 5, info.code == 0x80 { at.rip -= 1 }  // int3 reports the address after it
      switch p.guest.capture(at) {
      case .state: break
      case .stepOn: throw .unsupported("a fault inside a template at \(String(r.rip, radix: 16))")
      case .unknown: throw .unsupported("a fault in unknown translated code at \(String(r.rip, radix: 16))")
      }
      if info.signo == 5, info.code == 0x80 { p.control.rip += 1 }
    case .outside:
      throw .unsupported("the program left translated code at \(String(r.rip, radix: 16)): signal \(info.signo)")
    }
    var information = info
    if [4, 5, 8].contains(info.signo), info.code != 0x80 { information.words[2] = p.control.rip }
    return try deliverFault(p, information)
  }

  func deliverFault(
    _ p: RecordedProcess, _ info: SignalInfo, isPassed: Bool = false
  ) throws(GuestError) -> Bool {
    if !isPassed, holdsFault(p, info) { return false }
    let signal = info.signo
    let action = p.control.actions[Int(signal)]
    let blocked = p.control.block.pointee.signal_mask >> UInt64(signal - 1) & 1 != 0
    let head = EventHead(
      .exit, number: 1, rip: p.control.rip, value: UInt64(signal), value2: UInt64(BIS_EXIT_FAULT.rawValue))
    if action.handler <= 1 || blocked {
      try append(p, head)
      p.endWritten = true
      resume(p.guest.tid, signal)
      return false
    }
    let trap: [Int32: UInt64] = [4: 6, 5: 3, 7: 17, 8: 0, 11: 14]
    let isPageFault = signal == 11 && info.code != 0x80
    let error: UInt64 =
      isPageFault ? 4 | (p.guest.isPresent(info.address) ? 1 : 0) | (p.guest.writesMemory(p.control.rip) ? 2 : 0) : 0
    try deliver(
      p, signal, info.withBytes { Array($0) }, action, cause: BIS_SIGNAL_FAULT, flags: [],
      trap: signal == 11 && !isPageFault ? 13 : trap[signal] ?? 0, error: error, cr2: isPageFault ? info.address : 0)
    try p.guest.restart()
    return true
  }

  /// rip is not executable memory. True when the process may be resumed.
  func faultAtTarget(_ p: RecordedProcess) throws(GuestError) -> Bool {
    try synthesise(p, signal: 11, code: try p.guest.isMapped(p.control.rip) ? 2 : 1, address: p.control.rip)
  }

  /// A special instruction raised #UD or #GP (arguments: op, outcome), or is an INT 0x80.
  func specialFault(_ p: RecordedProcess) throws(GuestError) -> Bool {
    if p.control.arguments[1] == 2 { return try synthesise(p, signal: 4, code: 2, address: p.control.rip) }
    return try synthesise(p, signal: 11, code: 0x80, address: 0)
  }

  private func synthesise(
    _ p: RecordedProcess, signal: Int32, code: Int32, address: UInt64
  ) throws(GuestError) -> Bool {
    var info = SignalInfo(signal: signal, code: code)
    info.words[2] = address
    return try deliverFault(p, info)
  }
}
