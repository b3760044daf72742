// What completes a tape whose recorder was killed: in memory for a reader, on disk for `recover`.
import Tape

/// The end that a tape would have had: keep the file's first `kept` bytes, then write `tail`.
struct RecoveryPlan {
  var kept: UInt64
  var tail: [UInt8]
  var index: TapeIndex
  /// Events that the rings held and the file did not.
  var recoveredEvents: UInt64
  /// Whether the tape ended by itself (exit, exec) and only its index was missing.
  var isComplete: Bool
  /// How it ended, when `isComplete`: the last event.
  var lastHead: EventHead?

  /// Plans for a tape with `index` (not finished, or finished within an event).
  /// - Parameter segments: contents of the tape's segments after the file's last chunk, in order.
  init(
    index: TapeIndex, segments: [[UInt8]], loader: inout ChunkLoader, source: borrowing TapeSource,
    hasFileHeader: Bool
  ) throws(TraceError) {
    self.index = index
    let inFile = index.progress.eventCount
    let (good, isDamaged) = Self.goodRecords(segments, openEffects: index.progress.openEffects)
    var contents = good
    if contents.closing > 0 {
      try Self.cutOpenEvent(&contents.parts, index: &self.index, loader: &loader, source: source)
    }
    kept = hasFileHeader ? self.index.end : 0
    tail = hasFileHeader ? [] : TapeFileHeader(tape: index.progress.tape).bytes
    let last = try Self.lastHead(contents.parts, index: self.index, loader: &loader, source: source)
    lastHead = last
    isComplete = last?.kind.endsTape ?? false
    if !isComplete {
      contents.parts.append(Self.lostRecord(after: last, reason: isDamaged ? .damaged : .killed))
    }
    var encoder = ChunkEncoder()
    var progress = self.index.progress
    for part in contents.parts where !part.isEmpty {
      do throws(TapeError) {
        let (bytes, header) = try part.withBytes { (bytes) throws(TapeError) in
          let chunk = try encoder.encode(bytes, flags: .recovered, progress: &progress)
          return (Array(chunk.bytes), chunk.header)
        }
        tail += bytes
        self.index.add(header)
      } catch {
        throw .tape(path: source.path, error)
      }
    }
    let events = self.index.progress.eventCount - (isComplete ? 0 : 1)
    recoveredEvents = events > inFile ? events - inFile : 0
    tail += self.index.footer(encoder: &encoder)
    self.index.markFinished()
  }

  /// The records of segments as far as they are good, and the effects that the last event lacks.
  private static func goodRecords(
    _ segments: [[UInt8]], openEffects: Int
  ) -> (contents: (parts: [[UInt8]], closing: Int), isDamaged: Bool) {
    var parts: [[UInt8]] = []
    var closing = openEffects
    for segment in segments {
      let (summary, defect) = segment.withUnsafeBytes { RecordSummary.prefix(of: $0, openEffects: closing) }
      parts.append(Array(segment.prefix(summary.length)))
      closing = summary.closingEffects
      if defect != nil { return ((parts, closing), true) }
    }
    return ((parts, closing), false)
  }

  /// Cuts the last event, which is not complete, with all that follows its head.
  static func cutOpenEvent(
    _ parts: inout [[UInt8]], index: inout TapeIndex, loader: inout ChunkLoader, source: borrowing TapeSource
  ) throws(TraceError) {
    while let part = parts.last {
      if let offset = lastEventOffset(part) {
        parts[parts.count - 1] = Array(part.prefix(offset))
        return
      }
      parts.removeLast()
    }
    while let entry = index.entries.last {
      let content = try loader.chunk(at: entry.offset, storedSize: entry.storedSize, from: source).content
      index.truncate(to: index.entries.count - 1)
      guard entry.eventCount > 0 else { continue }
      let bytes = Array(content)
      parts = [Array(bytes.prefix(lastEventOffset(bytes) ?? 0))]
      return
    }
  }

  /// Where the last event of good records begins.
  private static func lastEventOffset(_ records: [UInt8]) -> Int? {
    records.withUnsafeBytes { bytes in
      var cursor = RecordCursor(bytes: bytes)
      var offset: Int?
      while let record = try? cursor.next() {
        if record.isHead { offset = record.offset }
      }
      return offset
    }
  }

  private static func lastHead(
    _ parts: [[UInt8]], index: TapeIndex, loader: inout ChunkLoader, source: borrowing TapeSource
  ) throws(TraceError) -> EventHead? {
    for part in parts.reversed() {
      if let head = part.withUnsafeBytes({ lastHead(in: $0) }) { return head }
    }
    guard let entry = index.entries.last(where: { $0.eventCount > 0 }) else { return nil }
    return lastHead(in: try loader.chunk(at: entry.offset, storedSize: entry.storedSize, from: source).content)
  }

  private static func lastHead(in records: UnsafeRawBufferPointer) -> EventHead? {
    var cursor = RecordCursor(bytes: records)
    var head: EventHead?
    while let record = try? cursor.next() {
      if record.isHead { head = record.head }
    }
    return head
  }

  /// A LOST event that follows `last`.
  private static func lostRecord(after last: EventHead?, reason: LostReason) -> [UInt8] {
    var head = EventHead(.lost, number: reason.rawValue)
    if let last {
      head.tid = last.tid
      head.stamp = last.stamp
      head.tsc = last.tsc
      head.ticks = last.ticks
      head.rip = last.rip
    }
    var bytes = [UInt8](repeating: 0, count: TapeFormat.headSize)
    bytes.withUnsafeMutableBytes { raw in
      var writer = RecordWriter(buffer: raw)
      writer.event(head)
    }
    return bytes
  }
}
