// Drives a session over a connection.

/// Talks to one gdb until it leaves, everything was killed or the line is cut.
public func serve(_ connection: any Connection, _ target: any Target) {
  let line = ConnectionLine(connection)
  let session = Session(target: target, line: line)
  while !session.isOver, let event = line.next() {
    switch event {
    case .packet(let packet):
      if session.acknowledges { line.sendRaw([UInt8(ascii: "+")]) }
      line.forgetInterrupts()
      if let reply = session.handle(packet) { line.send(reply) }
    case .damaged where session.acknowledges: line.sendRaw([UInt8(ascii: "-")])
    case .damaged: line.send(session.refusal(TargetError(code: 84, "Damaged packet")))
    case .tooLong:
      if session.acknowledges { line.sendRaw([UInt8(ascii: "+")]) }
      line.send(session.refusal(TargetError(code: 90, "Packet too long")))
    case .refused where session.acknowledges: line.sendAgain()
    case .acknowledged, .refused, .interrupt: break
    }
  }
}

/// The line of `serve`: what came and was not looked at yet, what was sent last.
private final class ConnectionLine: SessionLine {
  private let connection: any Connection
  private var decoder = PacketDecoder(maximumSize: Session.maximumPacketSize)
  private var events: [LineEvent] = []
  private var isClosed = false
  private var wasInterrupted = false
  private var lastFrame: [UInt8] = []

  init(_ connection: any Connection) { self.connection = connection }

  /// Waits for what comes next; nil when nothing will.
  func next() -> LineEvent? {
    while events.isEmpty, !isClosed { take(connection.read(timeoutMilliseconds: nil)) }
    return events.isEmpty ? nil : events.removeFirst()
  }

  /// True once 0x03 has come; takes it off the line. Packets that come meanwhile wait.
  var isInterrupted: Bool {
    if !isClosed, !wasInterrupted, events.count < 1000 { take(connection.read(timeoutMilliseconds: 0)) }
    if let index = events.firstIndex(of: .interrupt) {
      events.remove(at: index)
      wasInterrupted = true
    }
    return isClosed || wasInterrupted
  }

  func forgetInterrupts() { wasInterrupted = false }

  func send(_ payload: [UInt8]) {
    lastFrame = encodePacket(payload)
    sendRaw(lastFrame)
  }

  func sendAgain() { if !lastFrame.isEmpty { sendRaw(lastFrame) } }

  func sendRaw(_ bytes: [UInt8]) {
    if !isClosed, !connection.write(bytes) { isClosed = true }
  }

  private func take(_ input: ConnectionInput) {
    switch input {
    case .bytes(let bytes): events += decoder.decode(bytes)
    case .nothing: break
    case .closed: isClosed = true
    }
  }
}
