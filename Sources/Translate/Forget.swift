// Code that changes: translations of some pages are forgotten, and those of a domain that is no more.

import CABI
import X86

extension Core {
  /// Forgets what was translated from the pages `[low, high)`.
  ///
  /// A forgotten body begins with a jump to a stub that asks for it, like a direct transfer to code without translation.
  /// So everything that leads there (direct jumps, entries, tables of lookups) may stay as it is; a new translation
  /// links the old body to itself. A thread that is inside goes on to the end of the old unit.
  mutating func forget(_ domain: DomainID, low: UInt64, high: UInt64) throws(TranslateError) {
    let d = Int(domain.number)
    guard d < domains.count, domains[d].alive else { return }
    unapplyBreakpoints()
    defer { applyBreakpoints() }
    for slot in domains[d].slots.indices {
      // A unit is made from the page of its head and the one after it.
      guard let h = domains[d].slots[slot], heads[h].body != 0,
        heads[h].guest & ~0xFFF &+ 0x1000 >= low, heads[h].guest < high,
        let (c, u) = unitAndChunk(at: program(heads[h].body)), reaches(c, u, low, high)
      else { continue }
      try forgetHead(h, u)
    }
  }

  /// Was any byte of the unit in `[low, high)`?
  private func reaches(_ c: Int, _ u: Unit, _ low: UInt64, _ high: UInt64) -> Bool {
    let maps = mapBase(c)
    var map = Int(u.map)
    var guest = heads[Int(u.head)].guest
    let mapEnd = map + Int(u.mapCount)
    while map < mapEnd {
      // (An instruction has at most 15 bytes; how many, the map does not say of the last one.)
      if guest &+ 15 > low && guest < high { return true }
      guest = guest &+ UInt64(bitPattern: Self.readMap(maps, &map).guest)
    }
    return false
  }

  /// Is the field of an exit written over by the jump of a forgotten body? (A short first instruction may be a jump that
  /// was not linked yet.) The exit of that jump itself is not.
  @inline(__always)
  func isForgotten(_ exit: UInt32, at patch: UInt32) -> Bool {
    if forgottenBodies.isEmpty { return false }
    return (patch - 4...patch).contains { o in forgottenBodies[o].map { $0 != exit } ?? false }
  }

  func covers(_ domain: DomainID, low: UInt64, high: UInt64) -> Bool {
    let d = domains[Int(domain.number)]
    return d.alive && d.low <= low && high <= d.high
  }

  /// Was the translation at `guest` made from any byte of the page?
  func reaches(_ domain: DomainID, at guest: UInt64, page: UInt64) -> Bool {
    guard let h = findHead(Int(domain.number), guest), heads[h].body != 0,
      let (c, u) = unitAndChunk(at: program(heads[h].body))
    else { return false }
    return reaches(c, u, page, page &+ 0x1000)
  }

  private mutating func forgetHead(_ h: Int, _ u: Unit) throws(TranslateError) {
    precondition(u.end - u.body >= 5, "a unit too short for a jump")
    breakpoints.drop(u.start, u.end)
    try enter(domains[Int(heads[h].domain)].area)
    let at = heads[h].body
    let n = newExit(Exit(head: UInt32(h), patch: at + 1, next: heads[h].pendingBody, kind: .body))
    coldPieces.append(ColdPiece(start: offset(cold.pc), head: UInt32(h)))
    let stub = cold.pc
    emitExit(n)
    takeNotes()
    (code + Int(at)).storeBytes(of: 0xE9, as: UInt8.self)
    patch(code + Int(at) + 1, to: stub)
    heads[h].pendingBody = n
    forgottenBodies[at] = n
    heads[h].hadIndirect = heads[h].indirect != 0
    heads[h].hadTick = heads[h].tick != 0 || heads[h].compareTick != 0
    heads[h].body = 0
    heads[h].indirect = 0
    heads[h].tick = 0
    heads[h].compareTick = 0
    heads[h].compare = .none
    areas[domains[Int(heads[h].domain)].area].deadUnits += 1
    statistics.forgotten += 1
  }

  /// A domain is no more: nobody looks anything up there. Its table is used again; its code stays (`locate` works) until
  /// its area is emptied (Flush.swift).
  mutating func dropDomain(_ domain: DomainID) {
    let d = Int(domain.number)
    guard domains[d].alive else { return }
    domains[d].alive = false
    for slot in domains[d].slots.indices {
      if let h = domains[d].slots[slot], heads[h].body != 0 { areas[domains[d].area].deadUnits += 1 }
    }
    recycleTable(domains[d].table, entries: domains[d].mask + 1)
    domains[d].slots.removeAll(size: 1)
  }
}
