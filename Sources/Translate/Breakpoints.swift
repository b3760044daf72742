// Breakpoints in translated code: before the instruction a way into the runtime, which knows conditions and can stop.
//
// A breakpoint splits units: its address becomes a head whose body begins with that way in. Code translated earlier that
// holds the address in its middle, and an earlier body, get a jump to the new body written over the instruction's
// template. Nothing enters a unit behind its head but by running into it (and processes that stopped there: see
// `isOverwritten`), so a jump that is longer than the template hurts nobody.

import X86

/// Bytes of translated code that a breakpoint replaces.
struct BreakpointPatch {
  let offset: UInt32
  /// 5: a jump. 1: int3, where the unit has no room for one.
  let length: UInt32
  var original: UInt64 = 0
  /// It is in the code. One that another's jump covers is not: nothing gets there.
  var isApplied = false
}

struct BreakpointPlace {
  let domain: Int
  let guest: UInt64
  var patches: [BreakpointPatch] = []
  /// Where the way into the runtime begins, in every body made since.
  var entries: [UInt32] = []
  /// What was translated before the address split units has been looked through.
  var isComplete = false
}

struct BreakpointState {
  /// Addresses that split units; stays when a breakpoint is removed.
  fileprivate var split: Set<UInt64> = []
  fileprivate var active: Set<UInt64> = []
  fileprivate var places: [BreakpointPlace] = []
  /// Former bodies: a jump to the one with the way into the runtime stands there for good.
  fileprivate var replaced: [UInt32] = []

  /// A unit is forgotten: nothing of it is a breakpoint's any more.
  mutating func drop(_ start: UInt32, _ end: UInt32) {
    for p in places.indices {
      places[p].patches.removeAll { $0.offset >= start && $0.offset < end }
      places[p].entries.removeAll { $0 >= start && $0 < end }
    }
  }

  /// The code of these domains is no more.
  mutating func drop(of domains: Set<Int>, _ isGone: (UInt32) -> Bool) {
    places.removeAll { domains.contains($0.domain) }
    replaced.removeAll { isGone($0) }
  }

  @inline(__always) func isSplit(_ guest: UInt64) -> Bool { !split.isEmpty && split.contains(guest) }

  /// A link is to be written into bytes that are a breakpoint's at the moment: it goes to where they are kept.
  mutating func keep(_ value: UInt32, at offset: UInt32, _ code: UnsafeMutableRawPointer) -> Bool {
    if replaced.contains(where: { offset < $0 + 5 && offset + 4 > $0 }) { return true }
    if active.isEmpty { return false }
    var kept = false
    for p in places.indices where active.contains(places[p].guest) {
      for i in places[p].patches.indices where places[p].patches[i].isApplied {
        let patch = places[p].patches[i]
        guard offset < patch.offset + patch.length, offset + 4 > patch.offset else { continue }
        for b in 0..<UInt32(4) {
          let byte = UInt8(truncatingIfNeeded: value >> (8 * b))
          if offset + b >= patch.offset, offset + b < patch.offset + patch.length {
            let shift = UInt64(offset + b - patch.offset) * 8
            places[p].patches[i].original &= ~(0xFF << shift)
            places[p].patches[i].original |= UInt64(byte) << shift
          } else if !kept {
            (code + Int(offset + b)).storeBytes(of: byte, as: UInt8.self)
          }
        }
        kept = true
      }
    }
    return kept
  }
}

extension Core {
  static let breakpointOp: UInt32 = 22
  private static let entryLength = 35

  mutating func insertBreakpoint(_ domain: DomainID, at guest: UInt64, view: CodeView) throws(TranslateError) {
    let d = Int(domain.number)
    guard d < domains.count, domains[d].contains(guest) else { throw .outsideDomain(guest) }
    announceBreakpoint(at: guest)
    let p = place(d, guest)
    if breakpoints.places[p].isComplete { return }
    breakpoints.places[p].isComplete = true
    unapplyBreakpoints()
    defer { applyBreakpoints() }
    let found = templates(of: guest, in: d)
    guard !found.isEmpty else { return }
    let h = headForExit(d, guest)
    if breakpoints.places[p].entries.isEmpty {
      heads[h].body = 0
      try translateHead(h, indirect: false, tick: false, view: view)
      takeNotes()
    }
    let entries = Set(breakpoints.places[p].entries)
    for former in found where former.isBody && former.room >= 5 && !entries.contains(former.offset) {
      writeJump(at: former.offset, to: heads[h].body)
      breakpoints.replaced.append(former.offset)
    }
    breakpoints.places[p].patches = found.filter { !entries.contains($0.offset) && !($0.isBody && $0.room >= 5) }
      .map { BreakpointPatch(offset: $0.offset, length: $0.room >= 5 ? 5 : 1) }
  }

  mutating func announceBreakpoint(at guest: UInt64) {
    breakpoints.split.insert(guest)
    if breakpoints.active.contains(guest) { return }
    unapplyBreakpoints()
    breakpoints.active.insert(guest)
    for p in breakpoints.places.indices where breakpoints.places[p].guest == guest { setEntries(p, on: true) }
    applyBreakpoints()
  }

  mutating func removeBreakpoint(at guest: UInt64) {
    guard breakpoints.active.contains(guest) else { return }
    unapplyBreakpoints()
    for p in breakpoints.places.indices where breakpoints.places[p].guest == guest { setEntries(p, on: false) }
    breakpoints.active.remove(guest)
    applyBreakpoints()
  }

  func breakpointEntry(atTrap host: UInt64) -> UInt64? {
    for p in breakpoints.places where breakpoints.active.contains(p.guest) {
      guard p.patches.contains(where: { $0.isApplied && program($0.offset) == host && $0.length == 1 }) else {
        continue
      }
      guard let h = findHead(p.domain, p.guest) else { return nil }
      return program(heads[h].body)
    }
    return nil
  }

  func isOverwritten(_ host: UInt64) -> Bool {
    if breakpoints.replaced.contains(where: { host >= program($0) && host < program($0) + 5 }) { return true }
    for p in breakpoints.places where breakpoints.active.contains(p.guest) {
      for patch in p.patches
      where patch.isApplied && host >= program(patch.offset)
        && host < program(patch.offset) + UInt64(patch.length)
      { return true }
    }
    return false
  }

  func pastPrefix(_ host: UInt64) -> UInt64? {
    guard let (c, u) = unitAndChunk(at: host), offset(host) >= u.body else { return nil }
    let maps = mapBase(c)
    var map = Int(u.map)
    let mapEnd = map + Int(u.mapCount)
    var start = u.body
    while map < mapEnd, program(start) <= host {
      let at = start
      let step = Self.readMap(maps, &map)
      start += UInt32(step.host)
      // (The jump at a unit's end stands for no instruction, either.)
      if program(at) == host { return step.guest == 0 && map < mapEnd ? program(start) : nil }
    }
    return nil
  }

  func templateEnd(_ host: UInt64) -> UInt64? {
    guard let (c, u) = unitAndChunk(at: host), offset(host) >= u.body else { return nil }
    let maps = mapBase(c)
    var map = Int(u.map)
    let mapEnd = map + Int(u.mapCount)
    var start = u.body
    while map < mapEnd {
      let step = Self.readMap(maps, &map)
      start += UInt32(step.host)
      if offset(host) < start { return program(start) }
    }
    return nil
  }

  // MARK: -

  /// The way into the runtime at the beginning of a body.
  mutating func emitBreakpoint(_ d: Int, _ guest: UInt64) {
    let start = hot.at
    let at = offset(hot.pc)
    hot.store(GPR.rcx, to: Window.spillRCX)
    hot.leaRelative(GPR.rcx, hot.pc + 7 + 5)
    hot.jump(entries.special)
    hot.word64(guest)
    hot.word32(Self.breakpointOp)
    hot.word32(0)
    precondition(hot.at - start == Self.entryLength, "\(hot.at - start)")
    appendMap(host: hot.at - start, guest: 0)
    let p = place(d, guest)
    breakpoints.places[p].entries.append(at)
    if !breakpoints.active.contains(guest) { setEntry(at, on: false) }
  }

  private mutating func place(_ d: Int, _ guest: UInt64) -> Int {
    if let p = breakpoints.places.firstIndex(where: { $0.domain == d && $0.guest == guest }) { return p }
    breakpoints.places.append(BreakpointPlace(domain: d, guest: guest))
    return breakpoints.places.count - 1
  }

  /// Writes all jumps; of two that overlap, the first one only.
  mutating func applyBreakpoints() {
    if breakpoints.active.isEmpty { return }
    var list: [(offset: UInt32, place: Int, patch: Int)] = []
    for p in breakpoints.places.indices where breakpoints.active.contains(breakpoints.places[p].guest) {
      for i in breakpoints.places[p].patches.indices { list.append((breakpoints.places[p].patches[i].offset, p, i)) }
    }
    var free: UInt32 = 0
    for (offset, p, i) in list.sorted(by: { $0.offset < $1.offset }) where offset >= free {
      let place = breakpoints.places[p]
      guard let h = findHead(place.domain, place.guest), heads[h].body != 0,
        !breakpoints.replaced.contains(where: { offset >= $0 && offset < $0 + 5 })
      else { continue }
      let length = place.patches[i].length
      var bytes: UInt64 = 0
      for b in 0..<Int(length) { bytes |= UInt64((code + Int(offset) + b).load(as: UInt8.self)) << UInt64(8 * b) }
      breakpoints.places[p].patches[i].original = bytes
      breakpoints.places[p].patches[i].isApplied = true
      if length == 5 { writeJump(at: offset, to: heads[h].body) } else { store(0xCC, at: offset, count: 1) }
      free = offset + length
    }
  }

  private func writeJump(at offset: UInt32, to target: UInt32) {
    let displacement = UInt32(truncatingIfNeeded: Int(target) - Int(offset) - 5)
    store(0xE9 | UInt64(displacement) << 8, at: offset, count: 5)
  }

  mutating func unapplyBreakpoints() {
    if breakpoints.active.isEmpty { return }
    for p in breakpoints.places.indices {
      for i in breakpoints.places[p].patches.indices where breakpoints.places[p].patches[i].isApplied {
        let patch = breakpoints.places[p].patches[i]
        store(patch.original, at: patch.offset, count: patch.length)
        breakpoints.places[p].patches[i].isApplied = false
      }
    }
  }

  private func store(_ bytes: UInt64, at offset: UInt32, count: UInt32) {
    for b in 0..<count {
      (code + Int(offset + b)).storeBytes(of: UInt8(truncatingIfNeeded: bytes >> UInt64(8 * b)), as: UInt8.self)
    }
  }

  private func setEntries(_ p: Int, on: Bool) {
    for e in breakpoints.places[p].entries { setEntry(e, on: on) }
  }

  /// `mov [rip+x], rcx` begins with 48 89; off, a short jump leads over all of it.
  private func setEntry(_ at: UInt32, on: Bool) {
    store(on ? 0x8948 : 0xEB | UInt64(Self.entryLength - 2) << 8, at: at, count: 2)
  }

  /// Where the templates of one guest instruction begin, and how much room their units have from there.
  private func templates(of guest: UInt64, in d: Int) -> [(offset: UInt32, room: UInt32, isBody: Bool)] {
    var found: [(offset: UInt32, room: UInt32, isBody: Bool)] = []
    for c in areas[domains[d].area].chunks {
      let maps = mapBase(c)
      for i in 0..<unitCount(c) {
        let u = unit(c, i)
        // (Into a unit that was forgotten or replaced nobody comes any more, but some may stand behind its jump.)
        guard heads[Int(u.head)].domain == UInt32(d) else { continue }
        let isCurrent = heads[Int(u.head)].body == u.body
        var at = heads[Int(u.head)].guest
        var map = Int(u.map)
        let mapEnd = map + Int(u.mapCount)
        var host = u.body
        while map < mapEnd {
          if at == guest, isCurrent || host >= u.body + 5 {
            found.append((host, u.end - host, host == u.body))
            break
          }
          let step = Self.readMap(maps, &map)
          host += UInt32(step.host)
          at = at &+ UInt64(bitPattern: step.guest)
        }
      }
    }
    return found
  }
}
