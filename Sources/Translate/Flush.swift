// Code that is given back: areas are emptied as a whole, when nobody can be in their code any more.
//
// Everything that belongs to an area's code goes with it: chunks with their units and maps, heads, exits, what breakpoints
// wrote there. Direct links stay within a domain, so that nothing else leads there but what processes hold (addresses to
// go on at, tables of indirect targets); `Guest` sees to those.

import CABI
import X86

/// A part of the cache that is given back as a whole.
public struct AreaID: Hashable, Sendable {
  let number: Int
  init(_ number: Int) { self.number = number }
}

/// What an area's code comes to.
public struct AreaUsage: Sendable {
  /// Bytes of the cache.
  public var byteCount: Int
  public var units: Int
  /// Of those, units that nobody enters any more.
  public var deadUnits: Int
}

/// Takes memory of the cache back.
public struct CacheMemory {
  public enum Part { case code, domains }
  /// These bytes (whole pages) are in use no more; they are zero when they are read next. False: it could not be done.
  let giveBack: (_ part: Part, _ offset: Int, _ count: Int) -> Bool

  public init(giveBack: @escaping (_ part: Part, _ offset: Int, _ count: Int) -> Bool) { self.giveBack = giveBack }
}

extension Core {
  /// Code that was given back keeps its memory up to this many bytes: short-lived processes take it again.
  private static let kept = 8 << 20

  var codeFree: Int { codeSize - codeUsed + freeCode.total }
  /// What is left when it is time to make room: enough for the translations of one question.
  var shortage: Int { min(codeSize / 8, 16 << 20) }
  var isShort: Bool { codeFree < shortage || tablesFree < domainsSize / 8 }
  var hasPlenty: Bool { codeFree >= codeSize / 4 && tablesFree >= domainsSize / 4 }
  private var tablesFree: Int { domainsSize - domainsUsed + freeTables.total }

  mutating func makeArea(movable: Bool) -> Int {
    if let a = freeAreas.popLast() {
      areas[a].free()
      areas[a] = Area(isMovable: movable)
      return a
    }
    areas.append(Area(isMovable: movable))
    return areas.count - 1
  }

  func area(of domain: DomainID) -> AreaID { AreaID(domains[Int(domain.number)].area) }

  func usage(_ a: Int) -> AreaUsage {
    let bytes = areas[a].chunks.reduce(0) { $0 + Int(chunks[$1].end - chunks[$1].start) }
    return AreaUsage(byteCount: bytes, units: areas[a].unitCount, deadUnits: areas[a].deadUnits)
  }

  func entry(at host: UInt64) -> (domain: DomainID, guest: UInt64, kind: EntryKind)? {
    guard let l = locate(host: host) else { return nil }
    switch l.kind {
    case .instruction: return (l.domain, l.guest, .body)
    case .indirectEntry: return (l.domain, l.guest, .indirect)
    case .stepOn:
      guard let h = head(at: host), heads[h].tick == offset(host) || heads[h].compareTick == offset(host)
      else { return nil }
      return (l.domain, l.guest, .tick)
    }
  }

  /// The head that code belongs to. (Its domain may have been dropped.)
  private func head(at host: UInt64) -> Int? {
    guard let c = chunk(at: host) else { return nil }
    return offset(host) < chunks[c].coldStart ? unit(at: host).map { Int($0.head) } : headOfCold(c, offset(host))
  }

  // MARK: Emptying

  mutating func emptyArea(_ a: Int) {
    if a == area { leaveChunk() }
    if !areas[a].chunks.isEmpty {
      for c in areas[a].chunks { releaseChunk(c) }
      forgetPatches(in: a)
    }
    freeHeads.give(Self.runs(areas[a].heads) + areas[a].headRuns)
    freeExits.give(Self.runs(areas[a].exits))
    let now = areas[a]
    areas[a].chunks = []
    areas[a].open = -1
    areas[a].heads.removeAll()
    areas[a].headRuns = []
    areas[a].exits.removeAll()
    areas[a].notes.removeAll()
    areas[a].formerTables = []
    areas[a].domains = now.domains.filter { domains[$0].alive }
    areas[a].loadedUnits = 0
    areas[a].unitCount = 0
    areas[a].deadUnits = 0
    for table in now.formerTables { recycleTable(table.start, entries: table.count / 16) }
    for d in now.domains {
      if domains[d].alive { emptyDomain(d) } else { freeDomains.append(d) }
    }
    tableGeneration += 1
  }

  /// Nothing is known of it any more.
  private mutating func emptyDomain(_ d: Int) {
    (domainMemory + domains[d].table).initializeMemory(
      as: UInt8.self, repeating: 0, count: (domains[d].mask + 1) * 16)
    forgetHeads(d)
  }

  private mutating func forgetHeads(_ d: Int) {
    domains[d].count = 0
    domains[d].slots.removeAll()
  }

  mutating func dropArea(_ a: Int) {
    precondition(a != 0, "the area of all that have no other")
    for d in areas[a].domains { dropDomain(DomainID(UInt32(d))) }
    emptyArea(a)
    freeAreas.append(a)
  }

  /// Empties all areas; the cache and the tables are as they were at first.
  mutating func emptyAll() {
    let codeWas = codeUsed
    let tablesWere = domainsUsed
    for a in areas.indices { emptyArea(a) }
    freeCode.removeAll()
    freeTables.removeAll()
    freeHeads.removeAll()
    freeExits.removeAll()
    keptCode = 0
    codeUsed = 0
    domainsUsed = Self.firstTable
    heads.removeAll()
    exits.removeAll()
    exits.append(Exit(head: 0, patch: 0, next: 0, kind: .body))
    _ = memory?.giveBack(.code, 0, codeWas)
    let tables = tablesWere - Self.firstTable
    if !(memory?.giveBack(.domains, Self.firstTable, tables) ?? false) {
      (domainMemory + Self.firstTable).initializeMemory(as: UInt8.self, repeating: 0, count: tables)
    }
    for a in areas.indices {
      for d in areas[a].domains { placeTable(d) }
    }
    statistics.flushes += 1
  }

  /// A small table again. (There was room for a larger one.)
  private mutating func placeTable(_ d: Int) {
    let size = Self.tableSize(domains[d].high &- domains[d].low)
    domains[d].table = domainsUsed
    domains[d].mask = size - 1
    domainsUsed += size * 16
    willUse(codeUsed, domainsUsed)
  }

  // MARK: Chunks

  private mutating func releaseChunk(_ c: Int) {
    let start = Int(chunks[c].start)
    let size = Int(chunks[c].end - chunks[c].start)
    (pageChunks + start >> 12).update(repeating: -1, count: size >> 12)
    chunks[c].units.free()
    chunks[c].pieces.free()
    chunks[c].maps.free()
    chunks[c] = Chunk(
      start: 0, coldStart: 0, end: 0, hotEnd: 0, coldEnd: 0, units: Pool(capacity: 1), pieces: Pool(capacity: 1),
      maps: Pool(capacity: 1), saved: nil)
    freeChunks.append(c)
    giveCode(start, size)
    statistics.freedBytes += size
  }

  mutating func giveCode(_ start: Int, _ size: Int) {
    freeCode.give(start, size)
    if keptCode + size <= Self.kept {
      keptCode += size
    } else {
      _ = memory?.giveBack(.code, start, size)
    }
  }

  /// What breakpoints and forgotten bodies wrote into the area's code, which is in no chunk any more.
  private mutating func forgetPatches(in a: Int) {
    let pages = pageChunks
    let isGone = { (offset: UInt32) in pages[Int(offset) >> 12] < 0 }
    breakpoints.drop(of: Set(areas[a].domains), isGone)
    forgottenBodies = forgottenBodies.filter { !isGone($0.key) }
  }

  /// Numbers as runs.
  private static func runs(_ numbers: Pool<UInt32>) -> [(start: Int, count: Int)] {
    var list: [(start: Int, count: Int)] = []
    for n in UnsafeBufferPointer(start: numbers.base, count: numbers.count).sorted() {
      if let last = list.last, last.start + last.count == Int(n) {
        list[list.count - 1].count += 1
      } else {
        list.append((Int(n), 1))
      }
    }
    return list
  }
}
