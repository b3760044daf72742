// Counts and sizes of a tape.
public import Tape

/// What a tape consists of.
public struct TapeStatistics: Equatable, Sendable {
  /// A number of records and their bytes, headers included, uncompressed.
  public struct Count: Equatable, Sendable {
    public var records: UInt64 = 0
    public var bytes: UInt64 = 0
    mutating func add(_ size: Int) {
      records += 1
      bytes += UInt64(size)
    }
    static func + (a: Count, b: Count) -> Count { Count(records: a.records + b.records, bytes: a.bytes + b.bytes) }
  }

  /// Heads by kind.
  public var events: [EventKind: Count] = [:]
  /// System calls by number: heads with their effects.
  public var systemCalls: [UInt32: Count] = [:]
  /// Effects by kind.
  public var effects: [EffectKind: Count] = [:]
  /// Chunks, bytes of records in them, and bytes of the chunks on disk.
  public var chunkCount = 0
  public var contentBytes: UInt64 = 0
  public var storedBytes: UInt64 = 0

  /// Nothing counted.
  public init() {}

  /// Walks over a whole tape; checks every chunk on the way.
  public init(_ reader: TapeFileReader) throws(TraceError) {
    var heads = [Count](repeating: Count(), count: 256)
    var call: UInt32?
    for number in 0..<reader.chunkCount {
      var cursor = RecordCursor(bytes: try reader.records(ofChunk: number))
      do throws(TapeError) {
        while let record = try cursor.next() {
          heads[Int(record.kind)].add(record.bytes.count)
          if record.isHead { call = record.kind == EventKind.systemCall.rawValue ? record.head.number : nil }
          guard let call else { continue }
          systemCalls[call, default: Count()].bytes += UInt64(record.bytes.count)
          if record.isHead { systemCalls[call, default: Count()].records += 1 }
        }
      } catch {
        throw reader.fail(error)
      }
      let entry = reader.index.entries[number]
      chunkCount += 1
      contentBytes += UInt64(entry.contentSize)
      storedBytes += entry.end - entry.offset
    }
    for (kind, count) in heads.enumerated() where count.records > 0 {
      if let kind = EventKind(rawValue: UInt8(kind)) { events[kind] = count }
      if let kind = EffectKind(rawValue: UInt8(kind)) { effects[kind] = count }
    }
  }
}
