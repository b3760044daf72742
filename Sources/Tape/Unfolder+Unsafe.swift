// Folded content back to records. See Folding.swift.

/// Unfolds contents; allocates only when made.
struct Unfolder: ~Copyable {
  private let table = Forecasts.allocateTable()

  init() {}

  deinit { table.deallocate() }

  /// Writes the records to all of `out`. False when `folded`, which may be hostile, does not give exactly so many bytes;
  /// what is in `out` then is nothing. What the records say is not checked.
  mutating func unfold(_ folded: UnsafeRawBufferPointer, into out: UnsafeMutableRawBufferPointer) -> Bool {
    guard let base = out.baseAddress, out.count <= TapeFormat.maximumContentSize,
      let streams = FoldedSource(folded)
    else { return false }
    var pass = UnfoldingPass(records: base, count: out.count, forecasts: Forecasts(table), streams: streams)
    while pass.offset < out.count {
      guard pass.record() else { return false }
    }
    return pass.streams.isEmpty
  }
}

/// Bytes that are yet to be read.
private struct Stream {
  var next: UnsafeRawPointer
  let end: UnsafeRawPointer

  @inline(__always)
  var left: Int { end - next }

  @inline(__always)
  mutating func take<T: BitwiseCopyable>(as type: T.Type) -> T? {
    guard left >= MemoryLayout<T>.size else { return nil }
    defer { next += MemoryLayout<T>.size }
    return next.loadUnaligned(as: type)
  }
}

private struct FoldedSource {
  var masks: Stream
  var numbers: Stream
  var payload: Stream
  var hashes: Stream

  init?(_ folded: UnsafeRawBufferPointer) {
    guard folded.count >= Folded.headerSize, let base = folded.baseAddress else { return nil }
    var at = base + Folded.headerSize
    let end = base + folded.count
    func stream(_ index: Int) -> Stream? {
      let count = Int(folded.u32(4 * index))
      guard count <= end - at else { return nil }
      defer { at += count }
      return Stream(next: at, end: at + count)
    }
    guard let masks = stream(0), let numbers = stream(1), let payload = stream(2), let hashes = stream(3), at == end
    else { return nil }
    self.masks = masks
    self.numbers = numbers
    self.payload = payload
    self.hashes = hashes
  }

  var isEmpty: Bool { masks.left == 0 && numbers.left == 0 && payload.left == 0 && hashes.left == 0 }

  /// See `FoldedStreams.append(number:)`; nil at the end, or when it has more than 64 bits.
  @inline(__always)
  mutating func number() -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while let byte = numbers.take(as: UInt8.self) {
      value |= UInt64(byte & 127) &<< shift
      if byte < 128 {
        if shift == 63, byte > 1 { return nil }
        return value &>> 1 ^ (0 &- (value & 1))
      }
      shift &+= 7
      if shift > 63 { return nil }
    }
    return nil
  }
}

/// The way through one content.
private struct UnfoldingPass {
  let records: UnsafeMutableRawPointer
  let count: Int
  var forecasts: Forecasts
  var streams: FoldedSource
  /// Where the next record begins.
  var offset = 0
  private var mask: UInt32 = 0

  init(records: UnsafeMutableRawPointer, count: Int, forecasts: Forecasts, streams: FoldedSource) {
    self.records = records
    self.count = count
    self.forecasts = forecasts
    self.streams = streams
  }

  @inline(__always)
  private func load(_ at: Int) -> UInt64 { records.loadUnaligned(fromByteOffset: at, as: UInt64.self) }

  /// Unfolds one record; false if the streams do not hold one that fits.
  @inline(__always)
  mutating func record() -> Bool {
    guard let bits = streams.masks.take(as: UInt16.self) else { return false }
    mask = UInt32(bits)
    let entry = forecasts.entry
    let expected = entry.pointee
    guard count - offset >= 8, let first = word(0, load(0, of: expected)) else { return false }
    let size = Int(UInt32(truncatingIfNeeded: first))
    let kind = UInt8(truncatingIfNeeded: first &>> 32)
    guard size >= 8, size % 8 == 0, size <= count - offset, kind != 0 else { return false }
    let words = size / 8
    entry.pointee.offset = UInt32(truncatingIfNeeded: offset)
    entry.pointee.words = UInt32(truncatingIfNeeded: words)
    store(0, first)
    if kind < 64 {
      guard Folded.headWords.contains(words), head(words, expected, entry) else { return false }
    } else if Folded.hasPayload(kind) {
      guard words >= Folded.payloadStart, payload(words, expected) else { return false }
      forecasts.pass(effect: kind)
    } else {
      guard effect(words, expected) else { return false }
      forecasts.pass(effect: kind)
    }
    offset += size
    return true
  }

  @inline(__always)
  private func store(_ i: Int, _ value: UInt64) {
    records.storeBytes(of: value, toByteOffset: offset + 8 * i, as: UInt64.self)
  }

  @inline(__always)
  private func load(_ i: Int, of entry: Forecasts.Entry) -> UInt64 {
    i < entry.words ? load(Int(entry.offset) + 8 * i) : 0
  }

  /// Word `i`, of which `expected` is expected; nil when the streams end.
  @inline(__always)
  private mutating func word(_ i: Int, _ expected: UInt64) -> UInt64? {
    guard mask &>> UInt32(truncatingIfNeeded: i) & 1 != 0 else { return expected }
    guard let difference = streams.number() else { return nil }
    return expected &+ difference
  }

  @inline(__always)
  private mutating func head(
    _ words: Int, _ expected: Forecasts.Entry, _ entry: UnsafeMutablePointer<Forecasts.Entry>
  ) -> Bool {
    guard let identity = word(1, load(1, of: expected)), let stamp = word(2, forecasts.stamp &+ 1),
      let time = word(3, forecasts.time), let ticks = word(4, forecasts.ticks &+ expected.ticks)
    else { return false }
    store(1, identity)
    store(2, stamp)
    store(3, time)
    store(4, ticks)
    entry.pointee.ticks = ticks &- forecasts.ticks
    forecasts.stamp = stamp
    forecasts.time = time
    forecasts.ticks = ticks
    for i in 5..<words {
      let likely = load(i, of: expected)
      if i != Folded.hashWord {
        guard let value = word(i, likely) else { return false }
        store(i, value)
      } else if mask &>> UInt32(Folded.hashWord) & 1 != 0 {
        guard let value = streams.hashes.take(as: UInt64.self) else { return false }
        store(i, value)
      } else {
        store(i, likely)
      }
    }
    forecasts.pass(head: identity, address: load(offset + 40))
    return true
  }

  @inline(__always)
  private mutating func effect(_ words: Int, _ expected: Forecasts.Entry) -> Bool {
    for i in 1..<max(words, 1) {
      let likely = load(i, of: expected)
      let value = i < Folded.maskedWords ? word(i, likely) : streams.number().map { likely &+ $0 }
      guard let value else { return false }
      store(i, value)
    }
    return true
  }

  @inline(__always)
  private mutating func payload(_ words: Int, _ expected: Forecasts.Entry) -> Bool {
    guard let address = word(1, load(1, of: expected)), let length = word(2, load(2, of: expected)) else {
      return false
    }
    store(1, address)
    store(2, length)
    let start = Folded.payloadStart
    guard words == expected.words, words - start <= Folded.comparedWords else {
      let bytes = 8 * (words - start)
      guard streams.payload.left >= bytes else { return false }
      (records + offset + 8 * start).copyMemory(from: streams.payload.next, byteCount: bytes)
      streams.payload.next += bytes
      return true
    }
    var i = start
    while i < words {
      guard let differs = streams.masks.take(as: UInt8.self) else { return false }
      for bit in 0..<min(8, words - i) {
        if differs &>> UInt8(bit) & 1 != 0 {
          guard let value = streams.payload.take(as: UInt64.self) else { return false }
          store(i + bit, value)
        } else {
          store(i + bit, load(Int(expected.offset) + 8 * (i + bit)))
        }
      }
      i += 8
    }
    return true
  }
}
