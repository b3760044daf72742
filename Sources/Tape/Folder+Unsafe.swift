// Records to folded content. See Folding.swift.

/// Folds contents; allocates only when made.
struct Folder: ~Copyable {
  private let table = Forecasts.allocateTable()
  private let buffer: UnsafeMutableRawPointer
  /// Bytes of each of the four streams at most: a word may become ten.
  private static let room = TapeFormat.maximumContentSize / 8 * 10 + 64

  init() { buffer = .allocate(byteCount: 4 * Self.room, alignment: 64) }

  deinit {
    table.deallocate()
    buffer.deallocate()
  }

  /// The folded form of `records`, valid until the next call; nil when it is not shorter, or there is PAD in between.
  ///
  /// Believes nothing that it has not checked itself: the records may lie in memory that a recorded program has.
  /// - Precondition: at most `TapeFormat.maximumContentSize` bytes.
  mutating func fold(_ records: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    guard let base = records.baseAddress, records.count >= 8 else { return nil }
    precondition(records.count <= TapeFormat.maximumContentSize, "\(records.count) bytes to fold")
    var pass = FoldingPass(records: base, forecasts: Forecasts(table), buffer: buffer, room: Self.room)
    var offset = 0
    while offset < records.count {
      let size = Int(UInt32(truncatingIfNeeded: pass.word(offset)))
      guard size >= 8, size % 8 == 0, size <= records.count - offset, pass.record(offset, words: size / 8) else {
        return nil
      }
      offset += size
    }
    return join(FoldedStreams(buffer, room: Self.room), pass.streams, limit: records.count)
  }

  /// Puts the streams together, behind the first one.
  private func join(_ starts: FoldedStreams, _ ends: FoldedStreams, limit: Int) -> UnsafeRawBufferPointer? {
    let masks = ends.masks - starts.masks
    let rest = [
      (starts.numbers, ends.numbers - starts.numbers), (starts.payload, ends.payload - starts.payload),
      (starts.hashes, ends.hashes - starts.hashes),
    ]
    let size = rest.reduce(Folded.headerSize + masks) { $0 + $1.1 }
    guard size < limit else { return nil }
    var at = ends.masks
    buffer.storeBytes(of: UInt32(masks), as: UInt32.self)
    for (i, (start, count)) in rest.enumerated() {
      buffer.storeBytes(of: UInt32(count), toByteOffset: 4 + 4 * i, as: UInt32.self)
      at.copyMemory(from: start, byteCount: count)
      at += count
    }
    return UnsafeRawBufferPointer(start: buffer, count: size)
  }
}

/// Where the next byte of each stream goes.
private struct FoldedStreams {
  var masks: UnsafeMutableRawPointer
  var numbers: UnsafeMutableRawPointer
  var payload: UnsafeMutableRawPointer
  var hashes: UnsafeMutableRawPointer

  init(_ buffer: UnsafeMutableRawPointer, room: Int) {
    masks = buffer + Folded.headerSize
    numbers = buffer + room
    payload = buffer + 2 * room
    hashes = buffer + 3 * room
  }

  /// Appends a number that is mostly near 0: zigzag, then seven bits to a byte, the lowest first.
  @inline(__always)
  mutating func append(number: UInt64) {
    var rest = number &<< 1 ^ UInt64(bitPattern: Int64(bitPattern: number) &>> 63)
    while rest >= 128 {
      numbers.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 128, as: UInt8.self)
      numbers += 1
      rest &>>= 7
    }
    numbers.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
    numbers += 1
  }

  @inline(__always)
  mutating func append(mask: UInt32) {
    masks.storeBytes(of: UInt16(truncatingIfNeeded: mask), as: UInt16.self)
    masks += 2
  }
}

/// The way through one content.
private struct FoldingPass {
  let records: UnsafeRawPointer
  var forecasts: Forecasts
  var streams: FoldedStreams
  /// Of the record under way: bit i is set if word i is not as expected.
  private var mask: UInt32 = 0

  init(records: UnsafeRawPointer, forecasts: Forecasts, buffer: UnsafeMutableRawPointer, room: Int) {
    self.records = records
    self.forecasts = forecasts
    streams = FoldedStreams(buffer, room: room)
  }

  @inline(__always)
  func word(_ offset: Int) -> UInt64 { records.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }

  /// Folds the record of `words` words at `offset`; false if it cannot be.
  @inline(__always)
  mutating func record(_ offset: Int, words: Int) -> Bool {
    let entry = forecasts.entry
    let expected = entry.pointee
    entry.pointee.offset = UInt32(truncatingIfNeeded: offset)
    entry.pointee.words = UInt32(truncatingIfNeeded: words)
    let kind = UInt8(truncatingIfNeeded: word(offset) &>> 32)
    mask = 0
    difference(0, word(offset), self.word(0, of: expected))
    if kind == 0 { return false }
    if kind < 64 {
      guard Folded.headWords.contains(words) else { return false }
      head(offset, words, expected, entry)
    } else if Folded.hasPayload(kind) {
      guard words >= Folded.payloadStart else { return false }
      payload(offset, words, expected)
      forecasts.pass(effect: kind)
    } else {
      for i in 1..<min(max(words, 1), Folded.maskedWords) {
        difference(i, word(offset + 8 * i), self.word(i, of: expected))
      }
      for i in min(words, Folded.maskedWords)..<words {
        streams.append(number: word(offset + 8 * i) &- self.word(i, of: expected))
      }
      streams.append(mask: mask)
      forecasts.pass(effect: kind)
    }
    return true
  }

  /// Word `i` of a forecast; 0 beyond its end.
  @inline(__always)
  private func word(_ i: Int, of entry: Forecasts.Entry) -> UInt64 {
    i < entry.words ? word(Int(entry.offset) + 8 * i) : 0
  }

  @inline(__always)
  private mutating func difference(_ i: Int, _ value: UInt64, _ expected: UInt64) {
    guard value != expected else { return }
    mask |= 1 &<< UInt32(truncatingIfNeeded: i)
    streams.append(number: value &- expected)
  }

  @inline(__always)
  private mutating func head(
    _ offset: Int, _ words: Int, _ expected: Forecasts.Entry, _ entry: UnsafeMutablePointer<Forecasts.Entry>
  ) {
    let identity = word(offset + 8)
    let stamp = word(offset + 16)
    let time = word(offset + 24)
    let ticks = word(offset + 32)
    difference(1, identity, word(1, of: expected))
    difference(2, stamp, forecasts.stamp &+ 1)
    difference(3, time, forecasts.time)
    difference(4, ticks, forecasts.ticks &+ expected.ticks)
    entry.pointee.ticks = ticks &- forecasts.ticks
    forecasts.stamp = stamp
    forecasts.time = time
    forecasts.ticks = ticks
    for i in 5..<words {
      let value = word(offset + 8 * i)
      if i != Folded.hashWord {
        difference(i, value, word(i, of: expected))
      } else if value != word(i, of: expected) {
        mask |= 1 &<< UInt32(Folded.hashWord)
        streams.hashes.storeBytes(of: value, as: UInt64.self)
        streams.hashes += 8
      }
    }
    streams.append(mask: mask)
    forecasts.pass(head: identity, address: word(offset + 40))
  }

  @inline(__always)
  private mutating func payload(_ offset: Int, _ words: Int, _ expected: Forecasts.Entry) {
    difference(1, word(offset + 8), word(1, of: expected))
    difference(2, word(offset + 16), word(2, of: expected))
    streams.append(mask: mask)
    let start = Folded.payloadStart
    guard words == expected.words, words - start <= Folded.comparedWords else {
      let bytes = 8 * (words - start)
      streams.payload.copyMemory(from: records + offset + 8 * start, byteCount: bytes)
      streams.payload += bytes
      return
    }
    var i = start
    while i < words {
      var differs: UInt8 = 0
      for bit in 0..<min(8, words - i) {
        let value = word(offset + 8 * (i + bit))
        let isOther: UInt8 = value != word(Int(expected.offset) + 8 * (i + bit)) ? 1 : 0
        differs |= isOther &<< UInt8(bit)
        streams.payload.storeBytes(of: value, as: UInt64.self)
        streams.payload += 8 * Int(isOther)
      }
      streams.masks.storeBytes(of: differs, as: UInt8.self)
      streams.masks += 1
      i += 8
    }
  }
}
