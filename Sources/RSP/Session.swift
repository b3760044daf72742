// One conversation with gdb: a packet in, at most one reply out. Holds what gdb has said so far; knows no connection.

/// What a session needs of the line while it handles a packet.
public protocol SessionLine: AnyObject {
  /// Whether gdb wants what runs to stop (or is gone).
  var isInterrupted: Bool { get }
  /// Sends a packet besides the reply: output of `monitor`.
  func send(_ payload: [UInt8])
}

/// The state of a conversation.
public final class Session {
  /// What is debugged.
  public let target: any Target
  let line: any SessionLine
  /// Whether packets are acknowledged with `+`; not after QStartNoAckMode.
  public internal(set) var acknowledges = true
  /// gdb has left, or everything was killed.
  public internal(set) var isOver = false

  /// What gdb can read, as `qSupported` named it.
  var client: Set<String> = []
  /// The client is lldb.
  var isLLDB = false
  /// `!`: gdb stays when everything has exited.
  var isExtended = false
  /// `Hg`: what registers and memory are of. Nil: the target's choice.
  var chosenThread: ThreadID?
  /// `Hc`: what old resume packets are about.
  var resumeSelector = ThreadSelector.any
  /// The rest of a list that is sent in parts (`qsThreadInfo`).
  var pendingThreads: [ThreadID] = []
  /// What `qXfer` reads in parts, as it was when gdb asked for its beginning.
  var transfer: (object: String, content: [UInt8])?
  /// Open files by number.
  var files: [Int: any TargetFile] = [:]
  /// `vFile:setfs`.
  var fileProcess: Int?

  /// Longest payload of a packet, in either direction.
  public static let maximumPacketSize = 0x20000
  /// How many files gdb may have open.
  static let maximumFiles = 64

  public init(target: any Target, line: any SessionLine) {
    self.target = target
    self.line = line
  }

  /// Does what a packet says. Nil: the packet has no reply.
  public func handle(_ packet: [UInt8]) -> [UInt8]? {
    let (name, reader) = Self.split(packet)
    guard let handler = packetHandlers[name] else { return [] }
    var arguments = reader
    do throws(TargetError) {
      switch try handler(self, &arguments) {
      case .ok: return Array("OK".utf8)
      case .unknown: return []
      case .nothing: return nil
      case .text(let text): return Array(text.utf8)
      case .bytes(let bytes): return bytes
      }
    } catch {
      return Array(errorText(error).utf8)
    }
  }

  /// The reply to something that could not be read.
  func refusal(_ error: TargetError) -> [UInt8] { Array(errorText(error).utf8) }

  /// `E.message` for a gdb that shows it, else `E` and the number.
  private func errorText(_ error: TargetError) -> String {
    guard client.contains("error-message"), !error.message.isEmpty else {
      return "E\(hexByte(error.code == 0 ? 1 : error.code))"
    }
    let text = error.message.unicodeScalars.map { scalar in
      scalar.value < 0x20 || ["#", "$", "}", "*"].contains(scalar) ? " " : scalar
    }
    var message = String.UnicodeScalarView()
    message.append(contentsOf: text)
    return "E.\(String(message).prefix(1000))"
  }

  /// The packet's name and what comes after it. Names that begin with q, Q or v end before `:`, `;` or `,`; all others
  /// are one byte.
  private static func split(_ packet: [UInt8]) -> (String, PacketReader) {
    guard let first = packet.first else { return ("", PacketReader([])) }
    var end = 1
    if [UInt8(ascii: "q"), UInt8(ascii: "Q"), UInt8(ascii: "v")].contains(first) {
      let separators = [UInt8(ascii: ":"), UInt8(ascii: ";"), UInt8(ascii: ",")]
      end = packet.firstIndex { separators.contains($0) } ?? packet.count
    }
    guard end <= 64 else { return ("", PacketReader([])) }
    return (String(decoding: packet[..<end], as: UTF8.self), PacketReader(Array(packet[end...])))
  }
}

/// What a packet is answered with.
enum Reply {
  case ok
  /// Empty: gdb does without.
  case unknown
  /// No packet at all.
  case nothing
  case text(String)
  /// Binary data in it is escaped already.
  case bytes([UInt8])
}

/// Does one packet; the reader stands behind the name.
typealias PacketHandler = @Sendable (Session, inout PacketReader) throws(TargetError) -> Reply
