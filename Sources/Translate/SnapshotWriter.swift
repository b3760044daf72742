// Makes snapshots: collects a domain's code from its chunks into one image. See Snapshot.swift.

import X86

extension Core {
  mutating func snapshot(_ domain: DomainID, key: UInt64, view: CodeView, hash: PageHash) -> [UInt8]? {
    closeChunk()
    let d = Int(domain.number)
    guard domains[d].alive, areas[domains[d].area].isMovable, domains[d].high - domains[d].low <= UInt64(UInt32.max)
    else { return nil }
    var writer = SnapshotWriter(self, d, view)
    return writer.bytes(key: key, hash)
  }
}

/// One contiguous part of the code cache, and where it goes in the image.
private struct Part {
  let from: UInt32
  let end: UInt32
  let to: UInt32
}

/// What lies in a page of the code cache: one part (`to` counts from the beginning of the page), none (`end` 0), or several.
private struct PartPage {
  var from: UInt32 = 0
  var end: UInt32 = 0
  var to: UInt32 = 0
  var hasSeveral = false
}

private struct SnapshotWriter {
  let core: Core
  let d: Int
  let view: CodeView
  let chunks: [Int]
  /// By address.
  var parts: [Part] = []
  var pages: [PartPage] = []
  var header: SnapshotHeader
  /// Heads of the domain, and by head its number among them.
  var heads: [UInt32] = []
  var numbers: [UInt32]

  init(_ core: Core, _ d: Int, _ view: CodeView) {
    self.core = core
    self.d = d
    self.view = view
    chunks = core.areas[core.domains[d].area].chunks
    header = SnapshotHeader(key: 0, domain: core.domains[d], view: view, entries: core.entries)
    numbers = [UInt32](repeating: 0, count: core.heads.count)
    var at: UInt32 = 64
    let places = chunks.map { core.chunks[$0] }
    for c in places {
      parts.append(Part(from: c.hotStart, end: c.hotEnd, to: at))
      at += (c.hotEnd - c.hotStart + 63) & ~63
    }
    header.hotEnd = at
    header.coldStart = at
    for c in places {
      parts.append(Part(from: c.coldStart, end: c.coldEnd, to: at))
      at += (c.coldEnd - c.coldStart + 63) & ~63
    }
    header.coldEnd = at
    parts.sort { $0.from < $1.from }
    pages = Array(repeating: PartPage(), count: (core.codeUsed + 4095) / 4096)
    for p in parts where p.from < p.end {
      for page in Int(p.from) >> 12...Int(p.end - 1) >> 12 {
        let to = p.to &+ (UInt32(page) << 12) &- p.from
        let hasSeveral = pages[page].end != 0
        pages[page] = PartPage(from: p.from, end: p.end, to: to, hasSeveral: hasSeveral)
      }
    }
    let domain = core.domains[d]
    for slot in domain.slots.indices {
      guard let h = domain.slots[slot] else { continue }
      numbers[h] = UInt32(heads.count)
      heads.append(UInt32(h))
    }
  }

  /// The image offset of a code offset; nil outside of the domain's code.
  @inline(__always)
  private func moved(_ offset: UInt32) -> UInt32? {
    guard Int(offset) >> 12 < pages.count else { return nil }
    let page = pages[Int(offset) >> 12]
    if page.hasSeveral { return searched(offset) }
    return offset >= page.from && offset < page.end ? page.to &+ (offset & 0xFFF) : nil
  }

  private func searched(_ offset: UInt32) -> UInt32? {
    var low = 0
    var high = parts.count
    while low < high {
      let mid = (low + high) / 2
      if parts[mid].from <= offset { low = mid + 1 } else { high = mid }
    }
    guard low > 0, offset < parts[low - 1].end else { return nil }
    return offset - parts[low - 1].from + parts[low - 1].to
  }

  mutating func bytes(key: UInt64, _ hash: PageHash) -> [UInt8]? {
    header.key = key
    guard let exits = savedExits(), let saved = savedHeads() else { return nil }
    var units: [Unit] = []
    units.reserveCapacity(core.areas[core.domains[d].area].unitCount)
    var maps: [UInt8] = []
    var guestPages = [Bool](repeating: false, count: (view.bytes.count + 4095) / 4096)
    for c in chunks {
      for i in 0..<core.unitCount(c) {
        guard let u = savedUnit(core.unit(c, i), core.mapBase(c), &maps, &guestPages) else { return nil }
        units.append(u)
      }
    }
    var pieces: [ColdPiece] = []
    for c in chunks {
      for i in 0..<core.pieceCount(c) {
        let piece = core.piece(c, i)
        // A piece without code at the end of a chunk belongs nowhere.
        guard let start = moved(piece.start) else { continue }
        pieces.append(ColdPiece(start: start, head: numbers[Int(piece.head)]))
      }
    }
    let pageNumbers = guestPages.indices.filter { guestPages[$0] }.map { UInt32($0) }
    let pageHashes = pageNumbers.compactMap { view.page($0).map(hash) }
    let notes = allNotes()
    set(.hot, Int(header.hotEnd) - 64)
    set(.cold, Int(header.coldEnd - header.coldStart))
    set(.pageNumbers, pageNumbers.count)
    set(.pageHashes, pageHashes.count)
    set(.heads, saved.count)
    set(.exits, exits.count)
    set(.units, units.count)
    set(.pieces, pieces.count)
    set(.maps, maps.count)
    // How many fields lead where is known when they are in the image, which comes first: room for the worst case until then.
    set(.outside, notes.count)
    set(.across, notes.count)
    let result = [UInt8](unsafeUninitializedCapacity: SnapshotLayout(header.counts).size) { out, count in
      guard let base = out.baseAddress.map({ UnsafeMutableRawPointer($0) }) else { return }
      let image = base + SnapshotLayout(header.counts)[.hot] - 64
      guard let (outside, across) = makeImage(image, notes) else { return }
      set(.outside, outside.count)
      set(.across, across.count)
      let layout = SnapshotLayout(header.counts)
      count = layout.size
      Self.put([header], base)
      Self.put(pageNumbers, base + layout[.pageNumbers])
      Self.put(pageHashes, base + layout[.pageHashes])
      Self.put(saved, base + layout[.heads])
      Self.put(exits, base + layout[.exits])
      Self.put(units, base + layout[.units])
      Self.put(pieces, base + layout[.pieces])
      Self.put(outside, base + layout[.outside])
      Self.put(across, base + layout[.across])
      Self.put(maps, base + layout[.maps])
    }
    return result.isEmpty ? nil : result
  }

  private mutating func set(_ s: Section, _ count: Int) { header.counts[s.rawValue] = UInt32(count) }

  /// With zeros up to the next section.
  private static func put<E: BitwiseCopyable>(_ a: [E], _ to: UnsafeMutableRawPointer) {
    a.withUnsafeBytes {
      if let b = $0.baseAddress { to.copyMemory(from: b, byteCount: $0.count) }
      (to + $0.count).initializeMemory(as: UInt8.self, repeating: 0, count: -$0.count & 63)
    }
  }

  // MARK: Parts

  /// Copies the code and gives every noted field its value for an image at the beginning of the cache. Returns the
  /// fields that lead out of it (bit 31 clear: to the guest's memory), and those between hot and cold code.
  private func makeImage(
    _ base: UnsafeMutableRawPointer, _ notes: [UInt32]
  ) -> (outside: [UInt32], across: [UInt32])? {
    for p in parts {
      let size = Int(p.end - p.from)
      (base + Int(p.to)).copyMemory(from: core.code + Int(p.from), byteCount: size)
      (base + Int(p.to) + size).initializeMemory(as: UInt8.self, repeating: 0xCC, count: -size & 63)
    }
    var seen = [UInt64](repeating: 0, count: Int(header.coldEnd) / 64 + 1)
    var outside: [UInt32] = []
    outside.reserveCapacity(notes.count)
    var across: [UInt32] = []
    for note in notes {
      let toGuest = note & 0x8000_0000 == 0
      let field = (note | 0x8000_0000) &- UInt32(truncatingIfNeeded: Core.codeBase)
      guard let at = moved(field) else { return nil }
      let bit: UInt64 = 1 << UInt64(at & 63)
      if seen[Int(at) >> 6] & bit != 0 { continue }
      seen[Int(at) >> 6] |= bit
      let was = Int64((core.code + Int(field)).loadUnaligned(as: Int32.self))
      var value = was + Int64(field) - Int64(at)
      let target = was + Int64(field) + 4
      if !toGuest, target >= 0, target < Int64(core.codeSize) {
        guard let inside = moved(UInt32(target)) else { return nil }
        value += Int64(inside) - target
        if (at < header.coldStart) != (inside < header.coldStart) { across.append(at | 0x8000_0000) }
      } else {
        outside.append(toGuest ? at : at | 0x8000_0000)
      }
      guard value == Int64(Int32(truncatingIfNeeded: value)) else { return nil }
      (base + Int(at)).storeBytes(of: Int32(value), as: Int32.self)
    }
    return (outside, across)
  }

  /// As in `Area.notes`, with those of loaded chunks.
  private func allNotes() -> [UInt32] {
    let own = core.areas[core.domains[d].area].notes
    var notes: [UInt32] = []
    let more = chunks.reduce(0) { $0 + (core.chunks[$1].saved.map { $0.outside.count + $0.across.count } ?? 0) }
    notes.reserveCapacity(own.count + more)
    notes.append(contentsOf: UnsafeBufferPointer(start: own.base, count: own.count))
    for c in chunks {
      guard let saved = core.chunks[c].saved else { continue }
      let start = Core.note(core.chunks[c].start)
      for fields in [saved.outside, saved.across] {
        for f in fields { notes.append(((f & 0x7FFF_FFFF) &+ start) & (f | 0x7FFF_FFFF)) }
      }
    }
    return notes
  }

  private func savedHeads() -> [SavedHead]? {
    let low = core.domains[d].low
    var result: [SavedHead] = []
    result.reserveCapacity(heads.count)
    for n in heads {
      let h = core.heads[Int(n)]
      var s = SavedHead(
        guest: UInt32(truncatingIfNeeded: h.guest &- low), body: 0, indirect: 0, tick: 0, isReturn: h.isReturn ? 1 : 0)
      guard let body = savedEntry(h.body), let indirect = savedEntry(h.indirect), let tick = savedEntry(h.tick) else {
        return nil
      }
      (s.body, s.indirect, s.tick) = (body, indirect, tick)
      result.append(s)
    }
    return result
  }

  private func savedEntry(_ offset: UInt32) -> UInt32? { offset == 0 ? 0 : moved(offset) }

  private func savedExits() -> [SavedExit]? {
    var result: [SavedExit] = []
    result.reserveCapacity(heads.count)
    for n in heads {
      for first in [core.heads[Int(n)].pendingBody, core.heads[Int(n)].pendingTick] {
        var e = first
        while e != 0 {
          guard let saved = savedExit(e) else { return nil }
          result.append(saved)
          e = core.exits[Int(e)].next
        }
      }
    }
    return result
  }

  private func savedExit(_ n: UInt32) -> SavedExit? {
    let e = core.exits[Int(n)]
    guard let patch = moved(e.patch), let number = moved(e.number),
      (core.code + Int(e.number)).loadUnaligned(as: UInt32.self) == n
    else { return nil }
    return SavedExit(head: numbers[Int(e.head)], patch: patch, number: number, isTick: e.kind == .tick ? 1 : 0)
  }

  /// The unit with its map, and the pages of guest code that it was made from.
  private func savedUnit(
    _ u: Unit, _ mapBase: UnsafePointer<UInt8>, _ maps: inout [UInt8], _ pages: inout [Bool]
  ) -> Unit? {
    guard let start = moved(u.start) else { return nil }
    var s = u
    s.start = start
    s.body = start + (u.body - u.start)
    s.end = start + (u.end - u.start)
    s.head = numbers[Int(u.head)]
    s.map = UInt64(maps.count)
    var at = Int(u.map)
    var guest = core.heads[Int(u.head)].guest
    var last = UInt64.max
    let end = at + Int(u.mapCount)
    while at < end {
      let first = guest &- view.base
      // Instructions are up to 15 bytes long.
      if (first &+ 14) >> 12 != last {
        last = (first &+ 14) >> 12
        if first < UInt64(view.bytes.count) { pages[Int(first >> 12)] = true }
        if last < pages.count { pages[Int(last)] = true }
      }
      guest = guest &+ UInt64(bitPattern: Core.readMap(mapBase, &at).guest)
    }
    maps.append(contentsOf: UnsafeBufferPointer(start: mapBase + Int(u.map), count: at - Int(u.map)))
    return s
  }
}
