import CABI
import Guest
import Linux
import Translate

/// What is set in the process for the stops of a run.
struct Armed {
  var breakpoints: [Breakpoint] = []
  /// Addresses with a way into the runtime.
  var addresses: Set<UInt64> = []
  var watchpoints: [Watchpoint] = []
  /// Those that the tables of watched memory were made for.
  var tables: [Watchpoint] = []
  /// The process whose debug registers are set.
  var process: ThreadID?
}

/// Breakpoints and watchpoints.
extension TranslateEngine {
  func arm(_ stops: StopSet) throws(GuestError) {
    var isOtherCode = false
    if stops.watchpoints != armed.watchpoints || armed.process != tid {
      isOtherCode = try armWatchpoints(stops.watchpoints)
    }
    if stops.breakpoints != armed.breakpoints { try armBreakpoints(stops.breakpoints) }
    if isOtherCode { for a in armed.addresses { try process.guest.insertBreakpoint(at: a) } }
  }

  private func armBreakpoints(_ list: [Breakpoint]) throws(GuestError) {
    var conditions: [UInt64: [[UInt8]]] = [:]
    for b in list {
      // One without a condition wins over those with.
      if let known = conditions[b.address] {
        conditions[b.address] = known.isEmpty || b.conditions.isEmpty ? [] : known + b.conditions
      } else {
        conditions[b.address] = b.conditions
      }
    }
    guard session.region.setBreakpoints(conditions) else {
      throw .unsupported("too many breakpoints, or their conditions are too long")
    }
    let addresses = Set(conditions.keys)
    for a in armed.addresses.subtracting(addresses) { session.region.translator.removeBreakpoint(at: a) }
    for a in addresses.subtracting(armed.addresses) { try process.guest.insertBreakpoint(at: a) }
    armed.breakpoints = list
    armed.addresses = addresses
  }

  // MARK: Debug registers (SDM vol. 3, 18.2): 0 to 2 for watchpoints, 3 for the engine's own stops
  // When they do not hold all watchpoints, the process runs code that asks (Translate/Watch.swift).

  static let watchRegisters = 3

  /// Aligned pieces of 1, 2, 4 or 8 bytes that cover a range.
  static func pieces(_ address: UInt64, _ length: UInt64) -> [(address: UInt64, length: UInt64)] {
    var out: [(UInt64, UInt64)] = []
    var at = address
    let end = address &+ length
    while at < end {
      var size: UInt64 = 8
      while at % size != 0 || at + size > end { size /= 2 }
      out.append((at, size))
      at += size
      if out.count > watchRegisters { break }
    }
    return out
  }

  /// True when the process runs other code from here on.
  private func armWatchpoints(_ list: [Watchpoint]) throws(GuestError) -> Bool {
    var wanted: [(address: UInt64, control: UInt64)] = []
    for w in list {
      for piece in Self.pieces(w.address, w.length) {
        let length: UInt64 = [1: 0, 2: 1, 4: 3, 8: 2][piece.length] ?? 0
        wanted.append((piece.address, length << 2 | (w.kind == .write ? 1 : 3)))
      }
    }
    var watching = Watching.nothing
    if wanted.count > min(watchRegisterLimit, Self.watchRegisters) {
      watching = list.contains { $0.kind != .write } ? .accesses : .writes
      wanted = []
      try fillTables(list)
    }
    for i in 0..<Self.watchRegisters {
      if i < wanted.count {
        try setDebugRegister(i, wanted[i].address, control: wanted[i].control)
      } else if armed.process == tid {
        try clearDebugRegister(i)
      }
    }
    armed.watchpoints = list
    armed.process = tid
    return try process.guest.watch(watching)
  }

  private func fillTables(_ list: [Watchpoint]) throws(GuestError) {
    if armed.tables == list { return }
    armed.tables = []
    let ranges = list.map {
      WatchedRange(
        low: $0.address, high: $0.address.addingReportingOverflow($0.length).overflow ? .max : $0.address + $0.length,
        reads: $0.kind != .write, writes: $0.kind != .read)
    }
    guard session.region.setWatched(ranges) else { throw .unsupported("too many watchpoints") }
    armed.tables = list
  }

  func setDebugRegister(_ n: Int, _ address: UInt64, control: UInt64) throws(GuestError) {
    try kernel("set a debug register") { () throws(Errno) in
      let base = Ptrace.debugRegisterOffset
      var seven = try Ptrace.peekUser(tid, offset: base + 56)
      seven &= ~(3 << UInt64(2 * n) | 15 << UInt64(16 + 4 * n))
      try Ptrace.pokeUser(tid, offset: base + 56, seven)
      try Ptrace.pokeUser(tid, offset: base + UInt64(8 * n), address)
      seven |= 1 << UInt64(2 * n) | control << UInt64(16 + 4 * n)
      try Ptrace.pokeUser(tid, offset: base + 56, seven)
    }
  }

  func clearDebugRegister(_ n: Int) throws(GuestError) {
    try kernel("clear a debug register") { () throws(Errno) in
      let base = Ptrace.debugRegisterOffset
      let seven = try Ptrace.peekUser(tid, offset: base + 56)
      try Ptrace.pokeUser(tid, offset: base + 56, seven & ~(3 << UInt64(2 * n) | 15 << UInt64(16 + 4 * n)))
    }
  }

  /// Which watchpoint the last trap was about, if any: kept in `touched`.
  func noteTouch() throws(GuestError) {
    guard !armed.watchpoints.isEmpty, process.guest.watching == .nothing else { return }
    let base = Ptrace.debugRegisterOffset
    let hit = try kernel("read a debug register") { () throws(Errno) in
      let six = try Ptrace.peekUser(tid, offset: base + 48)
      if six & 0xF != 0 { try Ptrace.pokeUser(tid, offset: base + 48, six & ~0xF) }
      return six
    }
    var n = 0
    for w in armed.watchpoints {
      for piece in Self.pieces(w.address, w.length) {
        if hit >> UInt64(n) & 1 != 0 { touched = (w, piece.address) }
        n += 1
      }
    }
  }

  /// SIGTRAP while running. True: the process waits.
  func trapped(_ p: ReplayedProcess, _ info: SignalInfo, _ r: Registers) throws(GuestError) -> Bool {
    switch info.code {
    case 4:  // TRAP_HWBKPT
      try noteTouch()
      guard let t = touched else { return false }
      focus.touch = nil
      focus.stop = .watchpoint(t.watchpoint, address: t.address)
      return true
    case 0x80 where p.guest.place(r.rip) == .translated:
      guard let entry = session.region.translator.breakpointEntry(atTrap: r.rip - 1) else { return false }
      try kernel("set registers") { () throws(Errno) in
        var r = r
        r.rip = entry
        try Ptrace.setRegisters(p.guest.tid, r)
      }
      session.resume(p)
      return true
    default:
      return false
    }
  }
}
