import BisRuntime
import CABI
import Linux
import Translate

/// A recorded or replayed process: one address space, its window and its code.
public final class GuestProcess {
  public let code: CodeSpace
  public var slot: Slot
  /// The thread that runs program code here now (a vfork child's while it borrows the address space).
  public var tid: ThreadID
  public var pid: Int32
  public var ranges: [CodeRange] = []
  /// `Translator.tableGeneration` when the runtime was last told about the ranges' tables.
  private var publishedGeneration = 0
  /// Pages that are write-protected behind the program's back because they were translated; value: the program's
  /// own protection (PROT_*).
  public var guarded: [UInt64: Int32] = [:]
  /// The program's own protection of writable executable memory.
  public var writableCode: [(low: UInt64, high: UInt64, protection: Int32)] = []
  public var control: Control { slot.control }

  public init(code: CodeSpace, slot: Slot, tid: ThreadID, pid: Int32) {
    self.code = code
    self.slot = slot
    self.tid = tid
    self.pid = pid
  }

  // MARK: Memory

  public func read(_ address: UInt64, _ count: Int) throws(GuestError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let done = try bytes.withMutableBytes { (b) throws(GuestError) -> Int in
      try kernel("read memory") { () throws(Errno) in try readMemory(tid, address, into: b) }
    }
    guard done == count else { throw .kernel("read memory", Errno(code: 14)) }
    return bytes
  }

  public func write(_ address: UInt64, _ bytes: [UInt8]) throws(GuestError) {
    try kernel("write memory") { () throws(Errno) in try writeMemory(tid, address, bytes) }
  }

  // MARK: Ranges

  public func range(at address: UInt64) -> CodeRange? {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if address < ranges[middle].low {
        high = middle
      } else if address >= ranges[middle].high {
        low = middle + 1
      } else {
        return ranges[middle]
      }
    }
    return nil
  }

  /// Adds executable memory; what was there before must have been removed. Call `publishRanges` afterwards.
  public func add(_ range: CodeRange) {
    let at = ranges.firstIndex { $0.low >= range.high } ?? ranges.count
    ranges.insert(range, at: at)
  }

  /// Executable memory `[low, high)` is gone or changes. True when there was some.
  @discardableResult
  public func remove(low: UInt64, high: UInt64) -> Bool {
    var kept: [CodeRange] = []
    var changed = false
    for r in ranges {
      if r.high <= low || r.low >= high {
        kept.append(r)
        continue
      }
      changed = true
      if r.low < low {
        var part = r
        part.high = low
        kept.append(part)
      }
      if r.high > high {
        var part = r
        part.low = high
        kept.append(part)
      }
    }
    ranges = kept
    guarded = guarded.filter { $0.key < low || $0.key >= high }
    writableCode.removeAll { $0.low < high && $0.high > low }
    return changed
  }

  /// Tells the runtime about the ranges.
  public func publishRanges() throws(GuestError) {
    guard ranges.count <= Int(BIS_MAX_RANGES) else {
      throw .unsupported("more than \(BIS_MAX_RANGES) executable mappings")
    }
    for (i, r) in ranges.enumerated() {
      let info = code.translator.tableInfo(r.domain)
      control.ranges[i] = bis_range(low: r.low, high: r.high, table: info.table, mask: info.mask)
    }
    control.block.pointee.range_count = UInt64(ranges.count)
    publishedGeneration = code.translator.tableGeneration
  }

  /// A fork child's code: shared domains stay shared, memory of its own gets fresh ones.
  public func inherit(from parent: GuestProcess) throws(GuestError) {
    ranges = try parent.ranges.map { (r) throws(GuestError) -> CodeRange in
      r.image != nil ? r : try code.privateRange(low: r.low, high: r.high)
    }
    guarded = parent.guarded
    writableCode = parent.writableCode
    try publishRanges()
  }

  /// The code of a copy of this process at the same moment. Memory of its own may share translations, too: it is watched,
  /// and whoever writes first gets fresh ones.
  public func copyCode(of other: GuestProcess) {
    ranges = other.ranges
    guarded = other.guarded
    writableCode = other.writableCode
    publishedGeneration = other.publishedGeneration
  }

  // MARK: Translation

  /// Translates at a guest address; nil when no executable memory is there (the program faults).
  public func translate(_ guest: UInt64, _ kind: EntryKind) throws(GuestError) -> UInt64? {
    guard let r = range(at: guest) else { return nil }
    let host: UInt64
    if r.image != nil {
      guard let view = r.view, guest - r.low < UInt64(view.bytes.count) else { return nil }
      host = try run(r.domain, guest, kind, view, lookahead: 12)
    } else {
      guard let translated = try translatePrivate(r, guest, kind) else { return nil }
      host = translated
    }
    if code.translator.tableGeneration != publishedGeneration { try publishRanges() }
    return host
  }

  private func run(
    _ domain: DomainID, _ guest: UInt64, _ kind: EntryKind, _ view: CodeView, lookahead: Int
  ) throws(GuestError) -> UInt64 {
    do throws(TranslateError) {
      return try code.translator.translate(domain, at: guest, kind: kind, view: view, lookahead: lookahead)
    } catch { throw .translate(error) }
  }

  /// Memory of this process alone: the bytes are copied, and the pages watched for writes.
  private func translatePrivate(
    _ r: CodeRange, _ guest: UInt64, _ kind: EntryKind
  ) throws(GuestError) -> UInt64? {
    let low = max(r.low, guest & ~0xFFF)
    let high = min(r.high, low + 0x2000)
    for page in stride(from: low & ~0xFFF, to: high, by: 0x1000) { try guardPage(page) }
    let bytes = try read(low, Int(high - low))
    return try bytes.withBytes { (b) throws(GuestError) -> UInt64 in
      try run(r.domain, guest, kind, CodeView(base: low, bytes: b), lookahead: 0)
    }
  }

  private func guardPage(_ page: UInt64) throws(GuestError) {
    guard guarded[page] == nil,
      let w = writableCode.first(where: { page >= $0.low && page < $0.high })
    else { return }
    _ = try remoteCall(10, page, 0x1000, UInt64(w.protection & ~2))
    guarded[page] = w.protection
  }

  /// A write to a watched page: everything translated from private memory of that range is forgotten.
  func unguard(_ page: UInt64) throws(GuestError) {
    guard let protection = guarded.removeValue(forKey: page) else { return }
    _ = try remoteCall(10, page, 0x1000, UInt64(protection))
    guard let i = ranges.firstIndex(where: { page >= $0.low && page < $0.high }) else { return }
    let fresh = try code.privateRange(low: ranges[i].low, high: ranges[i].high)
    ranges[i].domain = fresh.domain
    try publishRanges()
    try resetFastTable()
  }

  /// Forgets which indirect targets were looked up.
  public func resetFastTable() throws(GuestError) {
    _ = try call(Region.address(BIS_LABEL_RESET_FAST_TABLE), [Region.address(BIS_LABEL_INDIRECT_MISS)])
  }

  // MARK: Calls into the stopped process

  /// Makes one system call in the stopped process; the result or `-errno`.
  public func remoteCall(_ number: Int, _ arguments: UInt64...) throws(GuestError) -> Int64 {
    try kernel("make a call in the process") { () throws(Errno) in
      try remoteSyscall(tid, at: Region.address(BIS_LABEL_SYSCALL_INSTRUCTION), number, arguments)
    }
  }

  /// Calls a function of the runtime on the runtime's stack; it must not use the vector registers or stop.
  public func call(_ function: UInt64, _ arguments: [UInt64]) throws(GuestError) -> UInt64 {
    try kernel("call the runtime") { () throws(Errno) in
      let saved = try Ptrace.getRegisters(tid)
      var r = saved
      var stack = control.block.pointee.stack_top - 0x10000
      stack &= ~0xF
      stack -= 8
      try writeWord(tid, stack, Region.address(BIS_LABEL_STOP))
      r.rsp = stack
      r.rip = function
      r.orig_rax = .max
      let order = [7, 6, 2, 1, 8, 9]
      for (i, a) in arguments.enumerated() { r[order[i]] = a }
      let mask = try Ptrace.signalMask(tid)
      try Ptrace.setSignalMask(tid, ~(1 << 4))
      try Ptrace.setRegisters(tid, r)
      while true {
        try Ptrace.cont(tid, 0)
        let status = try wait(for: tid)
        guard case .stopped(let reason) = status.kind else { throw Errno(code: 3) }
        if case .signal(5) = reason { break }
      }
      let result = try Ptrace.getRegisters(tid).rax
      try Ptrace.setRegisters(tid, saved)
      try Ptrace.setSignalMask(tid, mask)
      return result
    }
  }
}
