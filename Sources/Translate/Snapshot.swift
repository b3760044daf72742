// A movable domain as bytes and back: header, then sections in the order of `Section`, each aligned to 64 bytes.
//
// Inside a snapshot, code offsets count from the start of an image: 64 unused bytes, all hot code, all cold code.
// Loaded, the image is one chunk. Fields that lead inside the image are right wherever it lies; the others are listed,
// and so are those between hot and cold code, whose distance changes when the loaded domain is saved again.
//
// A translation depends on the guest's bytes and addresses, the runtime's entries and this module, on nothing else. Hashes of
// all pages of guest code that were decoded are in the snapshot and are compared, so that no name or date need be trusted.

import X86

/// First bytes of a snapshot.
struct SnapshotHeader: BitwiseCopyable {
  static let magic: UInt64 = 0x3430_5343_5349_42  // "BISCS04"

  var magic = Self.magic
  var key: UInt64
  var low: UInt64
  var high: UInt64
  var viewBase: UInt64
  var viewCount: UInt64
  var entries: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
  var hotEnd: UInt32 = 0
  var coldStart: UInt32 = 0
  var coldEnd: UInt32 = 0
  var isPaired: UInt32
  /// Elements of each section.
  var counts = [11 of UInt32](repeating: 0)

  init(key: UInt64, domain: Domain, view: CodeView, entries e: RuntimeEntries) {
    self.key = key
    low = domain.low
    high = domain.high
    viewBase = view.base
    viewCount = UInt64(view.bytes.count)
    entries = (e.syscall, e.special, e.exitDirect, e.indirectMiss, e.expired, e.pairedReturn)
    isPaired = domain.isPaired ? 1 : 0
  }

  func agrees(with o: SnapshotHeader) -> Bool {
    magic == o.magic && key == o.key && low == o.low && high == o.high && viewBase == o.viewBase
      && viewCount == o.viewCount && entries == o.entries && isPaired == o.isPaired
  }
}

enum Section: Int, CaseIterable {
  /// The first two are the image from its byte 64 on.
  case hot, cold, pageNumbers, pageHashes, heads, exits, units, pieces, outside, across, maps

  var stride: Int {
    switch self {
    case .pageNumbers, .outside, .across: 4
    case .pageHashes: 8
    case .heads: MemoryLayout<SavedHead>.stride
    case .exits: MemoryLayout<SavedExit>.stride
    case .units: MemoryLayout<Unit>.stride
    case .pieces: MemoryLayout<ColdPiece>.stride
    case .maps, .hot, .cold: 1
    }
  }
}

struct SavedHead: BitwiseCopyable {
  /// From the domain's beginning.
  var guest: UInt32
  var body: UInt32
  var indirect: UInt32
  var tick: UInt32
  var isReturn: UInt32
}

struct SavedExit: BitwiseCopyable {
  var head: UInt32
  /// The field to patch when the head is translated, and the exit's number in the stub.
  var patch: UInt32
  var number: UInt32
  var isTick: UInt32
}

/// Where sections are; the header comes first.
struct SnapshotLayout {
  private(set) var offsets = [11 of Int](repeating: 0)
  private(set) var size = 0

  init(_ counts: [11 of UInt32]) {
    var at = (MemoryLayout<SnapshotHeader>.size + 63) & ~63
    for s in Section.allCases {
      offsets[s.rawValue] = at
      at = (at + Int(counts[s.rawValue]) * s.stride + 63) & ~63
    }
    size = at
  }

  subscript(s: Section) -> Int { offsets[s.rawValue] }
}

// MARK: Loading

extension Core {
  func growth(_ domain: DomainID) -> (loaded: Int, units: Int) {
    let a = domains[Int(domain.number)].area
    return (areas[a].loadedUnits, areas[a].unitCount)
  }

  mutating func load(
    _ domain: DomainID, from bytes: UnsafeRawBufferPointer, key: UInt64, view: CodeView, hash: PageHash
  ) -> Bool {
    let d = Int(domain.number)
    guard domains[d].area != 0, domains[d].slots.count == 0, let base = bytes.baseAddress,
      bytes.count >= MemoryLayout<SnapshotHeader>.size
    else { return false }
    let header = base.loadUnaligned(as: SnapshotHeader.self)
    guard header.agrees(with: SnapshotHeader(key: key, domain: domains[d], view: view, entries: entries)) else {
      return false
    }
    let layout = SnapshotLayout(header.counts)
    guard layout.size == bytes.count, samePages(header, base, layout, view, hash) else { return false }
    let size = (Int(header.coldEnd) + 4095) & ~4095
    guard codeFree - size >= shortage, reserveTable(d, Int(header.counts[Section.heads.rawValue])),
      let start = takeCode(size)
    else { return false }
    guard placeCode(header, base, layout, at: start) else {
      giveCode(start, size)
      return false
    }
    leaveChunk()
    area = domains[d].area
    let c = addChunk(at: start, size, cold: Int(header.coldStart))
    chunks[c].hotEnd = chunks[c].start + header.hotEnd
    chunks[c].coldEnd = chunks[c].start + header.coldEnd
    chunks[c].saved = savedPart(header, base, layout)
    areas[area].loadedUnits = unitCount(c)
    areas[area].unitCount = unitCount(c)
    loadHeads(d, c, header, base, layout)
    return true
  }

  private func samePages(
    _ header: SnapshotHeader, _ base: UnsafeRawPointer, _ layout: SnapshotLayout, _ view: CodeView, _ hash: PageHash
  ) -> Bool {
    let numbers = (base + layout[.pageNumbers]).assumingMemoryBound(to: UInt32.self)
    let hashes = (base + layout[.pageHashes]).assumingMemoryBound(to: UInt64.self)
    for i in 0..<Int(header.counts[Section.pageNumbers.rawValue]) {
      guard let page = view.page(numbers[i]), hash(page) == hashes[i] else { return false }
    }
    return true
  }

  /// Room for all heads, so that loading never grows a table.
  private mutating func reserveTable(_ d: Int, _ count: Int) -> Bool {
    var size = domains[d].mask + 1
    while size <= count * 2 { size *= 2 }
    if size > domains[d].mask + 1 {
      do throws(TranslateError) { try growTable(d, to: size) } catch { return false }
    }
    domains[d].slots.reserve(count, in: heads)
    return true
  }

  /// Copies the code to its place in the cache and corrects what leads elsewhere; false if something is out of reach.
  private func placeCode(
    _ header: SnapshotHeader, _ base: UnsafeRawPointer, _ layout: SnapshotLayout, at start: Int
  ) -> Bool {
    let image = code + start
    (image + 64).copyMemory(from: base + layout[.hot], byteCount: Int(header.coldEnd) - 64)
    let fields = (base + layout[.outside]).assumingMemoryBound(to: UInt32.self)
    let moved = Int32(start)
    var far = false
    for i in 0..<Int(header.counts[Section.outside.rawValue]) {
      let p = image + Int(fields[i] & 0x7FFF_FFFF)
      let (value, overflow) = p.loadUnaligned(as: Int32.self).subtractingReportingOverflow(moved)
      far = far || overflow
      p.storeBytes(of: value, as: Int32.self)
    }
    return !far
  }

  private func savedPart(_ header: SnapshotHeader, _ base: UnsafeRawPointer, _ layout: SnapshotLayout) -> SavedPart {
    func section<E>(_ s: Section) -> UnsafeBufferPointer<E> {
      UnsafeBufferPointer(
        start: (base + layout[s]).assumingMemoryBound(to: E.self), count: Int(header.counts[s.rawValue]))
    }
    return SavedPart(
      units: section(.units), pieces: section(.pieces),
      maps: (base + layout[.maps]).assumingMemoryBound(to: UInt8.self), outside: section(.outside),
      across: section(.across))
  }

  private mutating func loadHeads(
    _ d: Int, _ c: Int, _ header: SnapshotHeader, _ base: UnsafeRawPointer, _ layout: SnapshotLayout
  ) {
    let start = chunks[c].start
    let saved = (base + layout[.heads]).assumingMemoryBound(to: SavedHead.self)
    let count = Int(header.counts[Section.heads.rawValue])
    let first = takeHeads(count)
    areas[domains[d].area].headRuns.append((first, count))
    chunks[c].saved?.firstHead = UInt32(first)
    for i in 0..<count {
      let s = saved[i]
      var h = Head(guest: domains[d].low + UInt64(s.guest), domain: UInt32(d))
      h.isReturn = s.isReturn != 0
      if s.body != 0 { h.body = s.body + start }
      if s.indirect != 0 { h.indirect = s.indirect + start }
      if s.tick != 0 { h.tick = s.tick + start }
      heads[first + i] = h
      domains[d].slots.insert(first + i, at: h.guest, in: heads)
      // The runtime asks for bodies so rarely that it may ask here once.
      if h.indirect != 0 { publish(first + i) }
    }
    let savedExits = (base + layout[.exits]).assumingMemoryBound(to: SavedExit.self)
    let exitCount = Int(header.counts[Section.exits.rawValue])
    exits.reserve(exitCount)
    for i in 0..<exitCount {
      let s = savedExits[i]
      let h = first + Int(s.head)
      let next = s.isTick != 0 ? heads[h].pendingTick : heads[h].pendingBody
      let n = newExit(
        Exit(
          head: UInt32(h), patch: s.patch + start, next: next, kind: s.isTick != 0 ? .tick : .body,
          number: s.number + start))
      if s.isTick != 0 { heads[h].pendingTick = n } else { heads[h].pendingBody = n }
      (code + Int(start + s.number)).storeBytes(of: n, as: UInt32.self)
    }
  }
}
