import Glibc
import Tape
import Testing

@testable import Trace

/// A store in a directory of its own, deleted at the end.
final class Scratch {
  let store: TraceStore
  init() {
    var template = Array("/tmp/bis-trace-test-XXXXXX".utf8CString)
    store = TraceStore(path: template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) })
  }
  deinit {
    for name in (try? directoryNames(store.path)) ?? [] {
      let trace = TraceDirectory(path: "\(store.path)/\(name)")
      chmod(trace.path, 0o700)
      try? store.remove(trace)
      unlink(trace.path)
    }
    rmdir(store.path)
  }
}

func allEvents(_ reader: TapeFileReader, from first: UInt64 = 0) throws -> [Event] {
  var events = try reader.events(from: first)
  var out: [Event] = []
  while let next = try events.next() { out.append(next.event) }
  return out
}

/// `found` is the first events of `events`, and LOST if it is not all of them with their end.
func expectPrefix(_ found: [Event], of events: [Event], sourceLocation: SourceLocation = #_sourceLocation) {
  #expect(found.last?.head.kind == .lost, sourceLocation: sourceLocation)
  #expect(found.dropLast().elementsEqual(events.prefix(found.count - 1)), sourceLocation: sourceLocation)
}

@Suite struct TapeFileTests {
  @Test(arguments: [4096, 1 << 15, 524_224]) func `events survive the way through a file`(segment: Int) throws {
    let scratch = Scratch()
    let trace = try scratch.store.create(program: "/bin/echo")
    var random = Random(7)
    let events = randomEvents(&random, count: 3000, effects: 5, payload: 900)
    var encoder = ChunkEncoder()
    var writer = try TapeFileWriter(creating: 3, in: trace)
    for part in segments(of: events, segment: segment, padded: true) {
      try part.withBytes { (bytes) throws(TraceError) in try writer.append(bytes, encoder: &encoder) }
    }
    let size = try writer.finish(encoder: &encoder)
    #expect(fileStatus(trace.tapePath(3))?.st_size == Int(size))
    let reader = try TapeFileReader(trace, tape: 3)
    #expect(!reader.isRecovered && reader.eventCount == 3000)
    #expect(try allEvents(reader) == events)
    for at in [0, 1, 17, 1500, 2999] {
      #expect(try reader.event(UInt64(at)) == events[at])
      #expect(try allEvents(reader, from: UInt64(at)) == Array(events[at...]))
    }
    #expect(try reader.event(3000) == nil)
    let statistics = try TapeStatistics(reader)
    #expect(statistics.events.values.reduce(0) { $0 + $1.records } == 3000)
    #expect(statistics.storedBytes < statistics.contentBytes)
    #expect(try trace.tapeNumbers() == [3])
    #expect(throws: TraceError.self) { try TapeFileReader(trace, tape: 4) }
  }

  @Test func `a file cut at every byte gives complete events or a clean error`() throws {
    var random = Random(11)
    let events = randomEvents(&random, count: 24, effects: 3, payload: 60)
    let parts = segments(of: events, segment: 1024)
    let file = tapeFile(segments: parts)
    #expect(try allEvents(TapeFileReader(bytes: file, tape: 3)) == events)
    var most = 0
    for length in 0..<file.count {
      let found = try allEvents(TapeFileReader(bytes: Array(file.prefix(length)), tape: 3))
      expectPrefix(found, of: events)
      #expect(found.count >= most)
      most = max(most, found.count)
    }
    #expect(most == events.count + 1)
  }

  @Test func `10,000 random bit flips are found`() throws {
    var random = Random(13)
    let events = randomEvents(&random, count: 60, effects: 3, payload: 100)
    let file = tapeFile(segments: segments(of: events, segment: 2048))
    for _ in 0..<10_000 {
      var bytes = file
      let bit = random.below(file.count * 8)
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      do {
        let reader = try TapeFileReader(bytes: bytes, tape: 3)
        let found = try allEvents(reader)
        // Damage to the payload of the index is found, and does no harm.
        if !reader.isIndexDamaged || found != events { Issue.record("bit \(bit) of \(file.count * 8) was not found") }
      } catch is TraceError {}
    }
  }

  @Test func `another tape's file is refused`() throws {
    var random = Random(1)
    let file = tapeFile(tape: 4, segments: segments(of: randomEvents(&random, count: 3)))
    #expect(throws: TraceError.self) { try TapeFileReader(bytes: file, tape: 3) }
    #expect(throws: TraceError.self) { try TapeFileReader(bytes: file + [0], tape: 4) }
  }

  @Test func `a finished tape that ends within an event is cut`() throws {
    var random = Random(17)
    var events = randomEvents(&random, count: 50, effects: 2)
    events[49].effects = []
    events[49].head.effectCount = 2
    let found = try allEvents(TapeFileReader(bytes: tapeFile(segments: segments(of: events, segment: 1024)), tape: 3))
    #expect(found.count == 50)
    expectPrefix(found, of: events)
  }

  @Test func `an event that nobody will complete is taken back`() throws {
    var random = Random(23)
    let events = randomEvents(&random, count: 60, effects: 6, payload: 900)
    let parts = segments(of: events, segment: 2048)
    var cuts = 0
    for count in 1..<parts.count {
      let scratch = Scratch()
      let trace = try scratch.store.create(program: "/bin/echo")
      var encoder = ChunkEncoder()
      var writer = try TapeFileWriter(creating: 3, in: trace)
      for part in parts.prefix(count) {
        try part.withBytes { (bytes) throws(TraceError) in try writer.append(bytes, encoder: &encoder) }
      }
      cuts += writer.openEffects > 0 ? 1 : 0
      try writer.dropOpenEvent(encoder: &encoder)
      #expect(writer.openEffects == 0)
      for part in segments(of: Array(events[Int(writer.eventCount)...]), segment: 2048) {
        try part.withBytes { (bytes) throws(TraceError) in try writer.append(bytes, encoder: &encoder) }
      }
      let size = try writer.finish(encoder: &encoder)
      #expect(fileStatus(trace.tapePath(3))?.st_size == Int(size))
      let reader = try TapeFileReader(trace, tape: 3)
      #expect(!reader.isRecovered)
      #expect(try allEvents(reader) == events)
    }
    #expect(cuts > 10)
  }

  @Test func `a full disk is an error that says so`() throws {
    let descriptor = open("/dev/full", O_WRONLY)
    do {
      var encoder = ChunkEncoder()
      _ = try TapeFileWriter(descriptor: descriptor, path: "/dev/full", tape: 0).finish(encoder: &encoder)
      Issue.record("no error")
    } catch {
      #expect(error.isDiskFull)
    }
  }

  @Test func `damaged records of the ring are errors of the writer`() throws {
    let scratch = Scratch()
    let trace = try scratch.store.create(program: "x")
    var encoder = ChunkEncoder()
    var writer = try TapeFileWriter(creating: 0, in: trace)
    do throws(TraceError) {
      try [UInt8](repeating: 255, count: 32).withBytes { (raw) throws(TraceError) in
        try writer.append(raw, encoder: &encoder)
      }
      Issue.record("no error")
    } catch {
      guard case .tape(_, let defect) = error else { throw error }
      #expect(defect.offset == 0)
    }
    #expect(writer.sequence == 0)
  }
}
