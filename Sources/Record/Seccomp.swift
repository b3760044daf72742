import CABI
import Guest
import Linux
import Tape

/// A filter that the program has installed. It lies at `address` in the process, where the runtime asks it about calls.
struct SeccompFilter {
  let address: UInt64
  /// The filter that was there before; 0: none.
  let previous: UInt64
  /// struct sock_filter, 8 bytes each.
  let instructions: [UInt8]
  var count: Int { instructions.count / 8 }
  /// As struct bis_filter and what follows it.
  var bytes: [UInt8] {
    withUnsafeBytes(of: bis_filter(previous: previous, length: UInt32(count), reserved: 0)) { Array($0) } + instructions
  }
}

/// seccomp(2), and prctl(2) for it: filters are kept from the kernel, which would ask them about the runtime's calls.
extension RecordSession {
  /// uapi/linux/seccomp.h.
  private enum Flag {
    static let synchronise: UInt64 = 1, listener: UInt64 = 8, threadError: UInt64 = 16, waitKillable: UInt64 = 32
    static let all: UInt64 = 63
  }

  /// prctl with PR_GET_SECCOMP or PR_SET_SECCOMP.
  func seccompControl(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    let current = p.control.block.pointee.seccomp
    if UInt32(truncatingIfNeeded: call.arguments[0]) == 21 {
      return try finish(p, call, current == 0 ? 0 : current == UInt64(BIS_SECCOMP_STRICT.rawValue) ? 1 : 2)
    }
    switch call.arguments[1] {
    case 1: try finish(p, call, setStrict(p))
    case 2: try finish(p, call, setFilter(p, flags: 0, program: call.arguments[2]))
    default: try finish(p, call, -22)
    }
  }

  func seccomp(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    let (operation, flags, address) = (
      UInt32(truncatingIfNeeded: call.arguments[0]), call.arguments[1] & 0xFFFF_FFFF, call.arguments[2]
    )
    switch operation {
    case 0: try finish(p, call, flags == 0 && address == 0 ? setStrict(p) : -22)
    case 1: try finish(p, call, setFilter(p, flags: flags, program: address))
    case 2:  // SECCOMP_GET_ACTION_AVAIL
      guard flags == 0 else { return try finish(p, call, -22) }
      guard let bytes = try? p.guest.read(address, 4) else { return try finish(p, call, -14) }
      let action = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
      let known: [UInt32] = [0x8000_0000, 0, 0x3_0000, 0x5_0000, 0x7FF0_0000, 0x7FFC_0000, 0x7FFF_0000]
      try finish(p, call, known.contains(action) ? 0 : -95)
    case 3:
      warnOfListener(p)
      try finish(p, call, -22)
    default: try finish(p, call, -22)
    }
  }

  private func warnOfListener(_ p: RecordedProcess) {
    warn(
      "\(p.executable) wants a process to decide about calls (SECCOMP_RET_USER_NOTIF): not supported; it gets EINVAL")
  }

  private func setStrict(_ p: RecordedProcess) -> Int64 {
    let block = p.control.block
    guard block.pointee.seccomp <= UInt64(BIS_SECCOMP_STRICT.rawValue) else { return -22 }
    block.pointee.seccomp = UInt64(BIS_SECCOMP_STRICT.rawValue)
    return 0
  }

  /// SECCOMP_SET_MODE_FILTER: the result of the call (seccomp_set_mode_filter in kernel/seccomp.c, Linux 6.12).
  private func setFilter(_ p: RecordedProcess, flags: UInt64, program: UInt64) throws(GuestError) -> Int64 {
    if flags & ~Flag.all != 0 { return -22 }
    let head = try? p.guest.read(program, 16)
    if flags & (Flag.listener | Flag.waitKillable) != 0 {
      if head != nil { warnOfListener(p) }  // (without a program it only asks whether there is such a flag: libseccomp)
      return -22
    }
    guard let head else { return -14 }
    let length = Int(head.withUnsafeBytes { $0.loadUnaligned(as: UInt16.self) })
    guard length > 0, length <= 4096 else { return -22 }
    guard mayFilter(p) else { return -13 }
    let at = head.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self) }
    guard let instructions = try? p.guest.read(at, length * 8) else { return -14 }
    guard SeccompCheck.accepts(instructions) else { return -22 }
    let block = p.control.block
    let before = block.pointee.seccomp
    guard before != UInt64(BIS_SECCOMP_STRICT.rawValue) else { return -22 }
    let total = chain(p, before).reduce(length) { $0 + $1.count + 4 }
    guard total <= 32768 else { return -12 }
    let others = flags & Flag.synchronise != 0 ? p.control.otherThreads() : []
    let ancestors = Set(chain(p, before).map(\.address) + [0])
    if let wrong = others.first(where: { !ancestors.contains(p.control.seccomp(of: $0)) }) {
      return flags & Flag.threadError != 0 ? -3 : Int64(wrong)
    }
    let filter = SeccompFilter(address: nextFilter(p), previous: before, instructions: instructions)
    guard filter.address + UInt64(filter.bytes.count) <= UInt64(BIS_FILTERS) + UInt64(BIS_FILTERS_SIZE) else {
      warn("\(p.executable) installs more seccomp filters than bis has room for: the call fails with ENOMEM")
      return -12
    }
    try p.guest.write(filter.address, filter.bytes)
    p.filters.append(filter)
    block.pointee.seccomp = filter.address
    for tid in others { p.control.setSeccomp(filter.address, of: tid) }
    if !others.isEmpty { p.filtersAllThreads = true }
    return 0
  }

  private func nextFilter(_ p: RecordedProcess) -> UInt64 {
    p.filters.last.map { $0.address + UInt64($0.bytes.count) } ?? UInt64(BIS_FILTERS)
  }

  /// Whether the thread may install a filter: no_new_privs or CAP_SYS_ADMIN.
  private func mayFilter(_ p: RecordedProcess) -> Bool {
    if p.filtersAllThreads { return true }  // (no_new_privs went with the filter, the kernel does not know)
    let tid = p.guest.tid.rawValue
    if statusWords(tid, "NoNewPrivs").last == "1" { return true }
    return statusWords(tid, "CapEff").last.flatMap { UInt64($0, radix: 16) }.map { $0 >> 21 & 1 != 0 } ?? false
  }

  /// The filters from the newest on.
  private func chain(_ p: RecordedProcess, _ newest: UInt64) -> [SeccompFilter] {
    var found: [SeccompFilter] = []
    var at = newest
    for filter in p.filters.reversed() where filter.address == at {
      found.append(filter)
      at = filter.previous
    }
    return found
  }

  /// The current thread's filters, for the program that takes its place.
  func filtersForExec(_ p: RecordedProcess) -> [SeccompFilter] { chain(p, p.control.block.pointee.seccomp).reversed() }

  /// Filters that were there before exec.
  func takeOver(_ p: RecordedProcess, _ state: ProgramState?) throws(GuestError) {
    guard let state, state.seccomp != 0 else { return }
    p.control.block.pointee.seccomp = state.seccomp
    p.filtersAllThreads = state.filtersAllThreads
    for old in state.filters {
      let filter = SeccompFilter(
        address: nextFilter(p), previous: p.filters.last?.address ?? 0, instructions: old.instructions)
      try p.guest.write(filter.address, filter.bytes)
      p.filters.append(filter)
      p.control.block.pointee.seccomp = filter.address
    }
  }

  /// REASON_SECCOMP: a filter has a signal for the program. True when the process may be resumed.
  func seccompSignal(_ p: RecordedProcess) throws(GuestError) -> Bool {
    let control = p.control
    let (action, number, arch) = (control.arguments[0], control.arguments[1], control.arguments[2])
    let here = EventHead(.exit, rip: control.rip, registers: control.registerHash())
    if control.block.pointee.seccomp == UInt64(BIS_SECCOMP_STRICT.rawValue) { try die(p, 9, here) }
    let handler = control.actions[31]
    let blocked = control.block.pointee.signal_mask >> 30 & 1 != 0
    // (Behind an INT 0x80 no frame can be made.)
    guard action & 0xFFFF_0000 == 0x3_0000, handler.handler > 1, !blocked, arch == BIS_ARCH_X86_64 else {
      try die(p, 31, here)
      return false
    }
    var info = SignalInfo()
    info.words[0] = 31 | (action & 0xFFFF) << 32
    info.words[1] = 1  // SYS_SECCOMP
    info.words[2] = control.rip
    info.words[3] = number | arch << 32
    try deliver(
      p, 31, info.withBytes { Array($0) }, handler, cause: BIS_SIGNAL_ASYNC, flags: [], trap: 0, error: 0, cr2: 0)
    return true
  }
}
