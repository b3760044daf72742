import Testing

@testable import RSP

/// SplitMix64.
private struct Random {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
  mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }
}

private let seeds = [
  "qSupported:multiprocess+;swbreak+", "Hgpa.b", "Hcp-1.-1", "qThreadExtraInfo,pa.a", "g", "p10", "P0=0102030405060708",
  "m1000,10", "x1000,10", "M1010,2:2a23", "X1020,2:ab", "qSearch:memory:1000;1000;ab", "qCRC:1000,100",
  "vCont;s:pa.a;c",
  "vCont;r1000,1005:pa.-1", "vCont;C1e:-1", "c", "S05", "bc", "bs", "Z0,1005,1;X7,26000022051327", "Z2,1100,4",
  "z0,1005,1",
  "QPassSignals:e;1e", "QCatchSyscalls:1;27;3", "QThreadEvents:1", "qXfer:features:read:target.xml:0,400",
  "qXfer:osdata:read:processes:ffff,1", "vFile:open:2f746f79,0,0", "vFile:pread:3,100,0", "vFile:fstat:3",
  "vFile:close:3",
  "vFile:readlink:2f", "vFile:setfs:1", "qRcmd,68656c6c6f", "vRun;2f", "vKill;a", "D;a", "QNonStop:0", "Tpa.a", "?",
  "!",
  "qfThreadInfo", "qsThreadInfo", "k", "R00", "qAttached:a", "QStartNoAckMode",
]

extension Random {
  /// A packet that is nearly right, or noise.
  mutating func packet() -> [UInt8] {
    if below(10) == 0 { return (0..<below(40)).map { _ in byte() } }
    var packet = Array(seeds[below(seeds.count)].utf8)
    for _ in 0..<below(4) {
      let place = below(packet.count + 1)
      switch below(6) {
      case 0: packet.insert(byte(), at: place)
      case 1: packet.insert(Array(":;,.-p0f}#*x".utf8)[below(12)], at: place)
      case 2 where place < packet.count: packet[place] = byte()
      case 3 where place < packet.count: packet.remove(at: place)
      case 4: packet.removeSubrange(place...)
      default: packet.insert(contentsOf: Array("ffffffffffffffff".utf8).prefix(1 + below(16)), at: place)
      }
    }
    return packet
  }
}

/// Plays what gdb sends, in fragments, and keeps what comes back.
private final class Script: Connection {
  var parts: [[UInt8]]
  var written: [UInt8] = []
  init(_ parts: [[UInt8]]) { self.parts = parts.reversed() }
  func read(timeoutMilliseconds: Int?) -> ConnectionInput {
    if timeoutMilliseconds != nil { return .nothing }
    return parts.popLast().map { .bytes($0) } ?? .closed
  }
  func write(_ bytes: [UInt8]) -> Bool {
    written += bytes
    return true
  }
}

@Suite struct FuzzTests {
  @Test(arguments: 0..<4) func `no packet traps or hangs`(seed: Int) {
    var random = Random(state: UInt64(seed))
    var session = ToySession()
    for number in 0..<10_000 {
      if number % 50 == 0 {
        session = ToySession(client: number % 100 == 0 ? ToySession.standardClient : "error-message+")
      }
      let reply = session.session.handle(random.packet())
      #expect(reply.map { !$0.contains(UInt8(ascii: "#")) && !$0.contains(UInt8(ascii: "$")) } ?? true)
    }
  }

  @Test(arguments: 0..<4) func `a line of noise gets at most one reply a packet`(seed: Int) {
    var random = Random(state: UInt64(100 + seed))
    for _ in 0..<200 {
      var stream: [UInt8] = []
      for _ in 0..<30 {
        switch random.below(8) {
        case 0: stream += (0..<random.below(10)).map { _ in random.byte() }
        case 1: stream += [[0x03], [0x2b], [0x2d], [0x24]][random.below(4)]
        default: stream += encodePacket(random.packet())
        }
      }
      var decoder = PacketDecoder(maximumSize: Session.maximumPacketSize)
      let events = decoder.decode(stream)
      let askable = events.filter { $0 != .acknowledged && $0 != .interrupt }
      var parts: [[UInt8]] = []
      while !stream.isEmpty {
        let count = min(stream.count, 1 + random.below(50))
        parts.append(Array(stream.prefix(count)))
        stream.removeFirst(count)
      }
      let script = Script(parts)
      serve(script, Toy())
      var reader = PacketDecoder(maximumSize: 1 << 20)
      let replies = reader.decode(script.written)
      let packets = replies.filter {
        if case .packet(let payload) = $0 {
          payload.first != UInt8(ascii: "O") || payload == Array("OK".utf8)
        } else {
          false
        }
      }
      #expect(packets.count <= askable.count)
      #expect(!replies.contains(.damaged))
    }
  }

  @Test func `random conditions end`() {
    var random = Random(state: 7)
    let toy = Toy()
    for _ in 0..<20_000 {
      let code = (0..<random.below(24)).map { _ in random.below(3) == 0 ? random.byte() : UInt8(random.below(0x35)) }
      _ = Breakpoint(kind: .software, address: 0, conditions: [AgentExpression(code: code)]).holds(in: toy)
    }
  }

  @Test func `acknowledgements, repeats and refusals`() {
    let script = Script([
      Array("+$qC#b4".utf8), Array("-$qC#b5$QStartNoAckMode#b0+$qC#b4".utf8), Array("$qC#b5$D#44$qC#b4".utf8),
    ])
    serve(script, Toy())
    #expect(
      String(decoding: script.written, as: UTF8.self)
        == "+$QCa#f5$QCa#f5-+$OK#9a$QCa#f5$E54#ae$OK#9a")
  }

  @Test func `an interrupt stops what runs, and only that`() {
    var frame = encodePacket(Array("vCont;c".utf8))
    let script = Script([[0x03], frame + [0x03] + encodePacket(Array("vCont;c".utf8))])
    serve(script, Toy())
    let text = String(decoding: script.written, as: UTF8.self)
    #expect(text.contains("$T02thread:a;") && text.contains("$T05thread:a;replaylog:end;"), "\(text)")
    frame[1] ^= 1
    let damaged = Script([frame])
    serve(damaged, Toy())
    #expect(damaged.written == Array("-".utf8))
  }
}
