// The fixed structures of a tape file. Layout tables: Docs/tape-format.md.

/// The 64 bytes at the start of a tape file.
public struct TapeFileHeader: Equatable, Sendable {
  /// Bytes.
  public static let size = 64
  static let magic: UInt64 = 0x0045_5041_5453_4942  // "BISTAPE\0"

  /// The tape's number in its trace.
  public var tape: UInt64

  /// The header of tape `tape`.
  public init(tape: UInt64) { self.tape = tape }

  /// Reads a header. Offsets of errors are bytes of the file.
  public init(bytes: UnsafeRawBufferPointer) throws(TapeError) {
    guard bytes.count >= Self.size else { throw TapeError(offset: bytes.count, kind: .fileTooShort) }
    guard bytes.u64(0) == Self.magic else { throw TapeError(offset: 0, kind: .badMagic) }
    guard (TapeFormat.oldestVersion...TapeFormat.version).contains(bytes.u32(8)) else {
      throw TapeError(offset: 8, kind: .unsupportedVersion(bytes.u32(8)))
    }
    guard bytes.u32(12) == TapeFormat.architecture else {
      throw TapeError(offset: 12, kind: .wrongArchitecture(bytes.u32(12)))
    }
    guard bytes.u64(56) == xxHash64(UnsafeRawBufferPointer(rebasing: bytes[..<56])) else {
      throw TapeError(offset: 56, kind: .headerChecksum)
    }
    tape = bytes.u64(16)
  }

  /// The header as bytes.
  public var bytes: [UInt8] {
    var out: [UInt8] = []
    out.append(word: Self.magic)
    out.append(word: TapeFormat.version)
    out.append(word: TapeFormat.architecture)
    out.append(word: tape)
    for _ in 0..<4 { out.append(word: UInt64(0)) }
    out.append(word: out.withUnsafeBytes { xxHash64($0) })
    return out
  }
}

/// What a chunk is.
public struct ChunkFlags: OptionSet, Hashable, Sendable {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// Part of the index, not records.
  public static let index = ChunkFlags(rawValue: 1)
  /// The payload is the content itself, not compressed.
  public static let stored = ChunkFlags(rawValue: 2)
  /// Written by recovery from what a killed recorder left.
  public static let recovered = ChunkFlags(rawValue: 4)
}

/// The 96 bytes before every chunk's payload.
public struct ChunkHeader: Equatable, Sendable {
  /// Bytes.
  public static let size = 96
  static let magic: UInt32 = 0x4B48_4342  // "BCHK"

  public var flags: ChunkFlags = []
  public var tape: UInt64 = 0
  /// Place among the chunks of the tape, from 0.
  public var sequence: UInt64 = 0
  /// Bytes of content (records).
  public var contentSize = 0
  /// Bytes of payload that follow the header.
  public var storedSize = 0
  /// Index of the first event that begins in the chunk, or would.
  public var firstEvent: UInt64 = 0
  /// Events that begin in the chunk.
  public var eventCount = 0
  /// Where in the content the first event begins; `contentSize` if none does.
  public var firstEventOffset = 0
  /// Stamps of the first and the last event that begin; 0 if none does.
  public var firstStamp: UInt64 = 0
  public var lastStamp: UInt64 = 0
  /// Effects due, when the chunk begins, of an event that began before.
  public var openEffects = 0
  /// Effects still due when it ends.
  public var closingEffects = 0
  /// Records, PAD not counted; of an index chunk, its entries.
  public var recordCount = 0
  /// Bytes that the payload gives when decompressed, to be unfolded (Docs/tape-format.md); 0: the content itself.
  public var foldedSize = 0
  /// XXH64 of the payload.
  public var payloadChecksum: UInt64 = 0

  /// An empty header.
  public init() {}

  /// Reads a header and checks everything that can be checked without the payload. Errors are at `fileOffset`.
  public init(bytes: UnsafeRawBufferPointer, fileOffset: Int = 0) throws(TapeError) {
    func fail(_ kind: TapeError.Kind) -> TapeError { TapeError(offset: fileOffset, kind: kind) }
    guard bytes.count >= Self.size else { throw fail(.fileTooShort) }
    guard bytes.u32(0) == Self.magic else { throw fail(.badMagic) }
    guard bytes.u64(88) == xxHash64(UnsafeRawBufferPointer(rebasing: bytes[..<88])) else {
      throw fail(.headerChecksum)
    }
    flags = ChunkFlags(rawValue: bytes.u32(4))
    sequence = bytes.u64(8)
    contentSize = Int(bytes.u32(16))
    storedSize = Int(bytes.u32(20))
    firstEvent = bytes.u64(24)
    eventCount = Int(bytes.u32(32))
    firstEventOffset = Int(bytes.u32(36))
    firstStamp = bytes.u64(40)
    lastStamp = bytes.u64(48)
    payloadChecksum = bytes.u64(56)
    openEffects = Int(bytes.u32(64))
    closingEffects = Int(bytes.u32(68))
    recordCount = Int(bytes.u32(72))
    foldedSize = Int(bytes.u32(76))
    tape = bytes.u64(80)
    guard contentSize <= TapeFormat.maximumContentSize else { throw fail(.sizeLimit(UInt64(contentSize))) }
    // A payload is never longer than its content: what does not shrink is stored.
    guard storedSize <= contentSize else { throw fail(.sizeLimit(UInt64(storedSize))) }
    guard !flags.contains(.stored) || storedSize == contentSize && foldedSize == 0 else { throw fail(.contentMismatch) }
    guard foldedSize <= contentSize else { throw fail(.sizeLimit(UInt64(foldedSize))) }
    guard firstEvent < 1 << 62 else { throw fail(.sizeLimit(firstEvent)) }
  }

  /// The header as bytes, written to the first `size` bytes of `out`.
  func write(to out: UnsafeMutableRawBufferPointer) {
    func put<T: BitwiseCopyable>(_ value: T, _ offset: Int) {
      out.storeBytes(of: value, toByteOffset: offset, as: T.self)
    }
    put(Self.magic, 0)
    put(flags.rawValue, 4)
    put(sequence, 8)
    put(UInt32(contentSize), 16)
    put(UInt32(storedSize), 20)
    put(firstEvent, 24)
    put(UInt32(eventCount), 32)
    put(UInt32(firstEventOffset), 36)
    put(firstStamp, 40)
    put(lastStamp, 48)
    put(payloadChecksum, 56)
    put(UInt32(openEffects), 64)
    put(UInt32(closingEffects), 68)
    put(UInt32(recordCount), 72)
    put(UInt32(foldedSize), 76)
    put(tape, 80)
    put(xxHash64(UnsafeRawBufferPointer(rebasing: out[..<88])), 88)
  }

  /// Whether `content`, the records of this chunk, is what the header says.
  public func describes(_ summary: RecordSummary) -> Bool {
    summary.recordCount == recordCount && summary.eventCount == eventCount
      && summary.firstEventOffset == firstEventOffset && summary.firstStamp == firstStamp
      && summary.lastStamp == lastStamp && summary.closingEffects == closingEffects
      && summary.length == contentSize
  }
}

extension UnsafeRawBufferPointer {
  func u32(_ offset: Int) -> UInt32 { loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
  func u64(_ offset: Int) -> UInt64 { loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
}

extension [UInt8] {
  mutating func append<T: FixedWidthInteger>(word: T) {
    var little = word.littleEndian
    Swift.withUnsafeBytes(of: &little) { append(contentsOf: $0) }
  }
}
