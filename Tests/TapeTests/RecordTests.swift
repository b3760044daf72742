import CABI
import Testing

@testable import Tape

private func decode(_ bytes: [UInt8]) throws -> (events: [Event], incomplete: Bool, length: Int) {
  try bytes.withUnsafeBytes { raw in
    var decoder = EventDecoder(bytes: raw)
    var events: [Event] = []
    while let event = try decoder.next() { events.append(event) }
    return (events, decoder.isIncomplete, decoder.completeLength)
  }
}

/// What `bytes` throw, nil if nothing.
private func defect(_ bytes: [UInt8]) -> TapeError.Kind? {
  do {
    _ = try decode(bytes)
    return nil
  } catch {
    return (error as? TapeError)?.kind
  }
}

private func record(size: UInt32, kind: UInt8, effects: UInt16 = 0, words: [UInt64] = []) -> [UInt8] {
  var out: [UInt8] = []
  out.append(word: size)
  out.append(kind)
  out.append(0)
  out.append(word: effects)
  for word in words { out.append(word: word) }
  return out
}

private let zeros = [UInt64](repeating: 0, count: 14)

@Suite struct RecordTests {
  @Test func `values agree with the binary contract`() {
    #expect(TapeFormat.headSize == 120 && TapeFormat.smallestHeadSize == 72)
    #expect(MemoryLayout<bis_effect_memory>.size == TapeFormat.payloadHeaderSize)
    #expect(UInt32(EventKind.lost.rawValue) == BIS_KIND_LOST.rawValue)
    #expect(UInt32(EventKind.systemCall.rawValue) == BIS_KIND_SYSCALL.rawValue)
    #expect(UInt32(EffectKind.memory.rawValue) == BIS_KIND_MEMORY.rawValue)
    #expect(UInt32(EffectKind.checksumRange.rawValue) == BIS_KIND_CHECKSUM_RANGE.rawValue)
    #expect(UInt32(EffectKind.thread.rawValue) == BIS_KIND_THREAD.rawValue)
    #expect(UInt32(EventKind.threadSwitch.rawValue) == BIS_KIND_SWITCH.rawValue)
    #expect(UInt32(EventKind.page.rawValue) == BIS_KIND_PAGE.rawValue)
    #expect(UInt32(EventFlags.threadEnd.rawValue) == BIS_FLAG_THREAD_END.rawValue)
    #expect(UInt32(EffectKind.bases.rawValue) == BIS_KIND_BASES.rawValue)
    #expect(UInt32(EventFlags.atEntry.rawValue) == BIS_FLAG_AT_ENTRY.rawValue)
    #expect(SegmentHeader.magic == UInt64(BIS_SEGMENT_MAGIC))
    #expect(SegmentHeader.size == MemoryLayout<bis_segment_header>.size)
    #expect(UInt32(EventFlags.noReturn.rawValue) == BIS_FLAG_NO_RETURN.rawValue)
    #expect(UInt32(EventFlags.supervisor.rawValue) == BIS_FLAG_SUPERVISOR.rawValue)
    #expect(TapeFormat.windowSize == TapeFormat.controlSize + TapeFormat.segmentCount * TapeFormat.segmentSize)
  }

  @Test func `C reads what the writer writes`() {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    defer { buffer.deallocate() }
    var writer = RecordWriter(buffer: buffer)
    let at = writer.event(
      EventHead(
        .signal, number: 11, flags: .asynchronous, tid: 9, stamp: 1, tsc: 2, ticks: 3, rip: 4, value: 5, value2: 6,
        registers: 7))
    writer.setEffectCount(2, at: at!)
    let map = writer.map(Mapping(address: 1, length: 2, protection: 3, flags: 4, file: nil, offset: 5))
    let process = writer.effect(.process(tape: 8, pid: 9))
    let event = buffer.loadUnaligned(fromByteOffset: at!, as: bis_event.self)
    #expect(event.h.size == 120 && event.h.kind == 3 && event.h.flags == 16 && event.h.effects == 2)
    #expect(
      [event.stamp, event.tsc, event.ticks, event.rip, event.value, event.value2, event.registers] == Array(1...7))
    #expect(event.nr == 11 && event.tid == 9)
    let mapping = buffer.loadUnaligned(fromByteOffset: map!, as: bis_effect_map.self)
    #expect(mapping.prot == 3 && mapping.flags == 4 && mapping.file == -1 && mapping.offset == 5)
    #expect(buffer.loadUnaligned(fromByteOffset: process!, as: bis_effect_process.self).pid == 9)
  }

  @Test(arguments: 0..<20) func `random events come back`(seed: UInt64) throws {
    var random = Random(seed)
    let events = randomEvents(&random, count: 200)
    let bytes = segments(of: events, padded: seed % 2 == 0).flatMap { $0 }
    let decoded = try decode(bytes)
    #expect(decoded.events == events)
    #expect(!decoded.incomplete)
  }

  @Test func `a cut anywhere gives the complete events before it`() throws {
    var random = Random(5)
    let events = randomEvents(&random, count: 30, payload: 40)
    let bytes = segments(of: events)[0]
    var ends: [Int] = [0]
    for count in 1...events.count { ends.append(segments(of: Array(events.prefix(count)))[0].count) }
    for length in 0...bytes.count {
      let decoded = try decode(Array(bytes.prefix(length)))
      let complete = ends.lastIndex { $0 <= length }!
      #expect(decoded.events == Array(events.prefix(complete)))
      #expect(decoded.length == ends[complete])
      #expect(decoded.incomplete == (length != ends[complete]))
    }
  }

  @Test func `a writer without room writes nothing`() {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128, alignment: 8)
    defer { buffer.deallocate() }
    var writer = RecordWriter(buffer: buffer)
    #expect(writer.event(EventHead(.cpu)) == 0)
    #expect(writer.event(EventHead(.cpu)) == nil)
    #expect(writer.reserveMemory(address: 0, length: 1) == nil)
    #expect(writer.position == 120)
    writer.pad()
    #expect(writer.available == 0)
  }

  @Test func `hostile records are errors`() {
    #expect(defect(record(size: 12, kind: 1, words: zeros)) == .recordUnaligned(size: 12))
    #expect(defect(record(size: 0, kind: 1, words: zeros)) == .recordSize(size: 0, kind: 1))
    #expect(defect(record(size: 0, kind: 0, words: zeros)) == .recordSize(size: 0, kind: 0))
    #expect(defect(record(size: 64, kind: 1, words: zeros)) == .recordSize(size: 64, kind: 1))
    #expect(defect(record(size: 0xFFFF_FFF8, kind: 0)) == .recordSize(size: 0xFFFF_FFF8, kind: 0))
    #expect(defect(record(size: 120, kind: 12, words: zeros)) == .unknownKind(12))
    #expect(defect(record(size: 120, kind: 80, words: zeros)) == .unknownKind(80))
    #expect(defect(record(size: 24, kind: 64, words: [0, 0])) == .effectWithoutEvent(kind: 64))
    let head = record(size: 120, kind: 1, effects: 1, words: zeros)
    #expect(defect(head + record(size: 120, kind: 1, words: zeros)) == .eventInsideEvent(missing: 1))
    #expect(defect(head + record(size: 24, kind: 64, words: [0, .max])) == .lengthOverflow(.max))
    #expect(defect(head + record(size: 24, kind: 64, words: [0, 1])) == .recordSize(size: 24, kind: 64))
    #expect(defect(head + record(size: 32, kind: 64, words: [0, 0, 0])) == .recordSize(size: 32, kind: 64))
    #expect(defect(head + record(size: 32, kind: 64, words: [.max, 8, 0])) == .lengthOverflow(8))
    #expect(defect(head + record(size: 32, kind: 66, words: [.max, 8, 0])) == .lengthOverflow(8))
    #expect(defect(head + record(size: 16, kind: 66, words: [0])) == .recordSize(size: 16, kind: 66))
  }

  @Test func `a head tells as many arguments as its size has room for`() throws {
    #expect(defect(record(size: 128, kind: 1, words: zeros + [0])) == .recordSize(size: 128, kind: 1))
    let words = (1...8).map { UInt64($0) } + [77, 88]
    let bytes = record(size: 88, kind: 1, words: words)
    try bytes.withUnsafeBytes {
      var cursor = RecordCursor(bytes: $0)
      let head = try #require(try cursor.next()).head
      #expect(head.registers == 8)
      #expect(head.arguments.array == [77, 88, 0, 0, 0, 0])
    }
  }

  @Test func `a payload limit keeps lengths`() throws {
    let events = [
      Event(index: 0, head: EventHead(.cpu, effectCount: 1), effects: [.memory(address: 1, Payload([1, 2, 3]))])
    ]
    try segments(of: events)[0].withUnsafeBytes { bytes in
      var decoder = EventDecoder(bytes: bytes, payloadLimit: 2)
      guard case .memory(_, let payload) = try decoder.next()?.effects[0] else {
        Issue.record("no memory")
        return
      }
      #expect(payload.length == 3 && payload.bytes == [1, 2] && !payload.isComplete)
    }
  }

  @Test func `random bytes never trap`() {
    var random = Random(99)
    var seed = segments(of: randomEvents(&random, count: 10))[0]
    for _ in 0..<20_000 {
      let at = random.below(seed.count)
      let old = seed[at]
      seed[at] = UInt8(truncatingIfNeeded: random.next())
      _ = defect(Array(seed.prefix(random.below(seed.count + 1))))
      if random.below(4) > 0 { seed[at] = old }
    }
  }
}
