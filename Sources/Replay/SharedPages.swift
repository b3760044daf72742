import CABI
import Guest
import Linux
import Tape

/// Memory that recorded processes shared: in a replay each process has its own, and what others wrote comes from the tape.
extension ReplaySession {
  /// Applies the PAGE event at hand.
  func applyPage(_ p: ReplayedProcess) throws(GuestError) {
    let event = try checked { () throws(ReplayError) in try p.takeEvent() }
    let before = watchedBytes(p, event.head.value, UInt64(event.head.number) << 12)
    defer { noteChanged(p, before) }
    for effect in event.effects {
      switch effect {
      case .memory(let address, let payload): try p.guest.write(address, payload.bytes)
      case .map(let mapping): try mapPage(p, mapping, event.head.value2 & 7)
      default: break
      }
    }
    if event.head.value2 & 4 != 0 {
      try p.guest.forgetCode(low: event.head.value, high: event.head.value + UInt64(event.head.number) << 12)
    }
  }

  /// A file ends before a page, or has it again. (The runtime's replay_map, for the supervisor.)
  private func mapPage(_ p: ReplayedProcess, _ m: Tape.Mapping, _ rights: UInt64) throws(GuestError) {
    guard m.address >= UInt64(BIS_REGION_END) || m.address &+ m.length <= UInt64(BIS_REGION_BASE) else {
      throw .replay("the tape maps memory of bis", "the trace is damaged", nil)
    }
    var file = Int64(-1)
    if let number = m.file {
      try givePath(p, number)
      file = try p.guest.remoteCall(2, UInt64(BIS_WINDOW_BASE) + Control.pathOffset, 0o2000000, 0)
    }
    let flags: UInt64 = m.file == nil ? 0x32 : 0x12
    let result = try p.guest.remoteCall(9, m.address, m.length, rights, flags, UInt64(bitPattern: file), m.offset)
    if file >= 0 { _ = try p.guest.remoteCall(3, UInt64(file)) }
    guard result == Int64(bitPattern: m.address) else { throw divergence(p, "shared memory cannot be mapped again") }
  }

  /// The PAGE event at hand happened in the middle of a stretch without ticks, in which the program had used the page
  /// before: it is protected until the access comes.
  func awaitAccess(_ p: ReplayedProcess) throws(GuestError) {
    guard let head = try checked({ () throws(ReplayError) in try p.head() }), head.kind == .page else {
      throw divergence(p, "the tape has no change of shared memory here")
    }
    p.awaited = head
    try protect(p, head, 0)
  }

  private func protect(_ p: ReplayedProcess, _ head: EventHead, _ rights: UInt64) throws(GuestError) {
    _ = try p.guest.remoteCall(10, head.value, 4096, rights)
  }

  /// A fault at the awaited page: the access, or one before it. True when it was that; the process goes on then.
  func awaitedAccess(_ p: ReplayedProcess, _ info: SignalInfo, _ r: Registers) throws(GuestError) -> Bool {
    guard let goesOn = try serveAwaited(p, info, r) else { return false }
    if goesOn { resume(p) }
    return true
  }

  /// The same, but the process stays: nil when it was something else, false when it is not to go on now.
  func serveAwaited(_ p: ReplayedProcess, _ info: SignalInfo, _ r: Registers) throws(GuestError) -> Bool? {
    guard let head = p.awaited, info.signo == 11, info.address & ~0xFFF == head.value else { return nil }
    try protect(p, head, head.value2)
    var rip: UInt64 = 0
    switch p.guest.place(r.rip) {
    case .translated:
      guard case .state = p.guest.capture(r) else { throw divergence(p, "shared memory is used at an unknown place") }
      rip = p.control.rip
    case .runtime: rip = p.control.rip &- p.guest.descriptorLength()
    case .outside: throw divergence(p, "the replay left translated code at \(hex(r.rip))")
    }
    if rip == head.rip, p.control.ticks == head.ticks, p.control.registerHash() == head.registers {
      p.awaited = nil
      // (the access may stand in code that is forgotten)
      if head.value2 & 4 != 0, p.guest.place(r.rip) == .translated { try p.guest.restart() }
      try applyPage(p)
      // (What is told on the way back to program code needs one.)
      return try settle(p, restarts: p.control.isTouched && p.guest.place(r.rip) == .translated)
    } else {
      guard p.control.ticks == head.ticks else {
        throw divergence(p, "shared memory changed at tick \(head.ticks); the replay is at \(p.control.ticks)")
      }
      try p.guest.singleStep()
      try protect(p, head, 0)
    }
    return true
  }
}
