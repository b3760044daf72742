// Packets on the line: `$payload#checksum`, single bytes between them.

/// What came over the line.
public enum LineEvent: Equatable, Sendable {
  /// A payload, escapes still in it.
  case packet([UInt8])
  /// `+`
  case acknowledged
  /// `-`: send the last packet again.
  case refused
  /// 0x03, outside packets: stop what runs.
  case interrupt
  /// A packet with a wrong checksum.
  case damaged
  /// A packet longer than we said we take.
  case tooLong
}

/// Cuts a stream of bytes, however fragmented, into packets. Takes any bytes; holds at most one packet.
public struct PacketDecoder: Sendable {
  /// Longest payload that is kept.
  public let maximumSize: Int
  private var state = State.between
  private var payload: [UInt8] = []
  private var sum: UInt8 = 0
  private var isTooLong = false

  private enum State {
    case between, inside
    /// After `#`.
    case firstDigit
    case secondDigit(UInt8?)
  }

  public init(maximumSize: Int) { self.maximumSize = maximumSize }

  /// What `bytes` complete, in order.
  public mutating func decode(_ bytes: [UInt8]) -> [LineEvent] { bytes.compactMap { decode($0) } }

  private mutating func decode(_ byte: UInt8) -> LineEvent? {
    switch state {
    case .between: return between(byte)
    case .inside:
      inside(byte)
      return nil
    case .firstDigit:
      state = .secondDigit(hexDigit(byte))
      return nil
    case .secondDigit(let high):
      state = .between
      return finish(high, hexDigit(byte))
    }
  }

  private mutating func between(_ byte: UInt8) -> LineEvent? {
    switch byte {
    case UInt8(ascii: "$"):
      begin()
      return nil
    case UInt8(ascii: "+"): return .acknowledged
    case UInt8(ascii: "-"): return .refused
    case 0x03: return .interrupt
    default: return nil
    }
  }

  private mutating func begin() {
    state = .inside
    payload = []
    sum = 0
    isTooLong = false
  }

  private mutating func inside(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "$"): begin()  // the end of the one before got lost
    case UInt8(ascii: "#"): state = .firstDigit
    default:
      sum &+= byte
      if payload.count < maximumSize { payload.append(byte) } else { isTooLong = true }
    }
  }

  private mutating func finish(_ high: UInt8?, _ low: UInt8?) -> LineEvent {
    let found = payload
    payload = []
    guard let high, let low, high << 4 | low == sum else { return .damaged }
    return isTooLong ? .tooLong : .packet(found)
  }
}

/// A frame around `payload`, in which `#`, `$`, `}` and `*` are escaped already where they are data. Runs of one byte
/// are shortened; whoever reads packets must understand that.
public func encodePacket(_ payload: [UInt8]) -> [UInt8] {
  var frame: [UInt8] = [UInt8(ascii: "$")]
  frame.reserveCapacity(payload.count + 4)
  var index = 0
  while index < payload.count {
    let byte = payload[index]
    var end = index + 1
    while end < payload.count, payload[end] == byte { end += 1 }
    appendRun(of: byte, count: end - index, to: &frame)
    index = end
  }
  let sum = frame.dropFirst().reduce(UInt8(0)) { $0 &+ $1 }
  return frame + [UInt8(ascii: "#")] + hexText([sum])
}

/// `b*n` is `b` and n - 29 more of it; n is printable and none of `#`, `$`, `+`, `-`.
private func appendRun(of byte: UInt8, count: Int, to frame: inout [UInt8]) {
  var left = count
  while left > 0 {
    frame.append(byte)
    left -= 1
    var more = min(left, 126 - 29)
    while [6, 7, 14, 16].contains(more) { more -= 1 }
    guard more >= 3 else { continue }
    frame += [UInt8(ascii: "*"), UInt8(more + 29)]
    left -= more
  }
}

/// Binary data as it stands in packets: `}` and the byte XOR 0x20 for bytes that mean something.
func escapedBinary(_ bytes: [UInt8]) -> [UInt8] {
  var text: [UInt8] = []
  text.reserveCapacity(bytes.count)
  for byte in bytes {
    switch byte {
    case UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "}"), UInt8(ascii: "*"):
      text += [UInt8(ascii: "}"), byte ^ 0x20]
    default: text.append(byte)
    }
  }
  return text
}

/// The opposite; nil when an escape has nothing after it.
func unescapedBinary(_ text: some Sequence<UInt8>) -> [UInt8]? {
  var bytes: [UInt8] = []
  var isEscape = false
  for byte in text {
    if isEscape {
      bytes.append(byte ^ 0x20)
      isEscape = false
    } else if byte == UInt8(ascii: "}") {
      isEscape = true
    } else {
      bytes.append(byte)
    }
  }
  return isEscape ? nil : bytes
}
