// Records to chunks. One encoder serves any number of tapes of one thread: it owns buffers, the tape's state is apart.
import CZstd

/// How far a tape has been written: what the next chunk's header continues.
public struct TapeProgress: Equatable, Sendable {
  public var tape: UInt64
  /// Sequence number of the next chunk.
  public var sequence: UInt64 = 0
  /// Index of the next event to begin.
  public var eventCount: UInt64 = 0
  /// Effects due of the event that is open.
  public var openEffects = 0

  /// The beginning of tape `tape`.
  public init(tape: UInt64) { self.tape = tape }
}

/// Compresses content to chunks; allocates only when made.
public struct ChunkEncoder: ~Copyable, @unchecked Sendable {
  private let context: OpaquePointer
  private let output: UnsafeMutableRawBufferPointer
  private let level: Int32
  private var folder = Folder()

  /// An encoder with zstd compression level `level`: of what folding leaves, even the fastest makes what is to be had.
  public init(level: Int32 = -1) {
    guard let context = ZSTD_createCCtx() else { preconditionFailure("no memory for a zstd context") }
    self.context = context
    self.level = level
    let bound = max(ZSTD_compressBound(TapeFormat.maximumContentSize), TapeFormat.maximumContentSize)
    output = .allocate(byteCount: ChunkHeader.size + bound, alignment: 64)
  }

  deinit {
    ZSTD_freeCCtx(context)
    output.deallocate()
  }

  /// Makes the next chunk of a tape from `records` (whole records, e.g. what a ring segment holds; PAD at the end is
  /// left out) and moves `progress` on.
  ///
  /// The records come from memory that a recorded program could have damaged: when they are malformed this throws,
  /// with the offset in `records`, and `progress` stays.
  /// - Returns: header and payload, valid until the next call, and the entry for the index, without its file offset.
  public mutating func encode(
    _ records: UnsafeRawBufferPointer, flags: ChunkFlags = [], progress: inout TapeProgress
  ) throws(TapeError) -> (bytes: UnsafeRawBufferPointer, header: ChunkHeader) {
    guard records.count <= TapeFormat.maximumContentSize else {
      throw TapeError(offset: 0, kind: .sizeLimit(UInt64(records.count)))
    }
    let summary = try RecordSummary(of: records, openEffects: progress.openEffects)
    var header = ChunkHeader()
    header.flags = flags
    header.tape = progress.tape
    header.sequence = progress.sequence
    header.firstEvent = progress.eventCount
    header.eventCount = summary.eventCount
    header.firstEventOffset = summary.firstEventOffset
    header.firstStamp = summary.firstStamp
    header.lastStamp = summary.lastStamp
    header.openEffects = progress.openEffects
    header.closingEffects = summary.closingEffects
    header.recordCount = summary.recordCount
    let bytes = finish(&header, content: UnsafeRawBufferPointer(rebasing: records[..<summary.length]))
    progress.sequence += 1
    progress.eventCount += UInt64(summary.eventCount)
    progress.openEffects = summary.closingEffects
    return (bytes, header)
  }

  /// Makes one chunk of the index. - Precondition: `content` is at most `TapeFormat.maximumContentSize` bytes.
  mutating func encodeIndex(
    _ content: UnsafeRawBufferPointer, entryCount: Int, progress: inout TapeProgress
  ) -> UnsafeRawBufferPointer {
    var header = ChunkHeader()
    header.flags = [.index]
    header.tape = progress.tape
    header.sequence = progress.sequence
    header.firstEvent = progress.eventCount
    header.firstEventOffset = content.count
    header.openEffects = progress.openEffects
    header.closingEffects = progress.openEffects
    header.recordCount = entryCount
    progress.sequence += 1
    return finish(&header, content: content)
  }

  private mutating func finish(_ header: inout ChunkHeader, content: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    header.contentSize = content.count
    let payload = UnsafeMutableRawBufferPointer(rebasing: output[ChunkHeader.size...])
    let compress = !header.flags.contains(.index) && content.count > 0
    let folded = compress ? folder.fold(content) : nil
    let source = folded ?? content
    let size =
      compress
      ? ZSTD_compressCCtx(context, payload.baseAddress, payload.count, source.baseAddress, source.count, level)
      : content.count
    if !compress || ZSTD_isError(size) != 0 || size >= content.count {
      header.flags.insert(.stored)
      header.storedSize = content.count
      UnsafeMutableRawBufferPointer(rebasing: payload[..<content.count]).copyMemory(from: content)
    } else {
      header.storedSize = size
      header.foldedSize = folded?.count ?? 0
    }
    header.payloadChecksum = xxHash64(UnsafeRawBufferPointer(rebasing: payload[..<header.storedSize]))
    header.write(to: output)
    return UnsafeRawBufferPointer(rebasing: output[..<(ChunkHeader.size + header.storedSize)])
  }
}

/// Chunks to records; allocates only when made.
public struct ChunkDecoder: ~Copyable, @unchecked Sendable {
  private let context: OpaquePointer
  private var unfolder = Unfolder()
  /// Room for folded content.
  private let buffer: UnsafeMutableRawBufferPointer

  /// A decoder.
  public init() {
    guard let context = ZSTD_createDCtx() else { preconditionFailure("no memory for a zstd context") }
    self.context = context
    buffer = .allocate(byteCount: TapeFormat.maximumContentSize, alignment: 64)
  }

  deinit {
    ZSTD_freeDCtx(context)
    buffer.deallocate()
  }

  /// Decodes a chunk's payload and checks it: checksum, size and, unless it is an index, every record.
  ///
  /// What comes out of a hostile tape is well-formed record by record, so that it can be given to a ring.
  /// - Parameters:
  ///   - payload: the `header.storedSize` bytes after the header.
  ///   - out: where the content goes, at least `header.contentSize` bytes.
  ///   - fileOffset: of the chunk, for errors.
  /// - Returns: bytes of content, `header.contentSize`.
  @discardableResult
  public mutating func decode(
    _ header: ChunkHeader, payload: UnsafeRawBufferPointer, into out: UnsafeMutableRawBufferPointer,
    fileOffset: Int = 0
  ) throws(TapeError) -> Int {
    func fail(_ kind: TapeError.Kind) -> TapeError { TapeError(offset: fileOffset, kind: kind) }
    precondition(out.count >= header.contentSize, "room for \(out.count) of \(header.contentSize) bytes")
    guard payload.count == header.storedSize else { throw fail(.fileTooShort) }
    guard xxHash64(payload) == header.payloadChecksum else { throw fail(.payloadChecksum) }
    if header.flags.contains(.stored) {
      out.copyMemory(from: payload)
    } else {
      let isFolded = header.foldedSize > 0
      let target = UnsafeMutableRawBufferPointer(
        rebasing: isFolded ? buffer[..<header.foldedSize] : out[..<header.contentSize])
      let size = ZSTD_decompressDCtx(context, target.baseAddress, target.count, payload.baseAddress, payload.count)
      guard ZSTD_isError(size) == 0, size == target.count else { throw fail(.decompression) }
      if isFolded {
        let records = UnsafeMutableRawBufferPointer(rebasing: out[..<header.contentSize])
        guard unfolder.unfold(UnsafeRawBufferPointer(target), into: records) else { throw fail(.decompression) }
      }
    }
    guard !header.flags.contains(.index) else { return header.contentSize }
    let content = UnsafeRawBufferPointer(rebasing: out[..<header.contentSize])
    let (summary, defect) = RecordSummary.prefix(of: content, openEffects: header.openEffects)
    guard defect == nil, header.describes(summary) else { throw fail(.contentMismatch) }
    return header.contentSize
  }
}
