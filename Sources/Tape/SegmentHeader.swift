// The first 64 bytes of every ring segment: what makes the ring readable after everything was killed.

/// `struct bis_segment_header`: { u64 magic, tape, sequence, committed, reserved[4] }.
public struct SegmentHeader: Equatable, Sendable {
  /// Bytes.
  public static let size = TapeFormat.segmentHeaderSize
  /// "BISSEG".
  public static let magic: UInt64 = 0x4745_5353_4942
  public var tape: UInt64
  /// Sequence number of the chunk that this segment's content is or will be.
  public var sequence: UInt64
  /// Bytes after the header that hold whole records.
  public var committed: UInt64

  /// Makes a header.
  public init(tape: UInt64, sequence: UInt64, committed: UInt64 = 0) {
    self.tape = tape
    self.sequence = sequence
    self.committed = committed
  }

  /// Reads the header of a segment; nil when it is not in use, or does not make sense.
  public init?(bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= Self.size, bytes.u64(0) == Self.magic else { return nil }
    tape = bytes.u64(8)
    sequence = bytes.u64(16)
    committed = bytes.u64(24)
    guard committed <= UInt64(TapeFormat.segmentSize - Self.size), committed % 8 == 0 else { return nil }
  }

  /// Takes a segment into use: writes the header to its start, the magic number last.
  /// - Precondition: at least `size` bytes.
  public func write(to segment: UnsafeMutableRawBufferPointer) {
    precondition(segment.count >= Self.size, "segment of \(segment.count) bytes")
    write(to: segment.baseAddress!)
  }

  /// The same, for a pointer to a segment of `TapeFormat.segmentSize` bytes.
  public func write(to segment: UnsafeMutableRawPointer) {
    segment.storeBytes(of: 0, toByteOffset: 0, as: UInt64.self)
    for (index, word) in [tape, sequence, committed, 0, 0, 0, 0].enumerated() {
      segment.storeBytes(of: word, toByteOffset: 8 + 8 * index, as: UInt64.self)
    }
    segment.storeBytes(of: Self.magic, toByteOffset: 0, as: UInt64.self)
  }

  /// Tells that `committed` bytes after the header of a segment in use now hold whole records: one store.
  public static func commit(_ committed: UInt64, in segment: UnsafeMutableRawPointer) {
    segment.storeBytes(of: committed, toByteOffset: 24, as: UInt64.self)
  }
}
