// m x M X qSearch qCRC: memory of the chosen thread's process.

/// `m ADDRESS,LENGTH`: the bytes in hexadecimal, fewer where memory ends.
let readMemory: PacketHandler = { (session, packet) throws(TargetError) in
  guard session.target.memory != nil else { return .unknown }
  let (address, length) = try readRange(&packet)
  return .bytes(hexText(try session.memory(at: address, count: min(length, Session.maximumPacketSize / 2 - 8))))
}

/// `x ADDRESS,LENGTH`: the same, binary.
let readMemoryBinary: PacketHandler = { (session, packet) throws(TargetError) in
  guard session.target.memory != nil else { return .unknown }
  let (address, length) = try readRange(&packet)
  guard length > 0 else { return .text("b") }
  let bytes = try session.memory(at: address, count: min(length, Session.maximumPacketSize / 2 - 8))
  return .bytes([UInt8(ascii: "b")] + escapedBinary(bytes))
}

/// `M ADDRESS,LENGTH:DATA`
let writeMemory: PacketHandler = { (session, packet) throws(TargetError) in
  guard let memory = session.target.memory else { return .unknown }
  let (address, length) = try readRange(&packet, until: ":")
  let bytes = try packet.hexBytes()
  guard bytes.count == length else { throw .invalid }
  try memory.writeMemory(at: address, bytes, of: session.requireThread().process)
  return .ok
}

/// `X ADDRESS,LENGTH:DATA`: the same, binary. Length 0: does that work here?
let writeMemoryBinary: PacketHandler = { (session, packet) throws(TargetError) in
  guard let memory = session.target.memory else { return .unknown }
  let (address, length) = try readRange(&packet, until: ":")
  guard let bytes = unescapedBinary(packet.rest()), bytes.count == length else { throw .invalid }
  if length > 0 { try memory.writeMemory(at: address, bytes, of: session.requireThread().process) }
  return .ok
}

/// `qSearch:memory:ADDRESS;LENGTH;PATTERN`: `1,ADDRESS` of the first place that holds it, or `0`.
let searchMemory: PacketHandler = { (session, packet) throws(TargetError) in
  guard session.target.memory != nil, packet.textField(until: ":").isEmpty, packet.textField(until: ":") == "memory"
  else {
    return .unknown
  }
  let address = try packet.number()
  try packet.expect(";")
  let length = try packet.number()
  try packet.expect(";")
  guard let pattern = unescapedBinary(packet.rest()), !pattern.isEmpty else { throw .invalid }
  let found = try session.search(for: pattern, at: address, length: length)
  return .text(found.map { "1,\(hex($0))" } ?? "0")
}

/// `qCRC:ADDRESS,LENGTH`: CRC-32 as in `compare-sections`.
let checksumMemory: PacketHandler = { (session, packet) throws(TargetError) in
  guard session.target.memory != nil else { return .unknown }
  try packet.expect(":")
  let start = try packet.number()
  try packet.expect(",")
  let length = try packet.number()
  try packet.expectEnd()
  var crc: UInt32 = 0xffff_ffff
  var done: UInt64 = 0
  while done < length, !session.line.isInterrupted {
    let bytes = try session.memory(at: start &+ done, count: Int(min(length - done, 0x10000)))
    for byte in bytes { crc = crc << 8 ^ crcTable[Int(UInt8(crc >> 24) ^ byte)] }
    done += UInt64(bytes.count)
  }
  guard done == length else { throw TargetError(code: 4, "Interrupted") }
  return .text("C\(hex(crc))")
}

private let crcTable: [UInt32] = (0..<256).map { number in
  (0..<8).reduce(UInt32(number) << 24) { crc, _ in crc >> 31 == 1 ? crc << 1 ^ 0x04c1_1db7 : crc << 1 }
}

private func readRange(_ packet: inout PacketReader, until end: Character? = nil) throws(TargetError) -> (UInt64, Int) {
  let address = try packet.number()
  try packet.expect(",")
  let length = try packet.smallNumber()
  if let end { try packet.expect(end) } else { try packet.expectEnd() }
  return (address, length)
}

extension Session {
  /// At least one byte, unless none are wanted; never more than `count`, nor around the end of the address space.
  fileprivate func memory(at address: UInt64, count: Int) throws(TargetError) -> [UInt8] {
    guard let memory = target.memory else { throw .badAddress }
    let toEnd = UInt64.max - address
    let wanted = toEnd < UInt64(count) ? Int(toEnd) + 1 : count
    guard wanted > 0 else { return [] }
    let bytes = try memory.readMemory(at: address, count: wanted, of: requireThread().process)
    guard !bytes.isEmpty else { throw .badAddress }
    return Array(bytes.prefix(wanted))
  }

  /// Ends where memory ends; throws when nothing can be read at `address`.
  fileprivate func search(for pattern: [UInt8], at address: UInt64, length: UInt64) throws(TargetError) -> UInt64? {
    var window: [UInt8] = []
    var windowStart = address
    var done: UInt64 = 0
    while done < length, !line.isInterrupted {
      let count = Int(min(length - done, 0x10000))
      do throws(TargetError) {
        let part = try memory(at: address &+ done, count: count)
        window += part
        done += UInt64(part.count)
      } catch {
        if done == 0 { throw error }
        return nil
      }
      if let place = firstIndex(of: pattern, in: window) { return windowStart &+ UInt64(place) }
      let dropped = max(0, window.count - (pattern.count - 1))
      window.removeFirst(dropped)
      windowStart &+= UInt64(dropped)
      if windowStart < address { return nil }
    }
    return nil
  }

  private func firstIndex(of pattern: [UInt8], in window: [UInt8]) -> Int? {
    guard window.count >= pattern.count else { return nil }
    return (0...window.count - pattern.count).first { start in
      window[start] == pattern[0] && window[start..<start + pattern.count].elementsEqual(pattern)
    }
  }
}
