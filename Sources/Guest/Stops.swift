import BisRuntime
import CABI
import CPUModel
import Linux
import Translate

/// What record and replay have in common when a process stops.
extension GuestProcess {
  /// Answers the runtime's questions about translations (MISS, MISS_INDIRECT, EXIT_DIRECT).
  ///
  /// - Returns: false when rip is not executable: the program faults there.
  public func serveTranslation(_ reason: bis_reason) throws(GuestError) -> Bool {
    let target = asked(reason)
    askedFor = nil
    control.rip = target.guest
    guard let host = try translate(target.guest, target.kind) else { return false }
    control.block.pointee.resume_host = host
    return true
  }

  /// What a question in a stop asks for.
  public func asked(_ reason: bis_reason) -> (guest: UInt64, kind: EntryKind) {
    if reason != BIS_REASON_EXIT_DIRECT { return target(reason, control.rip) }
    return askedFor ?? target(reason, control.arguments[0])
  }

  /// - Parameter argument: an exit's number, or the guest's address.
  private func target(_ reason: bis_reason, _ argument: UInt64) -> (guest: UInt64, kind: EntryKind) {
    switch reason {
    case BIS_REASON_EXIT_DIRECT:
      let exit = code.translator.exitTarget(UInt32(truncatingIfNeeded: argument))
      return (exit.guest, exit.kind)
    case BIS_REASON_MISS: return (argument, .body)
    default: return (argument, .indirect)
    }
  }

  /// Answers a question that is asked without a stop (struct bis_ask): rip and where to go on; nil: it must stop.
  func translateUnstopped(_ reason: bis_reason, _ argument: UInt64) -> (guest: UInt64, host: UInt64)? {
    guard askedFor == nil, control.block.pointee.vfork_depth == 0, !code.isFlushing, !code.translator.isShort else {
      return nil
    }
    let target = target(reason, argument)
    // (What goes wrong goes wrong again in the stop. Code that only this process has needs calls into it.)
    guard let host = try? translateShared(target.guest, target.kind) else { return nil }
    return (target.guest, host)
  }

  /// A guest address and the general registers behind a stop in translated code; nil when the address belongs to
  /// the middle of a template: single-step and ask again.
  public enum Captured {
    case state
    case stepOn
    case unknown
  }

  /// Copies the program's registers from a ptrace stop at translated code into the control block.
  public func capture(_ r: Registers) -> Captured {
    guard let location = code.translator.locate(host: r.rip) else {
      return code.isReturning(r.rip) ? .stepOn : .unknown
    }
    if location.kind == .stepOn { return .stepOn }
    for i in 0..<16 { control.gpr[i] = r[i] }
    for restore in location.restores { control.gpr[restore.register] = control.spill[restore.spill] }
    control.gpr[4] = control.gpr[4] &+ UInt64(bitPattern: Int64(location.rspAdjust))
    if location.kind == .indirectEntry { control.gpr[1] = control.spill[Int(BIS_SPILL_RCX)] }
    control.rip = location.guest
    control.block.pointee.rflags = r.rflags
    return .state
  }

  /// Steps a process that stopped in translated code until the program's state is exact, and captures it.
  public func settleInTranslatedCode() throws(GuestError) {
    for _ in 0..<256 {
      let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
      switch capture(r) {
      // (an entry whose tick is not counted yet)
      case .state where code.translator.locate(host: r.rip)?.kind == .indirectEntry: try singleStep()
      case .state: return
      case .unknown: throw .unsupported("stopped at \(String(r.rip, radix: 16)), which is no translated code")
      case .stepOn: try singleStep()
      }
    }
    throw .unsupported("no exact state within 256 steps of translated code")
  }

  /// The program has set its trap flag (POPF), and this is the trap, one instruction of the host later, where the flag is
  /// nowhere but in the register: takes it back. True when that was it and the process may be resumed.
  public func dropTrapFlag(_ info: SignalInfo, _ r: Registers) throws(GuestError) -> Bool {
    guard info.signo == 5, info.code == 2, r.hasTrapFlag, place(r.rip) != .outside else { return false }
    var r = r
    r.rflags &= ~0x100
    try kernel("set registers") { () throws(Errno) in try Ptrace.setRegisters(tid, r) }
    return true
  }

  /// One instruction, with signals held back.
  public func singleStep() throws(GuestError) {
    try kernel("single-step") { () throws(Errno) in
      let mask = try Ptrace.signalMask(tid)
      try Ptrace.setSignalMask(tid, ~(1 << 4))
      while true {
        try Ptrace.step(tid)
        let reason = try waitForStop(tid)
        if case .event(.stop) = reason { continue }  // (it was interrupted before: nothing is done yet)
        guard reason == .signal(5) else { throw .gone }
        break
      }
      try Ptrace.setSignalMask(tid, mask)
    }
  }

  /// Continues in the runtime at `label`, which takes the program's state from the control block.
  public func restart(at label: bis_label = BIS_LABEL_START) throws(GuestError) {
    control.block.pointee.resume_host = 0
    try kernel("set registers") { () throws(Errno) in
      var r = try Ptrace.getRegisters(tid)
      r.rip = Region.address(label)
      r.rsp = control.block.pointee.stack_top
      r.orig_rax = .max
      r.gs_base = UInt64(BIS_WINDOW_BASE)
      try Ptrace.setRegisters(tid, r)
    }
  }

  /// Where a stop happened.
  public enum Place { case translated, runtime, outside }
  public func place(_ rip: UInt64) -> Place {
    if code.isReturning(rip) { return .translated }
    if rip >= UInt64(BIS_CODE_BASE), rip < UInt64(BIS_CODE_BASE) + UInt64(BIS_CODE_SIZE) { return .translated }
    if rip >= UInt64(BIS_RUNTIME_BASE), rip < UInt64(BIS_RUNTIME_BASE) + UInt64(BIS_RUNTIME_SIZE) { return .runtime }
    return .outside
  }

  /// A write to a page that bis watches: undoes the protection, lets the instruction finish and goes on with fresh
  /// translations. True when that was it and the process may be resumed.
  ///
  /// - Parameter stepped: called when the instruction in translated code (of a repeated one: one element) is done, before
  ///   anything else is executed: what debug registers saw is forgotten with the next step. True: a repeated one is
  ///   finished step by step.
  public func handleGuardedWrite(
    _ info: SignalInfo, _ r: Registers, stepped: () throws(GuestError) -> Bool = { false }
  ) throws(GuestError) -> Bool {
    guard info.signo == 11 else { return false }
    let page = info.address & ~0xFFF
    guard guarded[page] != nil else { return false }
    try unguard(page)
    guard place(r.rip) == .translated else {
      try forgetPage(page)
      return true
    }
    // The store is in code that may be stale from here on: finish it, then go through the tables again.
    var pages = try singleStepAcrossGuards()
    if try stepped() {
      while try kernel("read registers", { () throws(Errno) in try Ptrace.getRegisters(tid) }).rip == r.rip {
        pages += try singleStepAcrossGuards()
      }
    }
    try settleInTranslatedCode()
    try restart()
    for written in [page] + pages { try forgetPage(written) }
    return true
  }

  /// Executes the instruction at hand, taking the protection from every watched page that it writes: returns those.
  private func singleStepAcrossGuards() throws(GuestError) -> [UInt64] {
    var pages: [UInt64] = []
    for _ in 0..<64 {
      let mask = try kernel("read the signal mask") { () throws(Errno) in try Ptrace.signalMask(tid) }
      try kernel("step") { () throws(Errno) in
        try Ptrace.setSignalMask(tid, ~(1 << 4 | 1 << 10))
        try Ptrace.step(tid)
      }
      let reason = try kernel("wait") { () throws(Errno) in try waitForStop(tid) }
      if case .event(.stop) = reason { continue }
      guard case .signal(let signal) = reason else { throw .gone }
      let info = try kernel("read signal information") { () throws(Errno) in try Ptrace.signalInfo(tid) }
      try kernel("set the signal mask") { () throws(Errno) in try Ptrace.setSignalMask(tid, mask) }
      if signal == 5 { return pages }
      guard signal == 11, guarded[info.address & ~0xFFF] != nil else {
        throw .unsupported("an instruction that writes code faults in the middle")
      }
      try unguard(info.address & ~0xFFF)
      pages.append(info.address & ~0xFFF)
    }
    throw .unsupported("an instruction that writes more than 64 watched pages")
  }

  /// The same, inside `call`.
  func passGuestAccessFault() throws(Errno) {
    var r = try Ptrace.getRegisters(tid)
    guard
      [BIS_LABEL_PEEK_ACCESS, BIS_LABEL_POKE_ACCESS, BIS_LABEL_COPY_ACCESS].contains(where: {
        Region.address($0) == r.rip
      })
    else { throw .badAddress }
    r.rip = Region.address(BIS_LABEL_GUEST_FAULT)
    try Ptrace.setRegisters(tid, r)
  }

  /// The runtime read or wrote the program's memory for it and that faulted. True when it could be told so.
  public func handleGuestAccessFault(_ r: Registers) throws(GuestError) -> Bool {
    let places = [BIS_LABEL_PEEK_ACCESS, BIS_LABEL_POKE_ACCESS, BIS_LABEL_COPY_ACCESS]
    guard places.contains(where: { Region.address($0) == r.rip }) else { return false }
    try kernel("set registers") { () throws(Errno) in
      var r = r
      r.rip = Region.address(BIS_LABEL_GUEST_FAULT)
      try Ptrace.setRegisters(tid, r)
    }
    return true
  }
}
