// The index at the end of a finished tape, and the scan that replaces it on others.

/// Where a chunk is and what begins in it: 56 bytes in the index.
public struct ChunkEntry: Equatable, Sendable {
  static let size = 56
  /// Bytes from the start of the file to the chunk's header.
  public var offset: UInt64
  /// Index of the first event that begins in it, or would.
  public var firstEvent: UInt64
  /// Stamps of the first and the last event that begin in it.
  public var firstStamp: UInt64
  public var lastStamp: UInt64
  /// Events that begin in it.
  public var eventCount: Int
  /// Bytes of payload.
  public var storedSize: Int
  /// Bytes of records.
  public var contentSize: Int
  /// Effects due at its beginning and at its end.
  public var openEffects: Int
  public var closingEffects: Int
  public var flags: ChunkFlags

  /// The entry of a chunk at `offset`.
  public init(offset: UInt64, header: ChunkHeader) {
    self.offset = offset
    firstEvent = header.firstEvent
    firstStamp = header.firstStamp
    lastStamp = header.lastStamp
    eventCount = header.eventCount
    storedSize = header.storedSize
    contentSize = header.contentSize
    openEffects = header.openEffects
    closingEffects = header.closingEffects
    flags = header.flags
  }

  /// Bytes from the start of the file to the end of the chunk.
  public var end: UInt64 { offset + UInt64(ChunkHeader.size + storedSize) }

  /// Whether this is the entry of a chunk with that header.
  public func describes(_ header: ChunkHeader) -> Bool { self == ChunkEntry(offset: offset, header: header) }

  init(bytes: UnsafeRawBufferPointer, at: Int) {
    offset = bytes.u64(at)
    firstEvent = bytes.u64(at + 8)
    firstStamp = bytes.u64(at + 16)
    lastStamp = bytes.u64(at + 24)
    eventCount = Int(bytes.u32(at + 32))
    storedSize = Int(bytes.u32(at + 36))
    contentSize = Int(bytes.u32(at + 40))
    openEffects = Int(bytes.u32(at + 44))
    closingEffects = Int(bytes.u32(at + 48))
    flags = ChunkFlags(rawValue: bytes.u32(at + 52))
  }

  func append(to out: inout [UInt8]) {
    for word in [offset, firstEvent, firstStamp, lastStamp] { out.append(word: word) }
    for word in [eventCount, storedSize, contentSize, openEffects, closingEffects] { out.append(word: UInt32(word)) }
    out.append(word: flags.rawValue)
  }
}

/// The last 40 bytes of a finished tape.
public struct TapeTrailer: Equatable, Sendable {
  /// Bytes.
  public static let size = 40
  static let magic: UInt64 = 0x0044_4E45_5453_4942  // "BISTEND\0"
  /// Bytes from the start of the file to the first index chunk.
  public var indexOffset: UInt64
  /// Chunks that the index has.
  public var indexChunkCount: UInt64
  /// Events of the tape.
  public var eventCount: UInt64

  init(indexOffset: UInt64, indexChunkCount: UInt64, eventCount: UInt64) {
    self.indexOffset = indexOffset
    self.indexChunkCount = indexChunkCount
    self.eventCount = eventCount
  }

  /// Reads a trailer. The error is at `fileOffset`.
  public init(bytes: UnsafeRawBufferPointer, fileOffset: Int = 0) throws(TapeError) {
    guard bytes.count == Self.size else { throw TapeError(offset: fileOffset, kind: .fileTooShort) }
    guard bytes.u64(0) == Self.magic else { throw TapeError(offset: fileOffset, kind: .badMagic) }
    guard bytes.u64(32) == xxHash64(UnsafeRawBufferPointer(rebasing: bytes[..<32])) else {
      throw TapeError(offset: fileOffset, kind: .headerChecksum)
    }
    indexOffset = bytes.u64(8)
    indexChunkCount = bytes.u64(16)
    eventCount = bytes.u64(24)
  }

  var bytes: [UInt8] {
    var out: [UInt8] = []
    for word in [Self.magic, indexOffset, indexChunkCount, eventCount] { out.append(word: word) }
    out.append(word: out.withUnsafeBytes { xxHash64($0) })
    return out
  }
}

/// The chunks of a tape, in order.
public struct TapeIndex: Equatable, Sendable {
  /// The chunks with records.
  public private(set) var entries: [ChunkEntry] = []
  /// State after the last of them.
  public private(set) var progress: TapeProgress
  /// Bytes from the start of the file to the end of the last of them.
  public private(set) var end = UInt64(TapeFileHeader.size)
  /// Whether the tape was finished: index and trailer are there.
  public private(set) var isFinished = false

  /// Entries in one index chunk.
  static let entriesPerChunk = 9000

  /// No chunks yet.
  public init(tape: UInt64) { progress = TapeProgress(tape: tape) }

  /// Adds a chunk that was written, or read and checked, at `end`.
  public mutating func add(_ header: ChunkHeader) {
    add(ChunkEntry(offset: end, header: header))
  }

  private mutating func add(_ entry: ChunkEntry) {
    entries.append(entry)
    end = entry.end
    progress.sequence += 1
    progress.eventCount += UInt64(entry.eventCount)
    progress.openEffects = entry.closingEffects
  }

  /// Whether `entry` goes on where this ends; an error otherwise.
  func check(_ entry: ChunkEntry) throws(TapeError) {
    func fail(_ expected: UInt64, _ found: UInt64) -> TapeError {
      TapeError(offset: Int(end), kind: .outOfOrder(expected: expected, found: found))
    }
    guard entry.offset == end else { throw fail(end, entry.offset) }
    guard entry.firstEvent == progress.eventCount else { throw fail(progress.eventCount, entry.firstEvent) }
    guard entry.openEffects == progress.openEffects else {
      throw fail(UInt64(progress.openEffects), UInt64(entry.openEffects))
    }
  }

  /// Notes that the file has its index and trailer.
  public mutating func markFinished() { isFinished = true }

  /// Keeps the first `count` chunks.
  public mutating func truncate(to count: Int) {
    let kept = entries.prefix(count)
    self = TapeIndex(tape: progress.tape)
    for entry in kept { add(entry) }
  }

  /// The chunk in which event `index` begins.
  public func chunk(ofEvent index: UInt64) -> Int? {
    var low = 0
    var high = entries.count
    while low < high {  // the first chunk that ends after it
      let middle = (low + high) / 2
      if entries[middle].firstEvent + UInt64(entries[middle].eventCount) <= index {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low < entries.count && entries[low].firstEvent <= index ? low : nil
  }

  /// What finishes the file: the index chunks and the trailer.
  public func footer(encoder: inout ChunkEncoder) -> [UInt8] {
    var out: [UInt8] = []
    var progress = progress
    var chunkCount: UInt64 = 0
    var next = 0
    repeat {
      let upper = min(next + Self.entriesPerChunk, entries.count)
      var content: [UInt8] = []
      for entry in entries[next..<upper] { entry.append(to: &content) }
      content.withUnsafeBytes { bytes in
        out += encoder.encodeIndex(bytes, entryCount: upper - next, progress: &progress)
      }
      chunkCount += 1
      next = upper
    } while next < entries.count
    let trailer = TapeTrailer(indexOffset: end, indexChunkCount: chunkCount, eventCount: progress.eventCount)
    return out + trailer.bytes
  }

  /// Adds the entries of an index chunk's content, read at `fileOffset`.
  public mutating func addEntries(content: UnsafeRawBufferPointer, fileOffset: Int) throws(TapeError) {
    guard content.count % ChunkEntry.size == 0 else { throw TapeError(offset: fileOffset, kind: .indexMismatch) }
    for at in stride(from: 0, to: content.count, by: ChunkEntry.size) {
      let entry = ChunkEntry(bytes: content, at: at)
      guard entry.contentSize <= TapeFormat.maximumContentSize, entry.storedSize <= entry.contentSize,
        entry.offset < 1 << 62, (try? check(entry)) != nil
      else { throw TapeError(offset: fileOffset, kind: .indexMismatch) }
      add(entry)
    }
  }
}

/// Rebuilds the index of a tape from its chunk headers, for tapes without one.
///
/// Give it what is at `offset`: the header bytes (`nextSize` of them, fewer only at the end of the file). Cut bytes at
/// the end of the file end the scan; anything else that is wrong is an error.
public struct TapeScan {
  /// Chunks found so far.
  public private(set) var index: TapeIndex
  /// Where to read next, bytes from the start of the file.
  public private(set) var offset = UInt64(TapeFileHeader.size)
  /// Whether nothing more is to be read.
  public private(set) var isDone = false
  private let fileSize: UInt64
  private var sequence: UInt64 = 0
  private var indexChunkCount: UInt64 = 0

  /// A scan of a file of `fileSize` bytes, whose header is that of `tape`.
  public init(tape: UInt64, fileSize: UInt64) {
    index = TapeIndex(tape: tape)
    self.fileSize = fileSize
    isDone = fileSize <= offset
  }

  /// Takes the bytes at `offset`: up to `ChunkHeader.size`, fewer only where the file ends.
  public mutating func add(_ bytes: UnsafeRawBufferPointer) throws(TapeError) {
    let left = fileSize - offset
    if indexChunkCount > 0, bytes.count < 4 || bytes.u32(0) != ChunkHeader.magic {
      try addTrailer(bytes)
      return
    }
    guard left >= UInt64(ChunkHeader.size) else {
      isDone = true
      return
    }
    let header = try ChunkHeader(bytes: bytes, fileOffset: Int(offset))
    guard header.sequence == sequence else {
      throw TapeError(offset: Int(offset), kind: .outOfOrder(expected: sequence, found: header.sequence))
    }
    guard header.tape == index.progress.tape else {
      throw TapeError(offset: Int(offset), kind: .outOfOrder(expected: index.progress.tape, found: header.tape))
    }
    let size = UInt64(ChunkHeader.size + header.storedSize)
    guard size <= left else {
      isDone = true
      return
    }
    if header.flags.contains(.index) {
      indexChunkCount += 1
    } else {
      guard indexChunkCount == 0 else { throw TapeError(offset: Int(offset), kind: .trailingBytes) }
      try index.check(ChunkEntry(offset: offset, header: header))
      index.add(header)
    }
    sequence += 1
    offset += size
    isDone = offset == fileSize
  }

  /// After index chunks: the trailer, or the beginning of it.
  private mutating func addTrailer(_ bytes: UnsafeRawBufferPointer) throws(TapeError) {
    let size = TapeTrailer.size
    isDone = true
    guard bytes.count >= size else { return }
    let trailer = try TapeTrailer(bytes: UnsafeRawBufferPointer(rebasing: bytes[..<size]), fileOffset: Int(offset))
    guard fileSize - offset == UInt64(size) else { throw TapeError(offset: Int(offset) + size, kind: .trailingBytes) }
    guard trailer.indexOffset == index.end, trailer.indexChunkCount == indexChunkCount,
      trailer.eventCount == index.progress.eventCount
    else { throw TapeError(offset: Int(offset), kind: .indexMismatch) }
    index.markFinished()
  }
}
