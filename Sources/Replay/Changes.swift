import BisRuntime
import CABI
import Guest
import Linux
import Tape
import Translate

/// What a process that traced this one has changed (signal events with signal 0): memory, registers, anywhere.
extension ReplaySession {
  /// The event at hand lies at an address that the program reaches before the next tick: goes there and applies it.
  ///
  /// - Returns: whether the process is to go on.
  func walkToChange(_ p: ReplayedProcess) throws(GuestError) -> Bool {
    guard let head = try checked({ () throws(ReplayError) in try p.head() }), head.kind == .signal else {
      throw divergence(p, "the tape has no change here")
    }
    p.walk = head.rip
    p.walkSteps = p.control.block.pointee.debug.flags & UInt64(BIS_DEBUG_STEP.rawValue) != 0
    p.control.setTicks(target: .max)
    return try walkOn(p)
  }

  /// The process is in the runtime, which is about to leave for program code (or may be left at once).
  func walkOn(_ p: ReplayedProcess) throws(GuestError) -> Bool {
    guard let target = p.walk else { return true }
    let block = p.control.block
    block.pointee.debug.flags &= ~UInt64(BIS_DEBUG_STEP.rawValue)
    if let rip = region.translator.guestAddress(ofBody: block.pointee.resume_host) { p.control.rip = rip }
    for _ in 0..<1000 {
      if block.pointee.resume_host == 0 {
        if p.control.rip == target { return try arrive(p) }
        guard let body = try p.guest.translate(p.control.rip, .body) else {
          throw divergence(p, "a change at \(hex(target)) is not reached")
        }
        block.pointee.resume_host = body
      }
      if p.control.rip == target, p.guest.leavesAtInstruction { return try arrive(p) }
      try p.guest.leaveRuntime()
      let beyond = p.guest.directJumps(from: target)
      let outcome = try p.guest.stepOn(
        limit: 1_000_000, until: { _ in p.control.rip == target || beyond.contains(p.control.rip) }, hidesTrapFlag: true
      )
      switch outcome {
      case .exact:
        p.control.rip = target  // (a jump there may have been translated to nothing: nothing else has changed)
        return try arrive(p)
      case .elsewhere:
        block.pointee.debug.flags |= UInt64(BIS_DEBUG_STEP.rawValue)
        return true
      case .signal(let signal):
        let info = try kernel("read signal information") { () throws(Errno) in try Ptrace.signalInfo(p.guest.tid) }
        let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(p.guest.tid) }
        guard try p.guest.handleGuardedWrite(info, r) else {
          throw divergence(p, "signal \(signal) on the way to a change at \(hex(target))")
        }
        block.pointee.resume_host = 0
      }
    }
    throw divergence(p, "a change at \(hex(target)) is not reached")
  }

  private func arrive(_ p: ReplayedProcess) throws(GuestError) -> Bool {
    p.walk = nil
    try applySignal(p)
    if p.walkSteps { p.control.block.pointee.debug.flags |= UInt64(BIS_DEBUG_STEP.rawValue) }
    return try settle(p, restarts: true)
  }

  /// Memory that a tracer has written, code included.
  func applyPoke(_ p: ReplayedProcess, _ address: UInt64, _ bytes: [UInt8]) throws(GuestError) {
    guard address >= UInt64(BIS_REGION_END) || address &+ UInt64(bytes.count) <= UInt64(BIS_REGION_BASE) else {
      throw .replay("the tape is damaged", "", nil)
    }
    guard try p.guest.poke(address, bytes), let focus, focus.process === p else { return }
    let low = address & ~0xFFF, high = (address + UInt64(bytes.count) + 0xFFF) & ~0xFFF
    for b in focus.stops.breakpoints where b.address >= low && b.address < high {
      try p.guest.insertBreakpoint(at: b.address)
    }
  }
}
