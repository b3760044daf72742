// A tape's chunks and events.
import Glibc
public import Tape

/// Reads a tape: the file's chunks and, when its recorder was killed, what the rings still hold, cut after the last
/// complete event and ended by a LOST event. Nothing is written. Not for use by several threads at once.
public final class TapeFileReader {
  /// The tape's number.
  public let tape: UInt64
  /// Its chunks.
  public let index: TapeIndex
  /// Whether the tape was read through recovery: its file lacks the end.
  public let isRecovered: Bool
  /// Whether the file's own index is damaged; the reader then works with one rebuilt from the chunks.
  public let isIndexDamaged: Bool
  private var source: TapeSource
  private var loader = ChunkLoader()

  /// Opens tape `number` of a trace.
  public convenience init(_ trace: TraceDirectory, tape: UInt64) throws(TraceError) {
    let rings = try RingsFile(trace)
    guard let file = try OwnedFile.openIfThere(trace.tapePath(tape), O_RDONLY) else {
      guard rings?.segments[tape] != nil else {
        throw .system(operation: "open", path: trace.tapePath(tape), errno: ENOENT)
      }
      let source = TapeSource(bytes: [], path: trace.tapePath(tape))
      try self.init(source: source, tape: tape, rings: rings)
      return
    }
    let source = try TapeSource(file: file)
    try self.init(source: source, tape: tape, rings: rings)
  }

  /// Reads a tape file that is in memory. `path` is for errors.
  public convenience init(bytes: [UInt8], tape: UInt64, path: String = "tape") throws(TraceError) {
    let source = TapeSource(bytes: bytes, path: path)
    try self.init(source: source, tape: tape, rings: nil)
  }

  private init(source: consuming TapeSource, tape: UInt64, rings: RingsFile?) throws(TraceError) {
    self.tape = tape
    var loader = ChunkLoader()
    let (index, isIndexDamaged, plan) = try Self.open(source, tape: tape, rings: rings, loader: &loader)
    self.source = consume source
    self.loader = loader
    self.isIndexDamaged = isIndexDamaged
    if let plan {
      self.source.replace(from: plan.kept, with: plan.tail)
      self.index = plan.index
      isRecovered = true
    } else {
      self.index = index
      isRecovered = false
    }
  }

  /// The index of a tape, and what completes it if it is not finished.
  static func open(
    _ source: borrowing TapeSource, tape: UInt64, rings: RingsFile?, loader: inout ChunkLoader
  ) throws(TraceError) -> (index: TapeIndex, isIndexDamaged: Bool, plan: RecoveryPlan?) {
    let header = try loader.fileHeader(from: source)
    if let header, header.tape != tape {
      throw .tape(path: source.path, TapeError(offset: 16, kind: .outOfOrder(expected: tape, found: header.tape)))
    }
    let (index, isIndexDamaged) =
      header == nil ? (TapeIndex(tape: tape), false) : try loader.index(tape: tape, from: source)
    if index.isFinished && index.progress.openEffects == 0 { return (index, isIndexDamaged, nil) }
    var segments: [[UInt8]] = []
    if let rings, !index.isFinished {
      var sequence = index.progress.sequence
      for segment in rings.segments[tape] ?? [] where segment.header.sequence == sequence {
        segments.append(try rings.content(segment))
        sequence += 1
      }
    }
    let plan = try RecoveryPlan(
      index: index, segments: segments, loader: &loader, source: source, hasFileHeader: header != nil)
    return (index, isIndexDamaged, plan)
  }

  /// Complete events.
  public var eventCount: UInt64 { index.progress.eventCount }
  /// Chunks.
  public var chunkCount: Int { index.entries.count }

  /// The records of chunk `number`, checked, in a buffer that is valid until the next call.
  public func records(ofChunk number: Int) throws(TraceError) -> UnsafeRawBufferPointer {
    let entry = index.entries[number]
    let (header, content) = try loader.chunk(at: entry.offset, storedSize: entry.storedSize, from: source)
    guard entry.describes(header), header.sequence == UInt64(number), header.tape == tape else {
      throw .tape(path: source.path, TapeError(offset: Int(entry.offset), kind: .indexMismatch))
    }
    return content
  }

  /// The chunk in which event `index` begins, and the byte of its content where it does; nil beyond the end.
  public func locate(event: UInt64) throws(TraceError) -> (chunk: Int, offset: Int)? {
    guard event < eventCount, let chunk = index.chunk(ofEvent: event) else { return nil }
    let content = try records(ofChunk: chunk)
    var cursor = RecordCursor(bytes: content)
    var next = index.entries[chunk].firstEvent
    do throws(TapeError) {
      while let record = try cursor.next() {
        guard record.isHead else { continue }
        if next == event { return (chunk, record.offset) }
        next += 1
      }
    } catch {
      throw .tape(path: source.path, error)
    }
    return nil
  }

  /// The events from `first` on.
  /// - Parameter payloadLimit: bytes of each payload to keep; a small one bounds memory when only listing.
  public func events(from first: UInt64 = 0, payloadLimit: Int = .max) throws(TraceError) -> TapeEvents {
    try TapeEvents(self, from: first, payloadLimit: payloadLimit)
  }

  /// One event; nil beyond the end.
  public func event(_ index: UInt64) throws(TraceError) -> Event? {
    var events = try events(from: index)
    return try events.next()?.event
  }

  func fail(_ error: TapeError) -> TraceError { .tape(path: source.path, error) }
}

/// Iterates over the events of a tape, from one chunk to the next. Several may use one reader in turns.
public struct TapeEvents {
  private let reader: TapeFileReader
  private var assembler: EventAssembler
  private var chunk: Int
  private var offset: Int
  private var content: [UInt8] = []
  private var isLoaded = false
  /// The chunk in which the event under way began.
  private var began: Int

  init(_ reader: TapeFileReader, from first: UInt64, payloadLimit: Int) throws(TraceError) {
    self.reader = reader
    assembler = EventAssembler(firstIndex: first, payloadLimit: payloadLimit)
    let place = try reader.locate(event: first)
    chunk = place?.chunk ?? reader.chunkCount
    offset = place?.offset ?? 0
    began = chunk
  }

  /// The next event and the chunk in which it begins; nil at the end.
  public mutating func next() throws(TraceError) -> (event: Event, chunk: Int)? {
    while chunk < reader.chunkCount {
      if !isLoaded {
        content = Array(try reader.records(ofChunk: chunk))
        isLoaded = true
      }
      if let event = try nextInChunk() { return (event, began) }
      chunk += 1
      offset = 0
      isLoaded = false
    }
    return nil
  }

  private mutating func nextInChunk() throws(TraceError) -> Event? {
    let (chunk, start) = (chunk, offset)
    var (assembler, began, end) = (assembler, began, offset)
    defer { (self.assembler, self.began, offset) = (assembler, began, end) }
    do throws(TapeError) {
      return try content.withBytes { (bytes) throws(TapeError) in
        var cursor = RecordCursor(bytes: bytes, offset: start)
        defer { end = cursor.offset }
        while let record = try cursor.next() {
          if record.isHead { began = chunk }
          if let event = try assembler.add(record) { return event }
        }
        return nil
      }
    } catch {
      throw reader.fail(error)
    }
  }
}
