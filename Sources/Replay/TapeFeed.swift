import CABI
import Guest
import Linux
import Tape
import Trace

/// A tape's records, chunk by chunk, into the ring of the process that replays it.
final class TapeFeed {
  let tape: UInt64
  private let reader: TapeFileReader
  private var next = 0
  /// What reads the next chunk while the process uses up the one before, where there is another CPU for it.
  private let ahead: ReadAhead?
  /// The segment holds the last chunk.
  var isLast: Bool { next >= reader.chunkCount }
  var eventCount: UInt64 { reader.eventCount }

  /// - Parameter worker: for tapes that are worth it.
  init(_ trace: TraceDirectory, tape: UInt64, worker: () -> Worker?) throws(TraceError) {
    self.tape = tape
    let reader = try TapeFileReader(trace, tape: tape)
    self.reader = reader
    ahead = reader.chunkCount > 2 ? worker().map { ReadAhead(reader, $0) } : nil
  }

  private init(_ other: TapeFeed) {
    tape = other.tape
    other.ahead?.settle()
    reader = other.reader
    next = other.next
    ahead = nil
  }

  /// The same place of the same tape, for a copy of the process.
  func copy() -> TapeFeed { TapeFeed(self) }

  /// False for a process that bis was killed under before its tape had begun.
  func hasBegun() throws(TraceError) -> Bool { try reader.event(0)?.head.kind == .start }

  /// Puts the next chunk into the ring; at the end of the tape says so (`ring_end` 0).
  func fill(_ control: Control) throws(TraceError) {
    let block = control.block
    guard next < reader.chunkCount else {
      block.pointee.ring_end = 0
      block.pointee.ring_pos = 0
      return
    }
    let begun = try ahead?.records(ofChunk: next)
    let records = if let begun { begun } else { try reader.records(ofChunk: next) }
    next += 1
    let header = Int(BIS_SEGMENT_HEADER)
    guard records.count <= Int(BIS_SEGMENT_SIZE) - header else {
      throw .tape(path: "tape \(tape)", TapeError(offset: 0, kind: .indexMismatch))
    }
    block.pointee.segment = 0
    (control.segment + header).copyMemory(from: records.baseAddress!, byteCount: records.count)
    block.pointee.ring_pos = UInt64(header)
    block.pointee.ring_end = UInt64(header + records.count)
    if next < reader.chunkCount { ahead?.begin(next) }
  }
}
