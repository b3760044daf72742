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
  var publishedGeneration = 0
  /// Pages that are write-protected behind the program's back because they were translated; value: the program's
  /// own protection (PROT_*).
  public var guarded: [UInt64: Int32] = [:]
  /// The program's own protection of writable executable memory.
  public var writableCode: [(low: UInt64, high: UInt64, protection: Int32)] = []
  /// What translated code asks about: see `watch`.
  public internal(set) var watching = Watching.nothing
  /// Something was translated from private memory.
  var hasPrivateCode = false
  /// Shared translations that this process has looked up are not its own any more. (Forgotten private ones lead on.)
  var hasStaleTargets = false
  /// Where its own code goes, once there is some.
  private(set) var area: AreaID?
  /// The target of an EXIT_DIRECT that waits for its answer, if its number is not known any more (Flush.swift).
  var askedFor: (guest: UInt64, kind: EntryKind)?
  public var control: Control { slot.control }

  public init(code: CodeSpace, slot: Slot, tid: ThreadID, pid: Int32) {
    self.code = code
    self.slot = slot
    self.tid = tid
    self.pid = pid
    code.add(self)
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

  /// The same; false when there is no such memory.
  public func writes(_ address: UInt64, _ bytes: [UInt8]) throws(GuestError) -> Bool {
    do throws(GuestError) { try write(address, bytes) } catch {
      if case .gone = error { throw error }
      return false
    }
    return true
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

  /// Whether some of `[low, high)` is executable memory.
  public func hasCode(low: UInt64, high: UInt64) -> Bool { ranges.contains { $0.low < high && $0.high > low } }

  /// Adds executable memory; what was there before must have been removed. Call `publishRanges` afterwards.
  public func add(_ range: CodeRange) {
    let at = ranges.firstIndex { $0.low >= range.high } ?? ranges.count
    ranges.insert(range, at: at)
  }

  /// Executable memory `[low, high)` is gone or changes. True when there was some.
  @discardableResult
  public func remove(low: UInt64, high: UInt64) throws(GuestError) -> Bool {
    var kept: [CodeRange] = []
    var changed = false
    for r in ranges {
      if r.high <= low || r.low >= high {
        kept.append(r)
        continue
      }
      changed = true
      leaveTranslations(of: r.domain)
      if r.image == nil { try forget(r, max(low, r.low), min(high, r.high)) } else { hasStaleTargets = true }
      if r.low < low { kept.append(try part(of: r, r.low, low)) }
      if r.high > high { kept.append(try part(of: r, high, r.high)) }
    }
    if changed {
      let gone = ranges
      ranges = kept
      drop(gone)
    }
    guarded = guarded.filter { $0.key < low || $0.key >= high }
    writableCode.removeAll { $0.low < high && $0.high > low }
    return changed
  }

  /// What is left of a range. Shared translations of it are linked to those of what is gone: it gets others.
  private func part(of r: CodeRange, _ low: UInt64, _ high: UInt64) throws(GuestError) -> CodeRange {
    if r.image != nil { return try code.part(of: r, low: low, high: high) }
    var part = r
    part.low = low
    part.high = high
    return part
  }

  /// Whoever is to go on in translations of the domain, in the middle of a unit perhaps, goes on through the tables. The
  /// process must be in the runtime (the current thread in a system call).
  func leaveTranslations(of domain: DomainID) {
    func isInside(_ host: UInt64) -> Location? {
      guard host != 0, let l = code.translator.locate(host: host), l.kind == .instruction, l.domain == domain else {
        return nil
      }
      return l
    }
    let block = control.block
    if isInside(block.pointee.resume_host) != nil { block.pointee.resume_host = 0 }
    for t in 0..<control.usedThreads where control.threads[t].alive != 0 {
      guard let l = isInside(control.threads[t].resume_host) else { continue }
      control.threads[t].rip = l.guest
      control.threads[t].resume_host = 0
    }
    if block.pointee.vfork_depth > 0, isInside(control.vforkResume) != nil { control.vforkResume = 0 }
  }

  /// Adds a range of memory that only this process has (anonymous, or written to). Beside others it shares their domain,
  /// so that direct jumps between them are linked.
  public func addPrivate(low: UInt64, high: UInt64) throws(GuestError) {
    if let beside = ranges.first(where: { $0.image == nil && code.translator.covers($0.domain, low: low, high: high) })
    {
      add(CodeRange(low: low, high: high, domain: beside.domain, image: nil, imageBase: 0))
    } else {
      add(try ownRange(low: low, high: high))
    }
  }

  /// A range of memory that only this process has, with a domain of its own.
  func ownRange(low: UInt64, high: UInt64) throws(GuestError) -> CodeRange {
    let area = area ?? code.translator.makeArea()
    self.area = area
    return try code.privateRange(low: low, high: high, in: area, watching: watching)
  }

  /// Gives up the translations of private ranges that are no more. (The runtime is told by `publishRanges`, before the
  /// process goes on.)
  private func drop(_ gone: [CodeRange]) {
    for r in gone where r.image == nil && !ranges.contains(where: { $0.domain == r.domain }) {
      code.drop(r.domain)
    }
  }

  deinit {
    let last = ranges
    ranges = []
    drop(last)
    if let area { code.translator.dropArea(area) }
    code.remove(self)
  }

  /// Tells the runtime about the ranges.
  public func publishRanges() throws(GuestError) {
    if watching != .nothing { try watchRanges() }
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
    try inheritRanges(from: parent)
    let hasStale = parent.hasPrivateCode || parent.control.block.pointee.debug.stale_targets != 0
    control.answers[4] = hasStale ? 1 : 0
  }

  func inheritRanges(from parent: GuestProcess) throws(GuestError) {
    watching = parent.watching
    ranges = try parent.ranges.map { (r) throws(GuestError) -> CodeRange in
      r.image != nil ? r : try ownRange(low: r.low, high: r.high)
    }
    guarded = parent.guarded
    writableCode = parent.writableCode
    try publishRanges()
  }

  // MARK: Translation

  /// Translates at a guest address; nil when no executable memory is there (the program faults).
  public func translate(_ guest: UInt64, _ kind: EntryKind) throws(GuestError) -> UInt64? {
    guard range(at: guest) != nil else { return nil }
    try makeRoom()
    let host: UInt64?
    do throws(GuestError) { host = try translateNow(guest, kind) } catch {
      // (Room in too many small pieces, or tables that grew.)
      guard case .translate(let why) = error, why == .cacheFull || why == .domainsFull, !code.isFlushing else {
        throw error
      }
      try flush()
      host = try translateNow(guest, kind)
    }
    try publishNewTables()
    return host
  }

  private func publishNewTables() throws(GuestError) {
    if code.translator.tableGeneration != publishedGeneration { try publishRanges() }
  }

  private func translateNow(_ guest: UInt64, _ kind: EntryKind) throws(GuestError) -> UInt64? {
    guard let r = range(at: guest) else { return nil }
    return r.image == nil
      ? try translatePrivate(r, guest, kind) : try translateFile(r, guest, kind, lookahead: Self.lookahead)
  }

  /// Translations that are made before anybody asks for them: a question that stops costs as much as some of them. But what is
  /// never executed stands between what is.
  private static let lookahead = 6

  /// Translates code of a file, nothing else and no more than is asked for.
  func translateShared(_ guest: UInt64, _ kind: EntryKind) throws(GuestError) -> UInt64? {
    guard let r = range(at: guest) else { return nil }
    let host = try translateFile(r, guest, kind, lookahead: 0)
    try publishNewTables()
    return host
  }

  private func translateFile(
    _ r: CodeRange, _ guest: UInt64, _ kind: EntryKind, lookahead: Int
  ) throws(GuestError) -> UInt64? {
    guard let view = r.view, guest - r.low < UInt64(view.bytes.count) else { return nil }
    return try run(r.domain, guest, kind, view, lookahead: lookahead)
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
    try guardPage(low)
    let bytes = try read(low, Int(high - low))
    let host = try bytes.withBytes { (b) throws(GuestError) -> UInt64 in
      try run(r.domain, guest, kind, CodeView(base: low, bytes: b), lookahead: 0)
    }
    try guardTranslation(r, guest)
    return host
  }

  /// Watches the pages that the translation at `guest` was made from, if there is one.
  func guardTranslation(_ r: CodeRange, _ guest: UInt64) throws(GuestError) {
    hasPrivateCode = true
    let low = guest & ~0xFFF
    for page in [low, low + 0x1000] where page < r.high {
      if code.translator.reaches(r.domain, at: guest, page: page) { try guardPage(page) }
    }
  }

  func guardPage(_ page: UInt64) throws(GuestError) {
    guard guarded[page] == nil,
      let w = writableCode.first(where: { page >= $0.low && page < $0.high })
    else { return }
    _ = try remoteCall(10, page, 0x1000, UInt64(w.protection & ~2))
    guarded[page] = w.protection
  }

  /// A watched page is written to: the program may do it. `forgetPage` must follow, before translated code runs.
  func unguard(_ page: UInt64) throws(GuestError) {
    guard let protection = guarded.removeValue(forKey: page) else { return }
    _ = try remoteCall(10, page, 0x1000, UInt64(protection))
  }

  /// Stops watching all pages and forgets what was translated from them: the kernel wants to write to one. False if there
  /// were none. The process must be in the runtime.
  public func unguardAll() throws(GuestError) -> Bool {
    let pages = guarded.keys.sorted()
    for page in pages {
      try unguard(page)
      try forgetPage(page)
    }
    return !pages.isEmpty
  }

  /// Forgets what was translated from a page that was watched. No thread may be about to execute the middle of it.
  func forgetPage(_ page: UInt64) throws(GuestError) {
    if let r = range(at: page) { try forget(r, page, page + 0x1000) }
  }

  /// Forgets what was translated from memory that is not watched, but was changed. As `forgetPage`.
  public func forgetCode(low: UInt64, high: UInt64) throws(GuestError) {
    for r in ranges where r.low < high && r.high > low {
      guard r.image == nil else { throw .unsupported("code of a mapped file that changes") }
      try forget(r, max(low, r.low), min(high, r.high))
    }
  }

  /// Whether some of `[low, high)` may have been translated.
  public func hasTranslated(low: UInt64, high: UInt64) -> Bool { hasPrivateCode && hasCode(low: low, high: high) }

  private func forget(_ r: CodeRange, _ low: UInt64, _ high: UInt64) throws(GuestError) {
    for d in code.allVariants(of: r.domain) {
      do throws(TranslateError) { try code.translator.forget(d, low: low, high: high) } catch {
        throw .translate(error)
      }
    }
  }

  /// Forgets which indirect targets were looked up, if shared translations among them are no more.
  public func resetFastTable() throws(GuestError) {
    guard hasStaleTargets else { return }
    hasStaleTargets = false
    try forgetTargets()
  }

  /// Forgets which indirect targets were looked up.
  func forgetTargets() throws(GuestError) { _ = try call(Region.address(BIS_LABEL_RESET_FAST_TABLE), []) }

  // MARK: Calls into the stopped process

  /// Makes one system call in the stopped process; the result or `-errno`.
  public func remoteCall(_ number: Int, _ arguments: UInt64...) throws(GuestError) -> Int64 {
    try kernel("make a call in the process") { () throws(Errno) in
      try remoteSyscall(tid, trappingAt: Region.address(BIS_LABEL_REMOTE_SYSCALL), number, arguments)
    }
  }

  /// Calls a function of the runtime on the runtime's stack; it must not use the vector registers or stop.
  public func call(_ function: UInt64, _ arguments: [UInt64]) throws(GuestError) -> UInt64 {
    try kernel("call the runtime") { () throws(Errno) in
      let saved = try Ptrace.getRegisters(tid)
      var r = saved
      // Below what the runtime has on its stack; translated code has nothing there.
      let inRegion = saved.rsp > UInt64(BIS_REGION_BASE) && saved.rsp < UInt64(BIS_REGION_END)
      var stack = (inRegion ? saved.rsp : control.block.pointee.stack_top) - 0x100
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
        let reason = try waitForStop(tid)
        if case .signal(5) = reason { break }
        if case .signal(11) = reason { try passGuestAccessFault() }
      }
      let result = try Ptrace.getRegisters(tid).rax
      try Ptrace.setRegisters(tid, saved)
      try Ptrace.setSignalMask(tid, mask)
      return result
    }
  }
}
