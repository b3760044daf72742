// The translator's state, as one struct that is passed inout: no reference counting on the way of an instruction.

import CABI
import X86

/// Program-side addresses of the control block's words that translated code touches.
enum Window {
  static let base: UInt64 = 0x5554_D100_0000
  static let spill = base + 0xC0
  static let spillRCX = spill
  static let spillTarget = spill + 8
  static let spillA = spill + 16
  static let spillB = spill + 24
  static let spillC = spill + 32
  static let spillEnd = spill + 64
  static let fsBase = base + 0x90
  static let gsBase = base + 0x98
  static let tick = base + 0x100
  /// gs-relative displacement of the fast table.
  static let fastTable: UInt32 = 0x0100_0000  // BIS_FAST_TABLE - BIS_WINDOW_BASE
  static let returnTable: UInt32 = 0x0110_0000  // BIS_RETURN_TABLE - BIS_WINDOW_BASE
  static let landings: UInt32 = 0x0120_0840  // BIS_LANDINGS - BIS_WINDOW_BASE

  @inline(__always) static func tickWord(_ guest: UInt64) -> UInt64 { tick + ((guest >> 4) & 7) * 8 }
}

struct Core {
  /// Program-side address of the code cache.
  static let codeBase: UInt64 = 0x5554_E000_0000
  static let domainsBase: UInt64 = 0x5554_D800_0000
  /// Most instructions in one unit; fewer where each may take 200 bytes.
  @inline(__always) func unitLimit(_ d: Int) -> Int { domains[d].watching == .nothing ? 128 : 32 }
  /// Room that must be left in a chunk for hot and for cold code before a unit is begun.
  static let reserve = 16 << 10

  let code: UnsafeMutableRawPointer
  let codeSize: Int
  let domainMemory: UnsafeMutableRawPointer
  let domainsSize: Int
  /// Bytes from the beginning that have been in use; `freeTables` are not any more.
  var domainsUsed = Core.firstTable
  var freeTables = FreeRanges()
  let entries: RuntimeEntries
  /// Told how much of code and domains is in use from now on.
  let willUse: (Int, Int) -> Void
  let memory: CacheMemory?
  let decoder = Decoder()

  var hot: Emitter
  var cold: Emitter
  let hotNotes: UnsafeMutablePointer<UInt32>
  let coldNotes: UnsafeMutablePointer<UInt32>
  /// Bytes from the beginning that have been in use; `freeCode` are not any more.
  var codeUsed = 0
  var freeCode = FreeRanges()
  /// Of those, bytes that still take memory, at most.
  var keptCode = 0
  var chunks: [Chunk] = []
  var freeChunks: [Int] = []
  /// By page of the cache: the number of its chunk, -1: none.
  let pageChunks: UnsafeMutablePointer<Int32>
  var areas: [Area] = []
  /// The area and the chunk that the emitters are in; chunk -1: none.
  var area = 0
  var chunk = -1
  /// The instruction maps of that chunk.
  var maps: Pool<UInt8>
  let noMaps = Pool<UInt8>(capacity: 1)
  var freeAreas: [Int] = []

  var domains: [Domain] = []
  var freeDomains: [Int] = []
  var heads = Pool<Head>(capacity: 4096)
  var freeHeads = FreeRanges()
  var exits = Pool<Exit>(capacity: 4096)
  var freeExits = FreeRanges()
  /// The instruction emitted last, if it is one.
  var lastCompare = Compare.none
  /// Heads to look at within one call of `translate`.
  var queue = Pool<UInt32>(capacity: 256)
  var returns = Pool<UInt32>(capacity: 64)

  var breakpoints = BreakpointState()
  /// Bodies that begin with a jump because they are forgotten, and that jump's exit.
  var forgottenBodies: [UInt32: UInt32] = [:]
  var tableGeneration = 0
  var statistics = TranslateStatistics()
  var unsupportedList: [Unsupported] = []

  init(
    code: UnsafeMutableRawPointer, codeSize: Int, domains: UnsafeMutableRawPointer, domainsSize: Int,
    entries: RuntimeEntries, willUse: @escaping (Int, Int) -> Void, memory: CacheMemory?
  ) {
    precondition(codeSize >= 256 << 10 && codeSize <= Int(BIS_CODE_SIZE), "code cache of \(codeSize) bytes")
    self.code = code
    self.codeSize = codeSize
    self.domainMemory = domains
    self.domainsSize = domainsSize
    self.entries = entries
    self.willUse = willUse
    self.memory = memory
    maps = noMaps
    pageChunks = .allocate(capacity: codeSize / 4096 + 1)
    pageChunks.initialize(repeating: -1, count: codeSize / 4096 + 1)
    hotNotes = .allocate(capacity: Self.reserve)
    coldNotes = .allocate(capacity: Self.reserve)
    hot = Emitter(at: code, programAddress: Self.codeBase, notes: hotNotes)
    cold = Emitter(at: code, programAddress: Self.codeBase, notes: coldNotes)
    areas.append(Area(isMovable: false))
    exits.append(Exit(head: 0, patch: 0, next: 0, kind: .body))  // number 0 means none
  }

  mutating func free() {
    heads.free()
    exits.free()
    leaveChunk()
    for c in chunks {
      c.units.free()
      c.pieces.free()
      c.maps.free()
    }
    noMaps.free()
    for a in areas { a.free() }
    pageChunks.deallocate()
    hotNotes.deallocate()
    coldNotes.deallocate()
    queue.free()
    returns.free()
    for d in domains { d.slots.free() }
    decoder.free()
  }

  // MARK: Addresses

  @inline(__always) func offset(_ program: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: program &- Self.codeBase) }
  @inline(__always) func program(_ offset: UInt32) -> UInt64 { Self.codeBase + UInt64(offset) }

  // MARK: Translation of a head and of what it leads to

  mutating func translate(
    _ domain: DomainID, at guest: UInt64, kind: EntryKind, view: CodeView, lookahead: Int
  ) throws(TranslateError) -> UInt64 {
    let d = Int(domain.number)
    guard d < domains.count, domains[d].alive, domains[d].contains(guest) else { throw .outsideDomain(guest) }
    let h = try head(d, guest)
    var compare = Compare.none
    if heads[h].body == 0 {
      if kind == .tick { compare = pendingCompare(h) }
      queue.removeAll()
      returns.removeAll()
      try translateHead(
        h, indirect: kind == .indirect || heads[h].hadIndirect, tick: kind == .tick || heads[h].hadTick, view: view)
      lookAhead(lookahead, view: view)
    } else if kind == .body {
      publish(h)
    }
    try reserveSpace(d)
    let host = entry(h, kind, compare)
    takeNotes()
    return host
  }

  /// Translates heads that were met, return points first; stops early rather than fail.
  private mutating func lookAhead(_ limit: Int, view: CodeView) {
    var left = limit
    var next = 0
    while left > 0 {
      let h: Int
      if returns.count > 0 {
        h = Int(returns.removeLast())
      } else if next < queue.count {
        h = Int(queue[next])
        next += 1
      } else {
        return
      }
      if heads[h].body != 0 || available(heads[h].guest, view) == 0 { continue }
      left -= 1
      do throws(TranslateError) {
        try translateHead(h, indirect: heads[h].isReturn, tick: heads[h].pendingTick != 0, view: view)
      } catch {
        if case .unreadable = error { continue }
        return
      }
    }
  }

  func lookup(_ domain: DomainID, at guest: UInt64, kind: EntryKind) -> UInt64? {
    guard let h = findHead(Int(domain.number), guest) else { return nil }
    let o: UInt32
    switch kind {
    case .body: o = heads[h].body
    case .indirect: o = heads[h].indirect
    case .tick: o = heads[h].tick
    }
    return o == 0 ? nil : program(o)
  }

  func exitTarget(_ number: UInt32) -> (domain: DomainID, guest: UInt64, kind: EntryKind) {
    let n = Int(number)
    precondition(n > 0 && n < exits.count, "exit number \(number)")
    let h = Int(exits[n].head)
    return (DomainID(heads[h].domain), heads[h].guest, exits[n].kind)
  }

  /// Guest bytes that can be decoded at `guest`.
  @inline(__always)
  func available(_ guest: UInt64, _ view: CodeView) -> Int {
    let o = guest &- view.base
    return o < UInt64(view.bytes.count) ? view.bytes.count - Int(o) : 0
  }

  @inline(__always)
  func bytes(_ guest: UInt64, _ view: CodeView) -> UnsafeRawPointer {
    view.bytes.baseAddress.unsafelyUnwrapped + Int(truncatingIfNeeded: guest &- view.base)
  }

  // MARK: Linking

  /// The address for a direct transfer to `target` whose rel32 is at code offset `patch`: the entry if it exists, else
  /// a cold stub that asks for it.
  mutating func directTarget(
    _ d: Int, _ target: UInt64, kind: EntryKind, patch: UInt32, compare: Compare = .none
  ) -> UInt64 {
    guard domains[d].contains(target) else { return constantIndirect(target, ticks: kind == .tick) }
    let h = headForExit(d, target)
    if heads[h].body != 0 { return entry(h, kind, compare) }
    let next = kind == .tick ? heads[h].pendingTick : heads[h].pendingBody
    let n = newExit(
      Exit(
        head: UInt32(h), patch: patch, next: next, kind: kind, number: offset(cold.pc) + Self.exitNumber,
        compare: compare))
    if kind == .tick { heads[h].pendingTick = n } else { heads[h].pendingBody = n }
    statistics.exits += 1
    queue.append(UInt32(h))
    let stub = cold.pc
    emitExit(n)
    return stub
  }

  /// Where the number is in what `emitExit` makes: behind mov [rip+x], rcx and the opcode of mov ecx, number.
  private static let exitNumber: UInt32 = 8

  /// The way out to code without translation.
  mutating func emitExit(_ n: UInt32) {
    cold.store(GPR.rcx, to: Window.spillRCX)
    cold.constant(GPR.rcx, UInt64(n))
    cold.jump(entries.exitDirect)
  }

  /// Patches all exits of one list to `target`: one 4-byte store each, inside one cache line.
  mutating func link(_ first: UInt32, to target: UInt32) {
    var n = first
    while n != 0 {
      let e = exits[Int(n)]
      let displacement = UInt32(truncatingIfNeeded: Int(target) - Int(e.patch) - 4)
      if !isForgotten(n, at: e.patch), !breakpoints.keep(displacement, at: e.patch, code) {
        (code + Int(e.patch)).storeBytes(of: displacement, as: UInt32.self)
      }
      statistics.links += 1
      n = e.next
    }
  }
}
