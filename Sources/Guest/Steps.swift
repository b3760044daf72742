import BisRuntime
import CABI
import Linux
import Translate

/// Going on from a tick, instruction by instruction: to a thread switch that lies between two ticks (chaos mode).
extension GuestProcess {
  /// How steps ended.
  public enum Stepped {
    /// The process stands at an instruction of the program; its registers are in the control block.
    case exact
    /// It is somewhere else, and can only go on from there.
    case elsewhere
    /// A signal of the hardware came: not delivered yet.
    case signal(Int32)
  }

  /// A stop of the runtime at a tick that ran out (BIS_REASON_STEP): puts the program's registers into the processor, so
  /// that the next instruction is the one that the tick led to.
  public func leaveRuntime() throws(GuestError) {
    try kernel("set registers") { () throws(Errno) in
      var r = try Ptrace.getRegisters(tid)
      for i in 0..<16 { r[i] = control.gpr[i] }
      r.rip = control.block.pointee.resume_host
      r.rflags = control.block.pointee.rflags & ~0x100
      r.orig_rax = .max
      try Ptrace.setRegisters(tid, r)
    }
  }

  /// Whether the runtime, on its way out, leads to an instruction of the program: not to an entry that counts a tick first.
  public var leavesAtInstruction: Bool {
    code.translator.locate(host: control.block.pointee.resume_host)?.kind == .instruction
  }

  /// Where the jump at an address leads, if there is a direct one that goes forwards; and on, if there is another one.
  public func directJumps(from address: UInt64) -> [UInt64] {
    var found: [UInt64] = []
    var at = address
    while found.count < 16, let bytes = try? read(at, 5) {
      var target = at
      if bytes[0] == 0xEB {
        target = at &+ 2 &+ UInt64(bitPattern: Int64(Int8(bitPattern: bytes[1])))
      } else if bytes[0] == 0xE9 {
        let distance = bytes[1...4].reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
        target = at &+ 5 &+ UInt64(bitPattern: Int64(Int32(bitPattern: distance)))
      }
      guard target > at else { break }
      found.append(target)
      at = target
    }
    return found
  }

  /// Steps through translated code until `isThere` says so of an exact state, in at most `limit` steps.
  ///
  /// - Parameters:
  ///   - isThere: gets the number of the program's instructions that have been left behind.
  ///   - hidesTrapFlag: steps over PUSHF, too, and takes the flag from what it stored.
  public func stepOn(
    limit: Int, until isThere: (Int) -> Bool, hidesTrapFlag: Bool = false
  ) throws(GuestError) -> Stepped {
    var count = -1
    var last: UInt64?
    for _ in 0..<limit {
      let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
      guard place(r.rip) == .translated else { return .elsewhere }
      switch capture(r) {
      case .unknown:
        guard hidesTrapFlag else { return .elsewhere }
      case .stepOn: break
      // (an entry whose tick is not counted yet)
      case .state where code.translator.locate(host: r.rip)?.kind == .indirectEntry: break
      case .state:
        if let past = code.translator.pastPrefix(r.rip) {
          try kernel("set registers") { () throws(Errno) in
            var r = r
            r.rip = past
            try Ptrace.setRegisters(tid, r)
          }
          continue
        }
        if last != control.rip {  // (a repeated instruction counts once)
          last = control.rip
          count += 1
          if isThere(count) { return .exact }
        }
      }
      let pushes = try pushesFlags(at: r.rip)
      if pushes, !hidesTrapFlag { return .elsewhere }
      if let signal = try step() { return .signal(signal) }
      if pushes { try clearPushedTrapFlag() }
    }
    return .elsewhere
  }

  /// PUSHF would show the program that it is stepped.
  private func pushesFlags(at rip: UInt64) throws(GuestError) -> Bool {
    let bytes = try read(rip, 2)
    return bytes[0] == 0x9C || (bytes[0] == 0x66 && bytes[1] == 0x9C)
  }

  private func clearPushedTrapFlag() throws(GuestError) {
    let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    let high = try read(r.rsp + 1, 1)
    try write(r.rsp + 1, [high[0] & ~1])
  }

  /// One instruction, with signals held back but for those of the hardware; such a one if it came.
  private func step() throws(GuestError) -> Int32? {
    let hardware: UInt64 = 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 10
    let reason = try kernel("single-step") { () throws(Errno) in
      let mask = try Ptrace.signalMask(tid)
      try Ptrace.setSignalMask(tid, ~hardware)
      try Ptrace.step(tid)
      let reason = try waitForStop(tid)
      try Ptrace.setSignalMask(tid, mask)
      return reason
    }
    guard case .signal(let signal) = reason else { throw .gone }
    return signal == 5 ? nil : signal
  }
}
