import Testing

@testable import Tape

@Suite struct ChunkTests {
  @Test func `xxHash64 agrees with the reference`() {
    // xxhsum -H64 of the same bytes.
    #expect([UInt8]().withUnsafeBytes { xxHash64($0) } == 0xEF46_DB37_51D8_E999)
    #expect(Array("abc".utf8).withUnsafeBytes { xxHash64($0) } == 0x44BC_2CF5_AD77_0999)
    let long = Array("Nobody inspects the spammish repetition".utf8)
    #expect(long.withUnsafeBytes { xxHash64($0) } == 0xFBCE_A83C_8A37_8BF1)
  }

  @Test func `chunks hold whole segments, events may go on in the next`() throws {
    var random = Random(1)
    let events = randomEvents(&random, count: 300, effects: 6, payload: 900)
    let parts = segments(of: events, segment: 4096, padded: true)
    var encoder = ChunkEncoder()
    var decoder = ChunkDecoder()
    var progress = TapeProgress(tape: 3)
    var assembler = EventAssembler()
    var found: [Event] = []
    let out = UnsafeMutableRawBufferPointer.allocate(byteCount: TapeFormat.maximumContentSize, alignment: 8)
    defer { out.deallocate() }
    for part in parts {
      let chunk = try part.withUnsafeBytes { try encoder.encode($0, progress: &progress) }
      let header = try ChunkHeader(bytes: chunk.bytes)
      #expect(header == chunk.header)
      #expect((header.openEffects > 0) == assembler.isOpen)
      try decoder.decode(header, payload: UnsafeRawBufferPointer(rebasing: chunk.bytes[96...]), into: out)
      var cursor = RecordCursor(bytes: UnsafeRawBufferPointer(rebasing: out[..<header.contentSize]))
      var isFirst = true
      while let record = try cursor.next() {
        if record.isHead && isFirst {
          #expect(record.offset == header.firstEventOffset && assembler.nextIndex == header.firstEvent)
          isFirst = false
        }
        if let event = try assembler.add(record) { found.append(event) }
      }
    }
    #expect(parts.count > 20)
    #expect(progress.sequence == UInt64(parts.count) && progress.eventCount == 300)
    #expect(found == events)
  }

  @Test func `malformed records are refused and change nothing`() throws {
    var encoder = ChunkEncoder()
    var progress = TapeProgress(tape: 0)
    let before = progress
    let bytes = [UInt8](repeating: 1, count: 64)
    #expect(throws: TapeError.self) { _ = try bytes.withUnsafeBytes { try encoder.encode($0, progress: &progress) } }
    #expect(progress == before)
    let large = [UInt8](repeating: 0, count: TapeFormat.maximumContentSize + 8)
    #expect(throws: TapeError.self) { _ = try large.withUnsafeBytes { try encoder.encode($0, progress: &progress) } }
  }

  @Test func `an index of many chunks comes back`() throws {
    var index = TapeIndex(tape: 1)
    var header = ChunkHeader()
    header.tape = 1
    header.contentSize = 1000
    header.storedSize = 10
    header.eventCount = 5
    for number in 0..<20_000 {
      header.firstEvent = UInt64(number * 5)
      index.add(header)
    }
    var encoder = ChunkEncoder()
    let footer = index.footer(encoder: &encoder)
    var again = TapeIndex(tape: 1)
    var at = 0
    try footer.withUnsafeBytes { bytes in
      while at < footer.count - TapeTrailer.size {
        let header = try ChunkHeader(bytes: UnsafeRawBufferPointer(rebasing: bytes[at...]))
        at += 96
        try again.addEntries(
          content: UnsafeRawBufferPointer(rebasing: bytes[at..<at + header.contentSize]), fileOffset: at)
        at += header.storedSize
      }
      let trailer = try TapeTrailer(bytes: UnsafeRawBufferPointer(rebasing: bytes[at...]))
      #expect(trailer.indexChunkCount == 3 && trailer.eventCount == 100_000)
    }
    #expect(again == index)
    for event in [0, 4, 5, 77_777, 99_999] { #expect(again.chunk(ofEvent: UInt64(event)) == event / 5) }
    #expect(again.chunk(ofEvent: 100_000) == nil)
  }

  @Test func `hostile headers are errors`() {
    func kind(_ change: (inout ChunkHeader) -> Void) -> TapeError.Kind? {
      var header = ChunkHeader()
      change(&header)
      let raw = UnsafeMutableRawBufferPointer.allocate(byteCount: 96, alignment: 8)
      defer { raw.deallocate() }
      header.write(to: raw)
      do throws(TapeError) { _ = try ChunkHeader(bytes: UnsafeRawBufferPointer(raw)) } catch { return error.kind }
      return nil
    }
    #expect(kind { _ in } == nil)
    #expect(kind { $0.contentSize = 1 << 21 } == .sizeLimit(1 << 21))
    #expect(
      kind {
        $0.contentSize = 8
        $0.storedSize = 0xFFFF_FFFF
      } == .sizeLimit(0xFFFF_FFFF))
    #expect(
      kind {
        $0.flags = .stored
        $0.contentSize = 8
      } == .contentMismatch)
    #expect(kind { $0.firstEvent = .max } == .sizeLimit(.max))
  }
}
