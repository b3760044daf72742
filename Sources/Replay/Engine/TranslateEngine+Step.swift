import CABI
import Guest
import Linux
import Translate

/// One instruction at a time.
extension TranslateEngine {
  public func step(stops: StopSet) throws(GuestError) -> Stop {
    try begin(stops, collecting: false)
    defer { finish() }
    if isAtEnd, let endStop { return endStop }
    return try stepOnce(from: position)
  }

  /// - Parameter start: where a breakpoint does not count.
  func stepOnce(from start: Position) throws(GuestError) -> Stop {
    let before = position
    if isAtEnd, let endStop { return endStop }
    focus.stepStart = before
    ahead = []
    defer { focus.stepStart = nil }
    try leaveOverwritten()
    if try isInRuntime() {
      if !isAtLeave, let stop = try toLeave(from: start) { return stop }
      if position != before { return reportStep(.limit) }
      try enterTranslated()
    }
    isAtLeave = false
    let stop = try walk(from: before, start)
    if stop == .limit, touched == nil { try confirmAhead() }
    return reportStep(stop)
  }

  /// What an instruction touched is its stop, unless something else stopped it.
  private func reportStep(_ stop: Stop) -> Stop {
    guard stop == .limit, let t = touched else { return stop }
    touched = nil
    guard focus.isCollecting else { return .watchpoint(t.watchpoint, address: t.address) }
    focus.last = (position, .watchpoint(t.watchpoint, address: t.address))
    return stop
  }

  private func isInRuntime() throws(GuestError) -> Bool {
    if case .none = focus.pending {
      let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
      return process.guest.place(r.rip) == .runtime
    }
    return true
  }

  /// Lets the runtime finish what it is at, up to its way out. nil: it is there.
  func toLeave(from start: Position) throws(GuestError) -> Stop? {
    while true {
      control.block.pointee.debug.flags |= UInt64(BIS_DEBUG_STEP.rawValue)
      try session.goOn(focus, process)
      switch focus.stop {
      case .limit:
        if case .none = focus.pending {
          isAtLeave = true
          return nil
        }
        return .limit
      case .breakpoint, .systemCallEntry:
        if position != start, case .breakpoint = focus.stop { return focus.stop! }
      case .watchpoint: try noteAhead()
      case .exited, .killed, .exec, .cutOff:
        endStop = focus.stop
        return focus.stop!
      case .some(let other): return other
      case nil: throw .gone
      }
    }
  }

  /// From the runtime's way out into translated code, without running an instruction.
  func enterTranslated() throws(GuestError) {
    let host = control.block.pointee.resume_host
    guard process.guest.place(host) == .translated else { throw .unsupported("a step to an unknown place") }
    try kernel("set registers") { () throws(Errno) in
      var r = try Ptrace.getRegisters(tid)
      for i in 0..<16 { r[i] = control.gpr[i] }
      r.rip = host
      r.rflags = control.block.pointee.rflags
      r.orig_rax = .max
      try Ptrace.setRegisters(tid, r)
    }
  }

  /// Steps host instructions until the program is at its next instruction.
  func walk(from before: Position, _ start: Position) throws(GuestError) -> Stop {
    for _ in 0..<100_000 {
      let status = try hostStep()
      let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
      guard case .stopped(.signal(5)) = status.kind, process.guest.place(r.rip) != .outside else {
        return try serveInStep(status, before, start)
      }
      if try isTrapInstruction(r) { return try serveInStep(status, before, start) }
      try noteTouch()
      if process.guest.place(r.rip) == .runtime {
        if let stop = try toLeave(from: start) { return stop }
        if hasMoved(from: before) { return .limit }
        try enterTranslated()
        isAtLeave = false
        continue
      }
      guard let l = session.region.translator.locate(host: r.rip), l.kind == .instruction else { continue }
      if l.guest == before.address, control.ticks == before.ticks { continue }
      guard case .state = process.guest.capture(r) else { continue }
      return .limit
    }
    throw .unsupported("an instruction does not end")
  }

  /// The step ran an INT3 of the program's own, which is a signal for it.
  private func isTrapInstruction(_ r: Registers) throws(GuestError) -> Bool {
    guard process.guest.place(r.rip) == .translated else { return false }
    let info = try kernel("read signal information") { () throws(Errno) in try Ptrace.signalInfo(tid) }
    return info.code == 0x80 && session.region.translator.breakpointEntry(atTrap: r.rip - 1) == nil
  }

  /// On the runtime's way out: whether the program is at another moment, and exactly there.
  private func hasMoved(from before: Position) -> Bool {
    if position.event != before.event { return true }
    guard let l = session.region.translator.locate(host: control.block.pointee.resume_host), l.kind == .instruction
    else {
      return false
    }
    return position != before
  }

  /// A fault, or a write to watched code, in the middle of a step.
  private func serveInStep(_ status: WaitStatus, _ before: Position, _ start: Position) throws(GuestError) -> Stop {
    if case .stopped(.signal(11)) = status.kind, process.awaited != nil {
      let info = try kernel("read signal information") { () throws(Errno) in try Ptrace.signalInfo(tid) }
      let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
      if let goesOn = try session.serveAwaited(process, info, r) {
        return goesOn ? try walk(from: before, start) : focus.stop ?? .limit
      }
    }
    control.block.pointee.debug.flags |= UInt64(BIS_DEBUG_STEP.rawValue)
    focus.stop = nil
    try session.serve(process, status)
    if focus.stop == nil { try session.loop() }
    while case .watchpoint = focus.stop {
      try noteAhead()
      control.block.pointee.debug.flags |= UInt64(BIS_DEBUG_STEP.rawValue)
      try session.goOn(focus, process)
    }
    switch focus.stop {
    case .limit:
      if case .none = focus.pending {
        isAtLeave = true
        if hasMoved(from: before) { return .limit }
        try enterTranslated()
        isAtLeave = false
        return try walk(from: before, start)
      }
      return .limit
    case .exited, .killed, .exec, .cutOff:
      endStop = focus.stop
      return focus.stop!
    case .some(let other): return other
    case nil: throw .gone
    }
  }

  /// One host instruction; a repeated one, and one that would show the trap flag, as a whole.
  private func hostStep() throws(GuestError) -> WaitStatus {
    session.sharedCPU.served(tid, of: process.guest.pid)
    let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    if process.guest.place(r.rip) == .translated, needsWhole(r.rip),
      let end = session.region.translator.templateEnd(r.rip)
    {
      return try runToHost(end)
    }
    return try kernel("single-step") { () throws(Errno) in
      let mask = try Ptrace.signalMask(tid)
      try Ptrace.setSignalMask(tid, ~(1 << 4))
      try Ptrace.step(tid)
      let status = try wait(for: tid)
      try Ptrace.setSignalMask(tid, mask)
      return status
    }
  }

  /// `rep` string instructions trap after every iteration, PUSHF stores the trap flag, and behind POPF the kernel takes it
  /// for the program's own (arch/x86/kernel/step.c, is_setting_trap_flag).
  private func needsWhole(_ host: UInt64) -> Bool {
    guard let bytes = try? process.guest.read(host, 4) else { return false }
    let opcode = bytes.first { !Self.isPrefix($0) }
    return opcode == 0x9C || opcode == 0x9D || repeatedElement(bytes) != nil
  }

  private static func isPrefix(_ byte: UInt8) -> Bool {
    [0xF2, 0xF3, 0x66, 0x67].contains(byte) || byte & 0xF0 == 0x40
  }

  /// Bytes of an element of the repeated string instruction that begins so; nil: it is another instruction.
  private func repeatedElement(_ bytes: [UInt8]) -> UInt64? {
    let prefixes = bytes.prefix { Self.isPrefix($0) }
    guard prefixes.count < bytes.count, prefixes.contains(where: { $0 == 0xF2 || $0 == 0xF3 }) else { return nil }
    let opcode = bytes[prefixes.count]
    guard [0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF].contains(opcode) else { return nil }
    if opcode & 1 == 0 { return 1 }
    return prefixes.contains { $0 & 0xF8 == 0x48 } ? 8 : prefixes.contains(0x66) ? 2 : 4
  }

  /// A trap of a debug register before an instruction that repeats: whether some of it is done. (SDM vol. 3, 18.3.1.1: the
  /// resume flag tells; not in every virtual machine.)
  private func isAmidRepeat(_ r: Registers) -> Bool {
    guard process.guest.place(r.rip) == .translated, let bytes = try? process.guest.read(r.rip, 4),
      let size = repeatedElement(bytes)
    else { return false }
    if r.rflags & 0x10000 != 0 { return true }
    guard let t = touched else { return false }
    let end = min(t.address &+ 8, t.watchpoint.address &+ t.watchpoint.length)
    return [r[6], r[7]].contains { pointer in
      let element = r.rflags & 0x400 != 0 ? pointer &+ size : pointer &- size
      return element < end && element &+ size > t.address
    }
  }

  private func runToHost(_ host: UInt64) throws(GuestError) -> WaitStatus {
    try setDebugRegister(3, host, control: 0)
    defer { try? clearDebugRegister(3) }
    return try kernel("run to an address") { () throws(Errno) in
      try Ptrace.cont(tid, 0)
      return try wait(for: tid)
    }
  }

  /// A watchpoint stopped the process right after an access: on to the end of that instruction.
  func finishInstruction() throws(GuestError) {
    let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    if process.guest.place(r.rip) == .runtime {
      _ = try toLeave(from: position)
      return
    }
    let isInRepeat = isAmidRepeat(r)
    if !isInRepeat, let l = session.region.translator.locate(host: r.rip), l.kind == .instruction,
      case .state = process.guest.capture(r)
    {
      return
    }
    let inside = session.region.translator.locate(host: r.rip)?.guest ?? 0
    let stop = try walk(from: Position(event: position.event, ticks: control.ticks, address: inside), position)
    if stop != .limit, stop != focus.stop { focus.stop = stop }
  }
}
