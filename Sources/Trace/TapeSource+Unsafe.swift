// Where a reader's bytes come from: a file, and after it what recovery would append.
import Glibc
import Tape

/// The bytes of a tape: the first `kept` bytes of a file, then `tail`.
struct TapeSource: ~Copyable {
  private let file: OwnedFile?
  let path: String
  private(set) var kept: UInt64
  private(set) var tail: [UInt8] = []

  init(file: consuming OwnedFile) throws(TraceError) {
    path = file.path
    kept = try file.regularSize()
    self.file = consume file
  }

  init(bytes: [UInt8], path: String) {
    file = nil
    self.path = path
    kept = 0
    tail = bytes
  }

  var size: UInt64 { kept + UInt64(tail.count) }

  /// Cuts at `offset` and puts `bytes` there. - Precondition: `offset` is within the file, or there is none.
  mutating func replace(from offset: UInt64, with bytes: [UInt8]) {
    if offset <= kept {
      kept = offset
      tail = bytes
    } else {
      tail.removeSubrange(Int(offset - kept)...)
      tail += bytes
    }
  }

  private func readFile(at offset: UInt64, into: UnsafeMutableRawBufferPointer) throws(TraceError) -> Int {
    switch file {
    case .some(let file): return try file.read(at: offset, into: into)
    case .none: return 0
    }
  }

  /// Reads up to `into.count` bytes at `offset`; fewer only at the end.
  func read(at offset: UInt64, into: UnsafeMutableRawBufferPointer) throws(TraceError) -> Int {
    var done = 0
    if offset < kept {
      let wanted = Int(min(UInt64(into.count), kept - offset))
      done = try readFile(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: into[..<wanted]))
      guard done == wanted else { return done }
    }
    let at = offset + UInt64(done)
    guard done < into.count, at >= kept, at - kept < UInt64(tail.count) else { return done }
    let count = min(into.count - done, tail.count - Int(at - kept))
    tail.withUnsafeBytes { bytes in
      let from = UnsafeRawBufferPointer(rebasing: bytes[Int(at - kept)..<Int(at - kept) + count])
      UnsafeMutableRawBufferPointer(rebasing: into[done..<done + count]).copyMemory(from: from)
    }
    return done + count
  }
}

/// Reads chunks from a source, with buffers of its own.
struct ChunkLoader: ~Copyable {
  private var decoder = ChunkDecoder()
  private let stored = UnsafeMutableRawBufferPointer.allocate(
    byteCount: ChunkHeader.size + TapeFormat.maximumContentSize, alignment: 64)
  private let content = UnsafeMutableRawBufferPointer.allocate(
    byteCount: TapeFormat.maximumContentSize, alignment: 4096)

  deinit {
    stored.deallocate()
    content.deallocate()
  }

  /// The bytes at `offset`, at most `count`; valid until the next call.
  mutating func bytes(
    at offset: UInt64, count: Int, from source: borrowing TapeSource
  ) throws(TraceError) -> UnsafeRawBufferPointer {
    let count = try source.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: stored[..<count]))
    return UnsafeRawBufferPointer(rebasing: stored[..<count])
  }

  /// The chunk at `offset`, decoded and checked; valid until the next call.
  mutating func chunk(
    at offset: UInt64, storedSize: Int, from source: borrowing TapeSource
  ) throws(TraceError) -> (header: ChunkHeader, content: UnsafeRawBufferPointer) {
    let all = try bytes(at: offset, count: ChunkHeader.size + storedSize, from: source)
    do throws(TapeError) {
      let header = try ChunkHeader(bytes: all, fileOffset: Int(offset))
      guard header.storedSize == storedSize, all.count == ChunkHeader.size + storedSize else {
        throw TapeError(offset: Int(offset), kind: .indexMismatch)
      }
      let payload = UnsafeRawBufferPointer(rebasing: all[ChunkHeader.size...])
      let count = try decoder.decode(header, payload: payload, into: content, fileOffset: Int(offset))
      return (header, UnsafeRawBufferPointer(rebasing: content[..<count]))
    } catch {
      throw .tape(path: source.path, error)
    }
  }

  /// The header of the file; nil when the file ends within it.
  mutating func fileHeader(from source: borrowing TapeSource) throws(TraceError) -> TapeFileHeader? {
    let bytes = try bytes(at: 0, count: TapeFileHeader.size, from: source)
    guard bytes.count == TapeFileHeader.size else { return nil }
    do throws(TapeError) { return try TapeFileHeader(bytes: bytes) } catch { throw .tape(path: source.path, error) }
  }

  /// The index: the file's own, or one rebuilt from the chunk headers, because there is none or it is damaged.
  mutating func index(
    tape: UInt64, from source: borrowing TapeSource
  ) throws(TraceError) -> (index: TapeIndex, isDamaged: Bool) {
    if let index = try? ownIndex(tape: tape, from: source) { return (index, false) }
    var scan = TapeScan(tape: tape, fileSize: source.size)
    while !scan.isDone {
      let bytes = try bytes(at: scan.offset, count: ChunkHeader.size, from: source)
      do throws(TapeError) { try scan.add(bytes) } catch { throw .tape(path: source.path, error) }
    }
    return (scan.index, scan.index.isFinished)
  }

  /// The index at the end of a finished tape; throws or returns nil when there is none that fits.
  private mutating func ownIndex(tape: UInt64, from source: borrowing TapeSource) throws -> TapeIndex? {
    let smallest = UInt64(TapeFileHeader.size + TapeTrailer.size)
    guard source.size >= smallest else { return nil }
    let end = source.size - UInt64(TapeTrailer.size)
    let trailer = try TapeTrailer(bytes: try bytes(at: end, count: TapeTrailer.size, from: source))
    var index = TapeIndex(tape: tape)
    var offset = trailer.indexOffset
    var count: UInt64 = 0
    while offset < end {
      let head = try ChunkHeader(bytes: try bytes(at: offset, count: ChunkHeader.size, from: source))
      let (header, content) = try chunk(at: offset, storedSize: head.storedSize, from: source)
      guard header.flags.contains(.index), header.tape == tape else { return nil }
      try index.addEntries(content: content, fileOffset: Int(offset))
      offset += UInt64(ChunkHeader.size + header.storedSize)
      count += 1
    }
    guard offset == end, count == trailer.indexChunkCount, index.end == trailer.indexOffset,
      index.progress.eventCount == trailer.eventCount
    else { return nil }
    index.markFinished()
    return index
  }
}
