// What a killed recorder left in the rings file.
import Glibc
import Tape

/// A segment of a ring that may hold events which no tape file has.
struct LeftoverSegment: Sendable {
  var header: SegmentHeader
  /// Where its records begin, bytes from the start of the rings file.
  var offset: UInt64
}

/// The rings file of a trace: slots of `BIS_WINDOW_SIZE` bytes. Slot 0 is what the processes share; each other one is
/// a process's control block and `BIS_SEGMENT_COUNT` segments.
final class RingsFile {
  /// Bytes that are looked at: 65,536 processes at once.
  private static let maximumSize = UInt64(TapeFormat.windowSize) << 16
  private let file: OwnedFile
  /// The segments in use, by tape, in the order of their sequence numbers.
  let segments: [UInt64: [LeftoverSegment]]

  /// Opens the rings of a trace; nil when there are none.
  init?(_ trace: TraceDirectory) throws(TraceError) {
    guard let file = try OwnedFile.openIfThere(trace.ringsPath, O_RDONLY) else { return nil }
    var found: [UInt64: [LeftoverSegment]] = [:]
    let size = min(try file.regularSize(), Self.maximumSize)
    let slotSize = UInt64(TapeFormat.windowSize)
    let segmentSize = UInt64(TapeFormat.segmentSize)
    var bytes = [UInt8](repeating: 0, count: SegmentHeader.size)
    var slot = slotSize  // slot 0 holds struct bis_shared
    while slot + slotSize <= size {
      for number in 0..<UInt64(TapeFormat.segmentCount) {
        let offset = slot + UInt64(TapeFormat.controlSize) + number * segmentSize
        let header = try bytes.withMutableBytes { (raw) throws(TraceError) in
          let count = try file.read(at: offset, into: raw)
          return SegmentHeader(bytes: UnsafeRawBufferPointer(rebasing: raw[..<count]))
        }
        guard let header else { continue }
        found[header.tape, default: []].append(
          LeftoverSegment(header: header, offset: offset + UInt64(SegmentHeader.size)))
      }
      slot += slotSize
    }
    self.file = file
    segments = found.mapValues { $0.sorted { $0.header.sequence < $1.header.sequence } }
  }

  /// The records of a segment.
  func content(_ segment: LeftoverSegment) throws(TraceError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(segment.header.committed))
    let count = try bytes.withMutableBytes { (raw) throws(TraceError) in
      try file.read(at: segment.offset, into: raw)
    }
    bytes.removeSubrange(count...)
    return bytes
  }
}
