import CABI
import Guest
import Linux
import Tape
import Trace

/// One process's tape while it is recorded: the ring's segments become chunks, and the supervisor's own events go
/// into the ring between the runtime's.
///
/// While a thread writes a full segment to the file the process fills another one. What is in no file yet is found in the
/// segments (`RingsFile`), in the order of their sequence numbers.
final class TapeSink {
  let number: UInt64
  private let slot: Slot
  private let rings: Rings
  private let file: TapeFile
  private let maker: ChunkMaker
  private(set) var isFinished = false

  init(number: UInt64, slot: Slot, rings: Rings, trace: TraceDirectory, maker: ChunkMaker) throws(TraceError) {
    self.number = number
    self.maker = maker
    self.slot = slot
    self.rings = rings
    file = TapeFile(try TapeFileWriter(creating: number, in: trace))
    let block = slot.control.block
    block.pointee.tape = number
    block.pointee.event_count = 0
    beginSegment(0, sequence: 0)
  }

  private var control: Control { slot.control }

  private func beginSegment(_ number: UInt64, sequence: UInt64) {
    let block = control.block
    block.pointee.segment = number
    block.pointee.ring_pos = UInt64(BIS_SEGMENT_HEADER)
    block.pointee.ring_end = UInt64(BIS_RECORD_SEGMENT)
    SegmentHeader(tape: self.number, sequence: sequence).write(to: control.segment)
  }

  private var content: UnsafeRawBufferPointer {
    let start = Int(BIS_SEGMENT_HEADER)
    return UnsafeRawBufferPointer(
      start: control.segment + start, count: Int(control.block.pointee.ring_pos) - start)
  }

  /// What the segment holds becomes a chunk of the tape, now or soon; a segment begins anew.
  func flush() throws(TraceError) {
    guard !content.isEmpty else { return }
    let sequence = try file.progress().sequence + 1
    let segment = control.block.pointee.segment
    if let thread = maker.segmentThread(), rings.allocateSecondSegment(slot) {
      commitSegment()  // (an event may go on in the next one)
      file.hand(over: content, to: thread)
      beginSegment(1 - segment, sequence: sequence)
    } else {
      try file.append(content, encoder: &maker.encoder)
      beginSegment(segment, sequence: sequence)
    }
  }

  /// Writes an event as the supervisor; the process must be stopped. Stamp, time, ticks and tid are filled in.
  func append(_ event: EventHead, _ effects: [Effect] = [], ticks: UInt64? = nil) throws(TraceError) {
    var head = event
    head.stamp = rings.takeStamp()
    head.tsc = Machine.tsc()
    head.ticks = ticks ?? control.ticks
    head.tid = UInt32(truncatingIfNeeded: control.block.pointee.tid)
    head.effectCount = UInt16(effects.count)
    try put { $0.event(head) }
    for effect in effects { try put { $0.effect(effect) } }
    commitSegment()
    control.block.pointee.event_count += 1
  }

  /// All that the segment holds is to be found in it when bis is killed.
  private func commitSegment() {
    SegmentHeader.commit(control.block.pointee.ring_pos - UInt64(BIS_SEGMENT_HEADER), in: control.segment)
  }

  private func put(_ body: (inout RecordWriter) -> Int?) throws(TraceError) {
    for attempt in 0..<2 {
      var writer = RecordWriter(
        buffer: UnsafeMutableRawBufferPointer(start: control.segment, count: Int(control.block.pointee.ring_end)),
        position: Int(control.block.pointee.ring_pos))
      if body(&writer) != nil {
        control.block.pointee.ring_pos = UInt64(writer.position)
        return
      }
      precondition(attempt == 0, "a record larger than a segment")
      try flush()
    }
  }

  /// Whether the last event lacks something, or the process has begun another one.
  var hasOpenEvent: Bool {
    content.isEmpty
      ? (try? file.progress())?.openEffects ?? 0 > 0 : committedEnd < control.block.pointee.ring_pos
  }

  /// The end of what is complete in the segment in use.
  private var committedEnd: UInt64 {
    let segment = UnsafeRawBufferPointer(start: control.segment, count: Int(BIS_SEGMENT_SIZE))
    return UInt64(BIS_SEGMENT_HEADER) + (SegmentHeader(bytes: segment)?.committed ?? 0)
  }

  /// The process was killed wherever it was: what it has written of an event that is not complete is taken back.
  func dropOpenEvent() throws(TraceError) {
    guard !isFinished else { return }
    let block = control.block
    let end = committedEnd
    if end < block.pointee.ring_pos { block.pointee.ring_pos = end }
    var progress = try file.progress()
    if content.isEmpty, progress.openEffects > 0 {  // (else it was completed here)
      try file.dropOpenEvent(encoder: &maker.encoder)
      progress = try file.progress()
      beginSegment(block.pointee.segment, sequence: progress.sequence)
    }
    // (It may have been killed between completing an event and counting it.)
    let records = RecordSummary.prefix(of: content, openEffects: progress.openEffects).summary
    block.pointee.event_count = progress.eventCount + UInt64(records.eventCount)
  }

  var eventCount: UInt64 { control.block.pointee.event_count }

  /// Flushes and closes the tape; returns its size in bytes.
  func finish() throws(TraceError) -> UInt64 {
    guard !isFinished else { return 0 }
    isFinished = true
    if !content.isEmpty { try file.append(content, isLast: true, encoder: &maker.encoder) }
    let size = try file.finish(encoder: &maker.encoder)
    // Only now: what is not in the file must be found in the ring.
    control.segment.storeBytes(of: 0, as: UInt64.self)
    return size
  }
}

/// Splits memory into effects of at most BIS_MEMORY_CHUNK bytes.
func memoryEffects(_ address: UInt64, _ bytes: [UInt8]) -> [Effect] {
  stride(from: 0, to: bytes.count, by: Int(BIS_MEMORY_CHUNK)).map { at in
    .memory(
      address: address + UInt64(at), Payload(Array(bytes[at..<min(at + Int(BIS_MEMORY_CHUNK), bytes.count)])))
  }
}
