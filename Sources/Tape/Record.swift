// Walking over records: the only place that believes nothing about their sizes.
import CABI

/// Limits and sizes of the format, in bytes.
public enum TapeFormat {
  /// The version this program writes, and the newest it reads.
  public static let version: UInt32 = 3
  /// The oldest it reads: without folded content.
  public static let oldestVersion: UInt32 = 2
  /// "x864" as a little-endian word: architecture and byte order in one.
  public static let architecture: UInt32 = 0x3436_3878
  /// Content of one chunk at most, uncompressed.
  public static let maximumContentSize = 1 << 20
  /// One ring segment, its header included.
  public static let segmentSize = Int(BIS_SEGMENT_SIZE)
  /// Segments in a ring.
  public static let segmentCount = Int(BIS_SEGMENT_COUNT)
  /// One slot of the rings file: a control block, then the segments.
  public static let windowSize = Int(BIS_WINDOW_SIZE)
  /// The control block.
  public static let controlSize = Int(BIS_CONTROL_SIZE)
  /// Header at the start of every ring segment; records follow it.
  public static let segmentHeaderSize = Int(BIS_SEGMENT_HEADER)
  /// Longest payload of one effect.
  public static let maximumPayloadSize = Int(BIS_MEMORY_CHUNK)
  /// `struct bis_event` with all arguments.
  public static let headSize = MemoryLayout<bis_event>.size
  /// The same without any.
  public static let smallestHeadSize = Int(BIS_EVENT_FIXED)
  /// `struct bis_effect_memory`.
  public static let payloadHeaderSize = 24
}

/// One record, found by a `RecordCursor`: its size is right for its kind, and its lengths are within it.
public struct Record {
  /// Bytes from the start of what the cursor walks.
  public let offset: Int
  /// `enum bis_kind`, never PAD.
  public let kind: UInt8
  /// `enum bis_record_flags`.
  public let flags: UInt8
  /// Head records: effect records that follow.
  public let effectCount: UInt16
  /// The whole record, header included.
  public let bytes: UnsafeRawBufferPointer

  /// Whether an event begins here.
  public var isHead: Bool { kind < 64 }
}

/// Walks the records of a byte sequence that may be hostile and may be cut anywhere. PAD records are passed over.
public struct RecordCursor {
  /// What is walked.
  public let bytes: UnsafeRawBufferPointer
  /// Where the next record begins.
  public private(set) var offset: Int
  /// Set when `next` returned nil because the bytes end within a record.
  public private(set) var isCut = false

  /// Walks `bytes`, which must outlive the cursor, from byte `offset` (where a record begins).
  public init(bytes: UnsafeRawBufferPointer, offset: Int = 0) {
    precondition(offset >= 0 && offset <= bytes.count, "cursor at \(offset) of \(bytes.count) bytes")
    self.bytes = bytes
    self.offset = offset
  }

  /// The next record; nil at the end, or where the bytes are cut within a record (`isCut`).
  public mutating func next() throws(TapeError) -> Record? {
    while true {
      let left = bytes.count - offset
      guard left >= 8 else {
        isCut = left > 0
        return nil
      }
      let header = bytes.loadUnaligned(fromByteOffset: offset, as: bis_record.self)
      let size = Int(header.size)
      guard size % 8 == 0 else { throw error(.recordUnaligned(size: size)) }
      guard size >= 8, size <= TapeFormat.segmentSize else { throw error(.recordSize(size: size, kind: header.kind)) }
      let isPad = header.kind == 0
      if !isPad { try checkFixedSize(kind: header.kind, size: size) }
      guard size <= left else {
        isCut = true
        return nil
      }
      let record = Record(
        offset: offset, kind: header.kind, flags: header.flags, effectCount: header.effects,
        bytes: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + size]))
      if !isPad { try checkLengths(record) }
      offset += size
      if !isPad { return record }
    }
  }

  private func error(_ kind: TapeError.Kind) -> TapeError { TapeError(offset: offset, kind: kind) }

  /// Sizes that depend on the kind alone; for records with a payload, the smallest and largest.
  private func checkFixedSize(kind: UInt8, size: Int) throws(TapeError) {
    let expected: Int
    switch kind {
    case 1...11:
      let limits = TapeFormat.smallestHeadSize...TapeFormat.headSize
      guard limits.contains(size) else { throw error(.recordSize(size: size, kind: kind)) }
      return
    case 64, 71, 72, 77:
      let limits = TapeFormat.payloadHeaderSize...(TapeFormat.payloadHeaderSize + TapeFormat.maximumPayloadSize)
      guard limits.contains(size) else { throw error(.recordSize(size: size, kind: kind)) }
      return
    case 65: expected = MemoryLayout<bis_effect_map>.size
    case 66, 67, 73, 74, 75, 76, 78, 79: expected = MemoryLayout<bis_effect_range>.size
    case 68: expected = MemoryLayout<bis_effect_remap>.size
    case 69: expected = MemoryLayout<bis_effect_process>.size
    case 70: expected = MemoryLayout<bis_effect_registers>.size
    default: throw error(.unknownKind(kind))
    }
    guard size == expected else { throw error(.recordSize(size: size, kind: kind)) }
  }

  /// Lengths within a record that is there in full.
  private func checkLengths(_ record: Record) throws(TapeError) {
    switch record.kind {
    case 64, 71, 72, 77:
      let length = record.word(16)
      guard length <= UInt64(TapeFormat.maximumPayloadSize) else { throw error(.lengthOverflow(length)) }
      guard record.bytes.count == TapeFormat.payloadHeaderSize + (Int(length) + 7) & ~7 else {
        throw error(.recordSize(size: record.bytes.count, kind: record.kind))
      }
      if record.kind == 64 { try checkRange(record.word(8), length) }
    case 65, 66, 67, 73, 74: try checkRange(record.word(8), record.word(16))
    case 68:
      try checkRange(record.word(8), record.word(16))
      try checkRange(record.word(24), record.word(32))
    default: break
    }
  }

  private func checkRange(_ address: UInt64, _ length: UInt64) throws(TapeError) {
    guard !address.addingReportingOverflow(length).overflow else { throw error(.lengthOverflow(length)) }
  }
}

extension Record {
  /// The 64-bit word at byte `offset` of the record.
  func word(_ offset: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }

  /// The head of an event. - Precondition: `isHead`.
  public var head: EventHead {
    var raw = bis_event()
    withUnsafeMutableBytes(of: &raw) { $0.copyMemory(from: bytes) }
    guard let kind = EventKind(rawValue: kind) else { preconditionFailure("record of kind \(kind) is no event") }
    return EventHead(
      kind, number: raw.nr, flags: EventFlags(rawValue: flags), effectCount: effectCount, tid: raw.tid,
      stamp: raw.stamp, tsc: raw.tsc, ticks: raw.ticks, rip: raw.rip, value: raw.value, value2: raw.value2,
      registers: raw.registers, arguments: SixWords(raw.args))
  }

  /// An effect, with at most `payloadLimit` bytes of its payload. - Precondition: not `isHead`.
  public func effect(payloadLimit: Int = .max) -> Effect {
    switch EffectKind(rawValue: kind) {
    case .memory: return .memory(address: word(8), payload(payloadLimit))
    case .extendedState: return .extendedState(payload(payloadLimit))
    case .signalInfo: return .signalInfo(payload(payloadLimit))
    case .map:
      let raw = bytes.loadUnaligned(as: bis_effect_map.self)
      return .map(
        Mapping(
          address: raw.address, length: raw.length, protection: raw.prot, flags: raw.flags,
          file: raw.file < 0 ? nil : UInt64(raw.file), offset: raw.offset))
    case .unmap: return .unmap(address: word(8), length: word(16))
    case .protect: return .protect(address: word(8), length: word(16), protection: word(24))
    case .remap:
      return .remap(oldAddress: word(8), oldLength: word(16), newAddress: word(24), newLength: word(32))
    case .process: return .process(tape: word(8), pid: word(16))
    case .registers:
      return .registers(
        RegisterValues(
          general: (0..<16).map { word(8 + 8 * $0) }, rip: word(136), rflags: word(144), fsBase: word(152),
          gsBase: word(160)))
    case .advise: return .advise(address: word(8), length: word(16), advice: word(24))
    case .bases: return .bases(fs: word(8), gs: word(16))
    case .output: return .output(stream: word(8), payload(payloadLimit))
    case .thread: return .thread(tid: word(8), stack: word(16), fs: word(24))
    case .name: return .name(word(8), word(16))
    case .limit: return .limit(resource: word(8), soft: word(16))
    case .checksumRange: return .checksumRange(address: word(8), length: word(16), checksum: word(24))
    case nil: preconditionFailure("record of kind \(kind) is no effect")
    }
  }

  private func payload(_ limit: Int) -> Payload {
    let length = Int(word(16))
    let range = TapeFormat.payloadHeaderSize..<TapeFormat.payloadHeaderSize + length
    return Payload(prefixOf: UnsafeRawBufferPointer(rebasing: bytes[range]), limit: limit)
  }
}
