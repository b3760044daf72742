// Domains: the shared hash tables that the runtime reads, and the private ones over all known heads.

import CABI
import Synchronization
import X86

extension Core {
  @inline(__always)
  static func hash(_ guest: UInt64) -> Int { Int((guest &* 0x9E37_79B9_7F4A_7C15) >> 32) }

  static let firstTable = 4096

  mutating func makeDomain(
    low: UInt64, high: UInt64, area: Int, watching: Watching = .nothing
  ) throws(TranslateError) -> DomainID {
    precondition(!areas[area].isMovable || watching == .nothing, "code that is saved watches nothing")
    let size = Self.tableSize(high &- low)
    let table = try allocateTable(size)
    let isPaired = areas[area].isMovable && high &- low >= entries.pairedFrom
    let new = Domain(
      low: low, high: high, area: area, watching: watching, isPaired: isPaired, table: table, mask: size - 1)
    let d = freeDomains.popLast() ?? domains.count
    if d < domains.count {
      domains[d].slots.free()
      domains[d] = new
    } else {
      domains.append(new)
    }
    areas[area].domains.append(d)
    return DomainID(UInt32(d))
  }

  /// Entries of a new domain's table; it grows when it is half full.
  static func tableSize(_ byteCount: UInt64) -> Int {
    var size = 256
    while size < 1 << 16 && UInt64(size) * 128 < byteCount { size *= 2 }
    return size
  }

  func bounds(_ domain: DomainID) -> (low: UInt64, high: UInt64, watching: Watching) {
    let d = domains[Int(domain.number)]
    return (d.low, d.high, d.watching)
  }

  func tableInfo(_ domain: DomainID) -> (table: UInt64, mask: UInt64) {
    let d = domains[Int(domain.number)]
    return (Self.domainsBase + UInt64(d.table), UInt64(d.mask))
  }

  mutating func allocateTable(_ entries: Int) throws(TranslateError) -> Int {
    if let at = freeTables.take(entries * 16) { return at }
    guard domainsUsed + entries * 16 <= domainsSize else { throw .domainsFull }
    let at = domainsUsed
    domainsUsed += entries * 16
    willUse(codeUsed, domainsUsed)
    return at
  }

  // MARK: Heads

  func findHead(_ d: Int, _ guest: UInt64) -> Int? { domains[d].slots.find(guest, in: heads) }

  mutating func head(_ d: Int, _ guest: UInt64) throws(TranslateError) -> Int { headForExit(d, guest) }

  /// The head at `guest`, made if new.
  mutating func headForExit(_ d: Int, _ guest: UInt64) -> Int {
    if let h = findHead(d, guest) { return h }
    let h = takeHeads(1)
    heads[h] = Head(guest: guest, domain: UInt32(d))
    areas[domains[d].area].heads.append(UInt32(h))
    domains[d].slots.insert(h, at: guest, in: heads)
    return h
  }

  /// Numbers of heads, in a row; what they hold is to be written.
  mutating func takeHeads(_ count: Int) -> Int {
    if let h = count == 1 ? freeHeads.takeOne() : freeHeads.take(count) { return h }
    heads.reserve(count)
    let first = heads.count
    for _ in 0..<count { heads.append(Head(guest: 0, domain: 0)) }
    return first
  }

  /// The exit's number.
  mutating func newExit(_ e: Exit) -> UInt32 {
    let n: Int
    if let free = freeExits.takeOne() {
      n = free
      exits[n] = e
    } else {
      n = exits.count
      exits.append(e)
    }
    areas[domains[Int(heads[Int(e.head)].domain)].area].exits.append(UInt32(n))
    return UInt32(n)
  }

  // MARK: The shared table

  /// Room for one more unit in the cache and in the domain's table, or an error before anything is changed.
  mutating func reserveSpace(_ d: Int) throws(TranslateError) {
    try enter(domains[d].area)
    if domains[d].count * 2 > domains[d].mask { try growTable(d, to: (domains[d].mask + 1) * 2) }
  }

  mutating func growTable(_ d: Int, to size: Int) throws(TranslateError) {
    let old = domains[d].table
    let oldMask = domains[d].mask
    domains[d].table = try allocateTable(size)
    areas[domains[d].area].formerTables.append((old, (oldMask + 1) * 16))
    domains[d].mask = size - 1
    domains[d].count = 0
    tableGeneration += 1
    for slot in 0...oldMask {
      let p = domainMemory + old + slot * 16
      let guest = p.load(as: UInt64.self)
      if guest == 0 { continue }
      put(
        d, guest, body: p.load(fromByteOffset: 8, as: UInt32.self),
        indirect: p.load(fromByteOffset: 12, as: UInt32.self))
    }
  }

  /// Nobody reads this table any more: another domain may have it.
  mutating func recycleTable(_ at: Int, entries: Int) {
    (domainMemory + at).initializeMemory(as: UInt8.self, repeating: 0, count: entries * 16)
    freeTables.give(at, entries * 16)
  }

  /// Makes a head visible to the runtime, or updates its offsets: offsets first, then the address.
  mutating func publish(_ h: Int) {
    let head = heads[h]
    put(Int(head.domain), head.guest, body: head.body, indirect: head.indirect)
  }

  private mutating func put(_ d: Int, _ guest: UInt64, body: UInt32, indirect: UInt32) {
    let mask = domains[d].mask
    let table = domainMemory + domains[d].table
    var slot = Self.hash(guest) & mask
    while true {
      let p = table + slot * 16
      let there = p.load(as: UInt64.self)
      if there == 0 || there == guest {
        p.storeBytes(of: body, toByteOffset: 8, as: UInt32.self)
        p.storeBytes(of: indirect, toByteOffset: 12, as: UInt32.self)
        atomicMemoryFence(ordering: .releasing)
        p.storeBytes(of: guest, as: UInt64.self)
        if there == 0 { domains[d].count += 1 }
        return
      }
      slot = (slot + 1) & mask
    }
  }
}
