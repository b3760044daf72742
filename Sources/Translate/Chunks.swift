// Where code goes: areas, and the chunks of the code cache that they take one after the other.

import X86

extension Core {
  private static let firstChunk = 64 << 10
  /// (A small cache has small chunks.)
  private var lastChunk: Int { min(max(codeSize / 16 & ~0xFFFF, Self.firstChunk), 1 << 20) }
  /// Less is not worth a chunk: room for hot and cold code of one unit.
  private static let leastChunk = 64 << 10

  /// The note for a field at a code offset that leads to code or to the control block.
  @inline(__always)
  static func note(_ offset: UInt32) -> UInt32 { UInt32(truncatingIfNeeded: codeBase) &+ offset }

  /// Moves the emitters to an area where there is room for a unit.
  @inline(__always)
  mutating func enter(_ a: Int) throws(TranslateError) {
    if a != area { switchArea(a) }
    if chunk < 0 || roomHot < Self.reserve || roomCold < Self.reserve { try openChunk() }
  }

  @inline(__always)
  private var roomHot: Int { Int(chunks[chunk].coldStart) - (hot.at - code) }
  @inline(__always)
  private var roomCold: Int { Int(chunks[chunk].end) - (cold.at - code) }

  /// Writes down how far the open chunk is filled.
  mutating func closeChunk() {
    guard chunk >= 0 else { return }
    takeNotes()
    chunks[chunk].hotEnd = offset(hot.pc)
    chunks[chunk].coldEnd = offset(cold.pc)
    chunks[chunk].maps = maps
  }

  /// The emitters are in no chunk from here on.
  mutating func leaveChunk() {
    closeChunk()
    chunk = -1
    maps = noMaps
  }

  @inline(never)
  private mutating func switchArea(_ a: Int) {
    closeChunk()
    area = a
    chunk = areas[a].open
    maps = noMaps
    if chunk >= 0 { placeEmitters() }
  }

  private mutating func placeEmitters() {
    let c = chunks[chunk]
    maps = c.maps
    hot = Emitter(at: code + Int(c.hotEnd), programAddress: program(c.hotEnd), notes: hotNotes)
    cold = Emitter(at: code + Int(c.coldEnd), programAddress: program(c.coldEnd), notes: coldNotes)
  }

  /// A fresh chunk for the area at hand; each is twice as large as the last.
  @inline(never)
  private mutating func openChunk() throws(TranslateError) {
    closeChunk()
    let last = areas[area].open
    var size = last < 0 ? Self.firstChunk : min(2 * Int(chunks[last].end - chunks[last].start), lastChunk)
    var start = takeCode(size)
    while start == nil, size / 2 >= Self.leastChunk {
      size /= 2
      start = takeCode(size)
    }
    guard let start else { throw .cacheFull }
    chunk = addChunk(at: start, size, cold: (size / 8 * 5) & ~4095)
    areas[area].open = chunk
    placeEmitters()
  }

  /// Room for `size` bytes (a multiple of 4096), or nil.
  mutating func takeCode(_ size: Int) -> Int? {
    if let at = freeCode.take(size) {
      keptCode = max(0, keptCode - size)
      return at
    }
    guard codeSize - codeUsed >= size else { return nil }
    codeUsed += size
    willUse(codeUsed, domainsUsed)
    return codeUsed - size
  }

  /// Makes bytes that were taken a chunk of the area at hand.
  mutating func addChunk(at place: Int, _ size: Int, cold: Int) -> Int {
    let start = UInt32(place)
    let new = Chunk(
      start: start, coldStart: start + UInt32(cold), end: start + UInt32(size), hotEnd: start + 64,
      coldEnd: start + UInt32(cold), units: Pool(capacity: 64), pieces: Pool(capacity: 64),
      maps: Pool(capacity: 1024), saved: nil)
    let c = freeChunks.popLast() ?? chunks.count
    if c < chunks.count { chunks[c] = new } else { chunks.append(new) }
    (pageChunks + place >> 12).update(repeating: Int32(c), count: size >> 12)
    areas[area].chunks.append(c)
    return c
  }

  // MARK: What is known of a chunk's code

  /// The open chunk's cold pieces.
  var coldPieces: Pool<ColdPiece> {
    get { chunks[chunk].pieces }
    _modify { yield &chunks[chunk].pieces }
  }

  func unitCount(_ c: Int) -> Int { chunks[c].saved?.units.count ?? chunks[c].units.count }
  func pieceCount(_ c: Int) -> Int { chunks[c].saved?.pieces.count ?? chunks[c].pieces.count }

  func unit(_ c: Int, _ i: Int) -> Unit {
    guard let saved = chunks[c].saved else { return chunks[c].units[i] }
    var u = saved.units[i]
    u.start += chunks[c].start
    u.body += chunks[c].start
    u.end += chunks[c].start
    u.head += saved.firstHead
    return u
  }

  func piece(_ c: Int, _ i: Int) -> ColdPiece {
    guard let saved = chunks[c].saved else { return chunks[c].pieces[i] }
    let p = saved.pieces[i]
    return ColdPiece(start: p.start + chunks[c].start, head: p.head + saved.firstHead)
  }

  /// Where the maps of a chunk's units are counted from.
  func mapBase(_ c: Int) -> UnsafePointer<UInt8> {
    chunks[c].saved?.maps ?? UnsafePointer(c == chunk ? maps.base : chunks[c].maps.base)
  }

  /// Hands the emitters' notes over to the area.
  @inline(__always)
  mutating func takeNotes() {
    precondition(hot.note - hotNotes <= Self.reserve && cold.note - coldNotes <= Self.reserve, "too many notes")
    if areas[area].isMovable {
      areas[area].notes.append(from: hotNotes, count: hot.note - hotNotes)
      areas[area].notes.append(from: coldNotes, count: cold.note - coldNotes)
    }
    hot.note = hotNotes
    cold.note = coldNotes
  }
}
