import CABI
import Guest
import Linux

/// Debug registers of traced threads: the processor's own, since data is where the program has it. Translated code has
/// other addresses, so breakpoints in them would never be met.
extension RecordSession {
  /// PTRACE_POKEUSER into `u_debugreg`: 0 or `-errno`.
  func setDebugRegister(_ t: Tracee, offset: UInt64, _ value: UInt64) -> Int64 {
    let number = (offset - Ptrace.debugRegisterOffset) / 8
    if number < 4, value < UInt64(BIS_REGION_END), value >= UInt64(BIS_REGION_BASE) { return -22 }
    if number == 7 {
      let executes = (0..<4).contains { value >> UInt64(2 * $0) & 3 != 0 && value >> UInt64(16 + 4 * $0) & 3 == 0 }
      if executes {
        warn("hardware breakpoints on code of a traced program are not supported: they fail with EIO")
        return -5
      }
      t.hasWatchpoints = value & 0xFF != 0
    }
    do throws(Errno) { try Ptrace.pokeUser(t.tid, offset: offset, value) } catch { return -Int64(error.code) }
    return 0
  }

  func debugRegister(_ t: Tracee, offset: UInt64) -> UInt64 { (try? Ptrace.peekUser(t.tid, offset: offset)) ?? 0 }

  /// A debug register was hit: the tracee goes on to the end of the program's instruction and stops there.
  func watchpoint(_ p: RecordedProcess, _ t: Tracee, _ info: SignalInfo, _ r: Registers) throws(GuestError) {
    guard p.control.isCurrent(UInt64(t.tid.rawValue)), p.guest.place(r.rip) == .translated else {
      return resume(t.tid)  // (the runtime looks at the program's memory, too)
    }
    p.guest.tid = t.tid
    let status = Ptrace.debugRegisterOffset + 48
    let hit = debugRegister(t, offset: status)
    t.stepInformation = info
    let outcome = try p.guest.stepOn(limit: 1000, until: { _ in true }, hidesTrapFlag: true)
    try? Ptrace.pokeUser(t.tid, offset: status, hit)  // (each step clears it)
    switch outcome {
    case .exact: stepped(p, t, at: .stepped)
    case .elsewhere: stepAtLeave(p, t)
    case .signal(let signal):
      t.step = .last
      try stopped(p, t.tid, .signal(signal))
    }
  }

  private func stepAtLeave(_ p: RecordedProcess, _ t: Tracee) {
    t.step = .last
    t.stepStart = nil
    p.control.block.pointee.debug.flags |= UInt64(BIS_DEBUG_STEP.rawValue)
    resume(t.tid)
  }
}
