// Records to events.

/// Puts events together from records, also across chunks: feed every record in order.
public struct EventAssembler {
  /// Index that the next event to begin will have.
  public private(set) var nextIndex: UInt64
  /// Bytes of each payload that are kept.
  public let payloadLimit: Int
  private var open: Event?
  private var missing = 0

  /// - Parameters:
  ///   - firstIndex: index of the event that begins with the first record.
  ///   - payloadLimit: bytes of each payload to keep; a small one bounds memory when only listing.
  public init(firstIndex: UInt64 = 0, payloadLimit: Int = .max) {
    nextIndex = firstIndex
    self.payloadLimit = payloadLimit
  }

  /// Whether an event has begun whose effects are not all there.
  public var isOpen: Bool { open != nil }

  /// Takes a record; returns the event that it completes, if it does.
  public mutating func add(_ record: Record) throws(TapeError) -> Event? {
    if record.isHead {
      guard missing == 0 else {
        throw TapeError(offset: record.offset, kind: .eventInsideEvent(missing: missing))
      }
      let event = Event(index: nextIndex, head: record.head)
      nextIndex &+= 1
      missing = Int(record.effectCount)
      guard missing > 0 else { return event }
      open = event
      return nil
    }
    guard missing > 0 else {
      throw TapeError(offset: record.offset, kind: .effectWithoutEvent(kind: record.kind))
    }
    open?.effects.append(record.effect(payloadLimit: payloadLimit))
    missing -= 1
    guard missing == 0 else { return nil }
    return open.take()
  }
}

/// Iterates over the events of a byte sequence that may be hostile and may be cut anywhere.
///
/// `next` returns complete events only. After it returned nil, `isIncomplete` tells whether the bytes end within an
/// event, and `completeLength` where the last complete one ends.
public struct EventDecoder {
  private var cursor: RecordCursor
  private var assembler: EventAssembler
  /// Bytes up to the end of the last complete event.
  public private(set) var completeLength: Int

  /// Decodes `bytes`, which must outlive the decoder.
  /// - Parameters:
  ///   - offset: where the first event begins.
  ///   - firstIndex: its index.
  ///   - payloadLimit: bytes of each payload to keep.
  public init(
    bytes: UnsafeRawBufferPointer, offset: Int = 0, firstIndex: UInt64 = 0, payloadLimit: Int = .max
  ) {
    cursor = RecordCursor(bytes: bytes, offset: offset)
    assembler = EventAssembler(firstIndex: firstIndex, payloadLimit: payloadLimit)
    completeLength = offset
  }

  /// Whether the bytes after the last complete event are the beginning of another.
  public var isIncomplete: Bool { assembler.isOpen || cursor.isCut }

  /// The next complete event; nil at the end.
  public mutating func next() throws(TapeError) -> Event? {
    while let record = try cursor.next() {
      guard let event = try assembler.add(record) else { continue }
      completeLength = cursor.offset
      return event
    }
    return nil
  }
}

/// What the records of a byte sequence amount to, found in one walk that allocates nothing.
public struct RecordSummary: Equatable, Sendable {
  /// Records, PAD not counted.
  public var recordCount = 0
  /// Events that begin.
  public var eventCount = 0
  /// Where the first event begins; the length if none does.
  public var firstEventOffset = 0
  /// Where the last event begins; nil if none does.
  public var lastEventOffset: Int?
  /// Stamps of the first and the last event that begin; 0 if none does.
  public var firstStamp: UInt64 = 0
  public var lastStamp: UInt64 = 0
  /// Effects that the last event still lacks.
  public var closingEffects = 0
  /// Bytes up to the end of the last record that is not PAD.
  public var length = 0

  /// Walks `bytes`, in which first `openEffects` effects of an event that began before are due.
  public init(of bytes: UnsafeRawBufferPointer, openEffects: Int = 0) throws(TapeError) {
    self.init()
    if let defect = walk(bytes, openEffects: openEffects) { throw defect }
  }

  /// Walks as far as the bytes are good, and tells what stopped it.
  public static func prefix(
    of bytes: UnsafeRawBufferPointer, openEffects: Int = 0
  ) -> (summary: RecordSummary, defect: TapeError?) {
    var summary = RecordSummary()
    let defect = summary.walk(bytes, openEffects: openEffects)
    return (summary, defect)
  }

  private init() {}

  private mutating func walk(_ bytes: UnsafeRawBufferPointer, openEffects: Int) -> TapeError? {
    var cursor = RecordCursor(bytes: bytes)
    closingEffects = openEffects
    defer { if lastEventOffset == nil { firstEventOffset = length } }
    do throws(TapeError) {
      while let record = try cursor.next() {
        try count(record)
        length = cursor.offset
      }
      return cursor.isCut ? TapeError(offset: cursor.offset, kind: .recordCut(size: bytes.count - cursor.offset)) : nil
    } catch {
      return error
    }
  }

  private mutating func count(_ record: Record) throws(TapeError) {
    if record.isHead {
      guard closingEffects == 0 else {
        throw TapeError(offset: record.offset, kind: .eventInsideEvent(missing: closingEffects))
      }
      let stamp = record.word(16)
      if lastEventOffset == nil {
        firstEventOffset = record.offset
        firstStamp = stamp
      }
      lastEventOffset = record.offset
      lastStamp = stamp
      eventCount += 1
      closingEffects = Int(record.effectCount)
    } else {
      guard closingEffects > 0 else {
        throw TapeError(offset: record.offset, kind: .effectWithoutEvent(kind: record.kind))
      }
      closingEffects -= 1
    }
    recordCount += 1
  }
}
