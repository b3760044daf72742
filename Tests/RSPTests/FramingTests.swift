import Testing

@testable import RSP

private func events(_ text: String, maximumSize: Int = 100) -> [LineEvent] {
  var decoder = PacketDecoder(maximumSize: maximumSize)
  return decoder.decode(Array(text.utf8))
}

@Suite struct FramingTests {
  @Test func `packets, acknowledgements and interrupts come out in order`() {
    #expect(
      events("+$OK#9a-\u{3}$#00") == [.acknowledged, .packet(Array("OK".utf8)), .refused, .interrupt, .packet([])])
  }

  @Test func `any fragmentation gives the same`() {
    let bytes = Array("++$qC#b4\u{3}$g#67-$m1,2#2a".utf8)
    var whole = PacketDecoder(maximumSize: 100)
    let expected = whole.decode(bytes)
    for cut in 0...bytes.count {
      var decoder = PacketDecoder(maximumSize: 100)
      #expect(decoder.decode(Array(bytes[..<cut])) + decoder.decode(Array(bytes[cut...])) == expected)
    }
  }

  @Test func `what is wrong is named`() {
    #expect(events("$OK#9b") == [.damaged])
    #expect(events("$OK#zz$OK#9a") == [.damaged, .packet(Array("OK".utf8))])
    #expect(events("$OOK#e9", maximumSize: 2) == [.tooLong])
    #expect(events("$lost$OK#9a") == [.packet(Array("OK".utf8))])
    #expect(events("noise \u{4}") == [])
    #expect(events("$a\u{3}b#c6") == [.packet([0x61, 3, 0x62])])
  }

  @Test func `frames have checksums and short runs`() {
    #expect(encodePacket(Array("OK".utf8)) == Array("$OK#9a".utf8))
    #expect(encodePacket(Array("0000".utf8)) == Array("$0* #7a".utf8))
    #expect(encodePacket([]) == Array("$#00".utf8))
  }

  @Test func `a reader that knows runs gets back what was sent`() {
    for count in 1...400 {
      let payload = [UInt8](repeating: 0x30, count: count) + [0x31]
      let frame = encodePacket(payload)
      #expect(!frame.dropFirst().dropLast(3).contains { $0 == 0x23 || $0 == 0x24 })
      #expect(expanded(frame) == payload)
    }
  }

  @Test func `binary data is escaped and comes back`() {
    let bytes = (0...255).map { UInt8($0) }
    let text = escapedBinary(bytes)
    #expect(text.count == 256 + 4)
    #expect(unescapedBinary(text) == bytes)
    #expect(unescapedBinary([0x7d]) == nil)
    #expect(expanded(encodePacket(text)) == text)
  }

  @Test func `signals have gdb's numbers`() {
    #expect(
      [0, 1, 5, 7, 10, 11, 16, 17, 29, 31, 32, 33, 34, 63, 64, 65].map { gdbSignal($0) }
        == [0, 1, 5, 10, 30, 11, 143, 20, 23, 12, 77, 45, 46, 75, 78, 143])
    for signal in 0...64 where signal != 16 { #expect(linuxSignal(UInt64(gdbSignal(signal))) == signal) }
    #expect(linuxSignal(143) == nil && linuxSignal(7) == nil && linuxSignal(33) == 29)
  }
}

/// The payload of a frame, its runs written out.
private func expanded(_ frame: [UInt8]) -> [UInt8] {
  var payload: [UInt8] = []
  var body = frame.dropFirst().dropLast(3)
  while let byte = body.popFirst() {
    if byte == 0x2a, let last = payload.last, let count = body.popFirst() {
      payload += [UInt8](repeating: last, count: Int(count) - 29)
    } else {
      payload.append(byte)
    }
  }
  return payload
}
