import Testing

@testable import Tape

@Suite struct FoldingTests {
  /// What a program's loop of four calls leaves: arguments that move on, results that differ at times, memory.
  private func loop(_ turns: Int) -> [Event] {
    var random = Random(7)
    return (0..<turns * 4).map { index in
      let site = index % 4
      var effects: [Effect] = []
      if site > 1 {
        var bytes = [UInt8](repeating: 3, count: site == 2 ? 144 : random.below(900))
        if site == 2 { bytes[8] = UInt8(truncatingIfNeeded: index) }
        effects = [.memory(address: 0x7FFF_0000_1000, Payload(bytes))]
      }
      let head = EventHead(
        .systemCall, number: UInt32(site), effectCount: UInt16(effects.count), tid: 9, stamp: UInt64(index),
        tsc: UInt64(index) * 2000 + UInt64(random.below(300)), ticks: UInt64(index * 17),
        rip: 0x40_0000 + UInt64(site) * 64,
        value: site == 1 ? UInt64(random.below(3)) : 8, registers: random.next(),
        arguments: SixWords([3, 0x7FFF_0000_1000 + UInt64(index), 8, 0, 0, 0]))
      return Event(index: UInt64(index), head: head, effects: effects)
    }
  }

  private func unfolded(_ folded: UnsafeRawBufferPointer, _ count: Int) -> [UInt8]? {
    var unfolder = Unfolder()
    let out = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
    defer { out.deallocate() }
    return unfolder.unfold(folded, into: out) ? Array(out) : nil
  }

  @Test func `what repeats is left out, and comes back`() {
    var folder = Folder()
    for part in segments(of: loop(1000)) {
      part.withUnsafeBytes { bytes in
        guard let folded = folder.fold(bytes) else {
          Issue.record("not folded")
          return
        }
        #expect(unfolded(folded, bytes.count) == part)
      }
    }
    let plain = segments(of: loop(1000).filter { $0.head.number < 2 })[0]
    plain.withUnsafeBytes { bytes in
      // 8 bytes of hash, 2 of mask, 3 of time, address and result.
      #expect((folder.fold(bytes)?.count ?? .max) < 2000 * 16)
    }
  }

  @Test func `every kind of record comes back`() {
    var random = Random(3)
    var folder = Folder()
    var foldedParts = 0
    for round in 0..<40 {
      var events = randomEvents(&random, count: 60, effects: 5, payload: 700)
      events += events  // the second time all is expected
      for part in segments(of: events, segment: round % 2 == 0 ? 4096 : 1 << 18) {
        part.withUnsafeBytes { bytes in
          guard let folded = folder.fold(bytes) else { return }
          foldedParts += 1
          #expect(unfolded(folded, bytes.count) == part)
        }
      }
    }
    #expect(foldedParts > 40)
  }

  @Test func `padding, damage and what does not shrink are left as they are`() {
    var folder = Folder()
    let events = loop(20)
    let first = segments(of: events)[0]
    let padded = first + [16, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 8) + first
    #expect(padded.withUnsafeBytes { folder.fold($0) == nil })
    for size: UInt8 in [0, 4, 12, 64] {  // of the first record
      var bad = first
      bad[0] = size
      #expect(bad.withUnsafeBytes { folder.fold($0) == nil })
    }
    #expect([UInt8]().withUnsafeBytes { folder.fold($0) == nil })
    var random = Random(5)
    let noise = segments(of: randomEvents(&random, count: 1))[0]
    #expect(noise.withUnsafeBytes { folder.fold($0).map { $0.count < noise.count } ?? true })
  }

  @Test func `hostile folded content is refused or fits`() {
    var folder = Folder()
    var random = Random(11)
    let part = segments(of: loop(30) + randomEvents(&random, count: 20))[0]
    let folded = part.withUnsafeBytes { Array(folder.fold($0)!) }
    var refused = 0
    for _ in 0..<20_000 {
      var bytes = folded
      for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next()) }
      if random.below(4) == 0 { bytes.removeLast(random.below(bytes.count)) }
      if bytes.withUnsafeBytes({ unfolded($0, part.count) }) == nil { refused += 1 }
    }
    #expect(refused > 5000)
    #expect(folded.withUnsafeBytes { unfolded($0, part.count + 8) } == nil)
    #expect(folded.withUnsafeBytes { unfolded($0, part.count - 8) } == nil)
    #expect([UInt8](repeating: 0, count: 16).withUnsafeBytes { unfolded($0, 8) } == nil)
  }

  @Test func `tapes of the version before are read`() throws {
    var bytes = TapeFileHeader(tape: 4).bytes
    bytes[8] = 2
    let checksum = bytes[..<56].withUnsafeBytes { xxHash64($0) }
    for i in 0..<8 { bytes[56 + i] = UInt8(truncatingIfNeeded: checksum >> UInt64(8 * i)) }
    #expect(try bytes.withUnsafeBytes { try TapeFileHeader(bytes: $0) }.tape == 4)
    #expect(TapeFormat.version == 3)
  }
}
