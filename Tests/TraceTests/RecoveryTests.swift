import Glibc
import Tape
import Testing

@testable import Trace

/// A rings file with `segments` (tape, sequence, records), four to a slot.
private func writeRings(_ trace: TraceDirectory, _ segments: [(tape: UInt64, sequence: UInt64, records: [UInt8])])
  throws
{
  let slots = 1 + (segments.count + 3) / 4
  var bytes = [UInt8](repeating: 0, count: slots * TapeFormat.windowSize)
  for (number, segment) in segments.enumerated() {
    let offset = (1 + number / 4) * TapeFormat.windowSize + TapeFormat.controlSize + number % 4 * TapeFormat.segmentSize
    bytes.withUnsafeMutableBytes { raw in
      let room = UnsafeMutableRawBufferPointer(rebasing: raw[offset..<offset + TapeFormat.segmentSize])
      SegmentHeader(tape: segment.tape, sequence: segment.sequence, committed: UInt64(segment.records.count)).write(
        to: room)
      for (at, byte) in segment.records.enumerated() { room[64 + at] = byte }
    }
  }
  try OwnedFile.open(trace.ringsPath, O_WRONLY | O_CREAT | O_TRUNC).writeAll(bytes)
}

private func manifest(_ trace: TraceDirectory) throws -> ManifestWriter {
  let writer = try ManifestWriter(trace, recording: Manifest.Recording())
  for number: UInt64 in [0, 1] {
    try writer.add(Manifest.TapeInfo(number: number, pid: 10, origin: .exec, executable: "/x", arguments: ["x"]))
  }
  return writer
}

@Suite struct RecoveryTests {
  /// The first `written` segments are in the file (with `torn` bytes of the next), all of the last four in the rings.
  @Test(arguments: [(4, 0), (5, 0), (4, 100), (6, 7), (8, 0)])
  func `what the rings hold is read and put on disk`(written: Int, torn: Int) throws {
    let scratch = Scratch()
    let trace = try scratch.store.create(program: "x")
    var random = Random(UInt64(written * 1000 + torn))
    let events = randomEvents(&random, count: 400, effects: 4, payload: 400)
    var parts = segments(of: events, segment: 8192)
    parts = Array(parts.prefix(8))
    #expect(parts.count == 8)
    _ = try manifest(trace)
    var file = tapeFile(tape: 1, segments: Array(parts.prefix(written)), finished: false)
    if torn > 0 {
      let longer = tapeFile(tape: 1, segments: Array(parts.prefix(written + 1)), finished: false)
      file = Array(longer.prefix(file.count + torn))
    }
    try OwnedFile.open(trace.tapePath(1), O_WRONLY | O_CREAT).writeAll(file)
    var rings = (4..<8).map { (tape: UInt64(1), sequence: UInt64($0), records: parts[$0]) }
    rings.swapAt(0, 2)
    rings.append((tape: 0, sequence: 0, records: parts[0]))
    try writeRings(trace, rings)

    let before = try allEvents(TapeFileReader(trace, tape: 1))
    expectPrefix(before, of: events)
    let complete = try parts.flatMap { $0 }.withBytes { (raw) throws(TapeError) in
      var decoder = EventDecoder(bytes: raw)
      var count = 0
      while try decoder.next() != nil { count += 1 }
      return count
    }
    #expect(before.count == complete + 1)

    let result = try trace.recover()
    #expect(result.map(\.tape) == [0, 1])
    #expect(result[1].eventCount == UInt64(before.count) && !result[1].isComplete)
    let reader = try TapeFileReader(trace, tape: 1)
    #expect(!reader.isRecovered)
    #expect(try allEvents(reader) == before)
    expectPrefix(try allEvents(TapeFileReader(trace, tape: 0)), of: events)
    #expect(fileStatus(trace.ringsPath) == nil)
    let known = try Manifest.read(trace)
    #expect(known.tapes.allSatisfy { $0.end?.outcome == .lost } && known.outcome == .lost)
    #expect(try trace.recover() == [])
    #expect(try Manifest.read(trace) == known)
  }

  @Test func `a segment cut at any record is recovered up to it`() throws {
    let scratch = Scratch()
    let trace = try scratch.store.create(program: "x")
    var random = Random(3)
    let events = randomEvents(&random, count: 12, effects: 2, payload: 30)
    let records = segments(of: events)[0]
    var most = 0
    for length in stride(from: 0, through: records.count, by: 8) {
      try writeRings(trace, [(tape: 1, sequence: 0, records: Array(records.prefix(length)))])
      let found = try allEvents(TapeFileReader(trace, tape: 1))
      expectPrefix(found, of: events)
      #expect(found.count >= most)
      most = found.count
    }
    #expect(most == 13)
  }

  @Test func `damage in a ring keeps what is before it`() throws {
    let scratch = Scratch()
    let trace = try scratch.store.create(program: "x")
    var random = Random(4)
    let events = randomEvents(&random, count: 50)
    var records = segments(of: events)[0]
    // From the beginning of a record: inside a payload nothing could tell.
    let damage = try records.withUnsafeBytes { bytes in
      var cursor = RecordCursor(bytes: bytes)
      while cursor.offset < bytes.count / 2 { _ = try cursor.next() }
      return cursor.offset
    }
    for at in damage..<damage + 300 { records[at] = 0xCC }
    try writeRings(trace, [(tape: 1, sequence: 0, records: records)])
    let found = try allEvents(TapeFileReader(trace, tape: 1))
    expectPrefix(found, of: events)
    #expect(found.count > 10 && found.count < 50)
    #expect(found.last?.head.number == LostReason.damaged.rawValue)
  }

  @Test func `a tape that ended is not lost`() throws {
    let scratch = Scratch()
    let trace = try scratch.store.create(program: "x")
    _ = try manifest(trace)
    let end = Event(index: 0, head: EventHead(.exit, number: 1, value: 9))
    try writeRings(trace, [(tape: 1, sequence: 0, records: segments(of: [end])[0])])
    #expect(try allEvents(TapeFileReader(trace, tape: 1)) == [end])
    #expect(try trace.recover() == [RecoveredTape(tape: 1, recoveredEvents: 1, eventCount: 1, isComplete: true)])
    #expect(try Manifest.read(trace).tape(1)?.end?.outcome == .signalled(9))
  }

  @Test func `a recording under way is left alone`() throws {
    let scratch = Scratch()
    let trace = try scratch.store.create(program: "x")
    let writer = try manifest(trace)
    #expect(throws: TraceError.busy(path: trace.path)) { try trace.recover() }
    #expect(throws: TraceError.busy(path: trace.path)) { try scratch.store.remove(trace) }
    withExtendedLifetime(writer) {}
  }
}
