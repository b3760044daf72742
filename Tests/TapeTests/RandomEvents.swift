// Random but reproducible events. Also linked into TraceTests and Fuzz.
import Tape

/// SplitMix64.
struct Random: RandomNumberGenerator {
  var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
  /// An address or length that does not wrap around when two are added.
  mutating func word() -> UInt64 { next() >> (1 + next() % 60) }
  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 33) & 15 } }
}

func randomEffect(_ random: inout Random, payload: Int) -> Effect {
  switch random.below(13) {
  case 0:
    return .map(
      Mapping(
        address: random.word(), length: random.word(), protection: 5, flags: 2, file: random.below(2) == 0 ? nil : 7,
        offset: random.next()))
  case 1: return .unmap(address: random.word(), length: random.word())
  case 2: return .protect(address: random.word(), length: random.word(), protection: random.next())
  case 3:
    return .remap(
      oldAddress: random.word(), oldLength: random.word(), newAddress: random.word(), newLength: random.word())
  case 4: return .process(tape: random.next(), pid: random.next())
  case 5:
    return .registers(
      RegisterValues(
        general: (0..<16).map { _ in random.next() }, rip: random.next(), rflags: 0x246, fsBase: random.next(),
        gsBase: 0))
  case 6: return .extendedState(Payload(random.bytes(random.below(payload))))
  case 7: return .signalInfo(Payload(random.bytes(128)))
  case 8: return .checksumRange(address: random.word(), length: random.word(), checksum: random.next())
  case 9: return .advise(address: random.word(), length: random.word(), advice: 4)
  case 15: return .name(random.next(), random.next())
  case 11: return .thread(tid: random.next(), stack: random.next(), fs: random.next())
  case 10: return .bases(fs: random.next(), gs: random.next())
  default: return .memory(address: random.word(), Payload(random.bytes(random.below(payload))))
  }
}

/// `count` events with up to `effects` effects each and payloads below `payload` bytes; stamps ascend.
func randomEvents(_ random: inout Random, count: Int, effects: Int = 4, payload: Int = 200) -> [Event] {
  (0..<count).map { index in
    let list = (0..<random.below(effects + 1)).map { _ in randomEffect(&random, payload: payload) }
    let kinds: [EventKind] = [.systemCall, .cpu, .signal, .start, .checksum, .vforkLeave, .threadSwitch, .page]
    let head = EventHead(
      kinds[random.below(kinds.count)], number: UInt32(random.below(400)),
      flags: EventFlags(rawValue: UInt8(random.below(64))), effectCount: UInt16(list.count), tid: 42,
      stamp: UInt64(index) * 3 + 1, tsc: UInt64(index) * 1000, ticks: random.next(), rip: random.next(),
      value: random.next(), value2: random.next(), registers: random.next())
    return Event(index: UInt64(index), head: head, effects: list)
  }
}

/// The records of events, in segments of at most `segment` bytes; a record never straddles two.
func segments(of events: [Event], segment: Int = 1 << 18, padded: Bool = false) -> [[UInt8]] {
  var out: [[UInt8]] = []
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: segment, alignment: 64)
  defer { buffer.deallocate() }
  var writer = RecordWriter(buffer: buffer)
  func flush() {
    if padded { writer.pad() }
    out.append(Array(buffer[..<writer.position]))
    writer = RecordWriter(buffer: buffer)
  }
  for event in events {
    if writer.event(event.head) == nil {
      flush()
      writer.event(event.head)
    }
    for effect in event.effects where writer.effect(effect) == nil {
      flush()
      writer.effect(effect)
    }
  }
  flush()
  return out
}

/// A whole tape file.
func tapeFile(tape: UInt64 = 3, segments: [[UInt8]], finished: Bool = true) -> [UInt8] {
  var encoder = ChunkEncoder()
  var index = TapeIndex(tape: tape)
  var progress = TapeProgress(tape: tape)
  var out = TapeFileHeader(tape: tape).bytes
  for segment in segments {
    segment.withUnsafeBytes { bytes in
      guard let chunk = try? encoder.encode(bytes, progress: &progress) else { fatalError("bad test records") }
      out += chunk.bytes
      index.add(chunk.header)
    }
  }
  return finished ? out + index.footer(encoder: &encoder) : out
}
