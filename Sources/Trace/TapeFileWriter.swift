// Chunks to a tape file.
import Glibc
public import Tape

/// The file `tape-N` while it is being written. Owns the descriptor. Everything written is whole chunks, so that the
/// file is readable at every moment: empty at first, then the header with the first chunk, and so on.
public struct TapeFileWriter: ~Copyable, Sendable {
  private let file: OwnedFile
  /// To be written before anything else: the file's header, then the last chunk.
  private var pending: [UInt8]
  /// Bytes in the file.
  private var written: UInt64 = 0
  /// The chunks so far.
  public private(set) var index: TapeIndex

  /// Creates the tape's file; it must not exist.
  public init(creating tape: UInt64, in trace: TraceDirectory) throws(TraceError) {
    try self.init(file: try .open(trace.tapePath(tape), O_WRONLY | O_CREAT | O_EXCL), tape: tape)
  }

  /// Writes a tape to an open descriptor, at its position 0, and owns it from now on. `path` is for errors.
  public init(descriptor: Int32, path: String, tape: UInt64) throws(TraceError) {
    try self.init(file: OwnedFile(descriptor: descriptor, path: path), tape: tape)
  }

  private init(file: consuming OwnedFile, tape: UInt64) throws(TraceError) {
    self.file = file
    index = TapeIndex(tape: tape)
    pending = TapeFileHeader(tape: tape).bytes
  }

  /// The tape's number.
  public var tape: UInt64 { index.progress.tape }
  /// Sequence number of the next chunk: what the next segment to be appended must have.
  public var sequence: UInt64 { index.progress.sequence }
  /// Events begun so far.
  public var eventCount: UInt64 { index.progress.eventCount }
  /// Effects that the last of them lacks so far.
  public var openEffects: Int { index.progress.openEffects }
  /// Bytes written so far.
  public var byteCount: UInt64 { index.end }

  /// Appends the content of a ring segment (whole records, without the segment's header) as one chunk.
  ///
  /// - Parameter isLast: it may wait for `finish`, which then writes everything at once.
  /// - Throws: `.tape` when the records are malformed, with the offset in them; `.system` when writing fails
  ///   (`isDiskFull`): then the file is as before, as far as the kernel allows.
  public mutating func append(
    _ records: UnsafeRawBufferPointer, flags: ChunkFlags = [], isLast: Bool = false, encoder: inout ChunkEncoder
  ) throws(TraceError) {
    var progress = index.progress
    let chunk: (bytes: UnsafeRawBufferPointer, header: ChunkHeader)
    do throws(TapeError) {
      chunk = try encoder.encode(records, flags: flags, progress: &progress)
    } catch {
      throw .tape(path: file.path, error)
    }
    if isLast {
      pending += chunk.bytes
    } else {
      try write(chunk.bytes)
    }
    index.add(chunk.header)
  }

  /// Takes back the last event when effects of it are missing: they will not come. The file is cut where it begins.
  public mutating func dropOpenEvent(encoder: inout ChunkEncoder) throws(TraceError) {
    guard index.progress.openEffects > 0 else { return }
    var cut = index
    var parts: [[UInt8]] = []
    var loader = ChunkLoader()
    let source = try TapeSource(file: .open(file.path, O_RDONLY))
    try RecoveryPlan.cutOpenEvent(&parts, index: &cut, loader: &loader, source: source)
    try file.truncate(to: cut.end)
    lseek(file.descriptor, off_t(cut.end), SEEK_SET)
    (index, written) = (cut, cut.end)
    for part in parts where !part.isEmpty {
      try part.withBytes { (bytes) throws(TraceError) in try append(bytes, encoder: &encoder) }
    }
  }

  /// Writes the index and the trailer and closes the file. Returns its size in bytes.
  @discardableResult
  public consuming func finish(encoder: inout ChunkEncoder) throws(TraceError) -> UInt64 {
    let footer = index.footer(encoder: &encoder)
    try footer.withBytes { (bytes) throws(TraceError) in try write(bytes) }
    return index.end + UInt64(footer.count)
  }

  private mutating func write(_ bytes: UnsafeRawBufferPointer) throws(TraceError) {
    do throws(TraceError) {
      if pending.isEmpty {
        try file.writeAll(bytes)
      } else {
        try file.writeAll(pending + bytes)
      }
    } catch {
      ftruncate(file.descriptor, off_t(written))
      lseek(file.descriptor, off_t(written), SEEK_SET)
      throw error
    }
    written += UInt64(pending.count + bytes.count)
    pending = []
  }
}
