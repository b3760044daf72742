// What can be wrong with the bytes of a tape.

/// A defect found in the bytes of a tape. Bytes from a tape never trap: they throw this.
public struct TapeError: Error, Equatable, Sendable {
  /// Where: bytes from the start of what was decoded (a file, or the content of a chunk: `kind` tells which).
  public var offset: Int
  /// What.
  public var kind: Kind

  /// Makes an error that points to byte `offset`.
  public init(offset: Int, kind: Kind) {
    self.offset = offset
    self.kind = kind
  }

  /// The defects, first of records (offsets within a chunk's content), then of chunks and files (offsets within the file).
  public enum Kind: Equatable, Sendable {
    /// A record's size is not a multiple of 8.
    case recordUnaligned(size: Int)
    /// A record's size is not the one its kind and its length field ask for.
    case recordSize(size: Int, kind: UInt8)
    /// A record does not end within the bytes where it must.
    case recordCut(size: Int)
    /// A kind that this version does not know.
    case unknownKind(UInt8)
    /// A length field beyond `BIS_MEMORY_CHUNK`, or an address range that wraps around.
    case lengthOverflow(UInt64)
    /// An effect where an event must begin.
    case effectWithoutEvent(kind: UInt8)
    /// An event begins although the one before lacks `missing` effects.
    case eventInsideEvent(missing: Int)

    /// Not a tape, chunk, index or trailer.
    case badMagic
    /// A format version this program cannot read.
    case unsupportedVersion(UInt32)
    /// Recorded on another architecture or byte order.
    case wrongArchitecture(UInt32)
    /// A header's checksum is wrong.
    case headerChecksum
    /// A payload's checksum is wrong.
    case payloadChecksum
    /// The file ends within its own header.
    case fileTooShort
    /// A declared size beyond the format's limits, in bytes.
    case sizeLimit(UInt64)
    /// A header belongs to another place: sequence number, tape number, event index or open effects do not continue.
    case outOfOrder(expected: UInt64, found: UInt64)
    /// zstd refused the payload, or it has another length than declared.
    case decompression
    /// A chunk's header does not describe its records.
    case contentMismatch
    /// The index does not describe the file.
    case indexMismatch
    /// Bytes follow where the file must end.
    case trailingBytes
  }
}

extension TapeError: CustomStringConvertible {
  /// For people: what and where.
  public var description: String { "\(kind) at byte \(offset)" }
}
