// Reads the parts of one packet, front to back. What is not as expected throws: it comes from outside.

struct PacketReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }
  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  /// Moves behind `character` when it is next.
  mutating func take(_ character: Character) -> Bool {
    guard let next, next == character.asciiValue else { return false }
    position += 1
    return true
  }

  mutating func expect(_ character: Character) throws(TargetError) {
    guard take(character) else { throw .invalid }
  }

  /// Nothing may follow.
  func expectEnd() throws(TargetError) {
    guard isAtEnd else { throw .invalid }
  }

  /// All that is left.
  mutating func rest() -> [UInt8] {
    defer { position = bytes.count }
    return Array(bytes[position...])
  }

  mutating func restText() -> String { String(decoding: rest(), as: UTF8.self) }

  /// Up to `character`, which is skipped, or to the end.
  mutating func field(until character: Character) -> [UInt8] {
    let start = position
    let end = bytes[start...].firstIndex { $0 == character.asciiValue } ?? bytes.count
    position = min(end + 1, bytes.count)
    return Array(bytes[start..<end])
  }

  mutating func textField(until character: Character) -> String {
    String(decoding: field(until: character), as: UTF8.self)
  }

  /// A hexadecimal number of at least one digit that fits into 64 bits.
  mutating func number() throws(TargetError) -> UInt64 {
    var value: UInt64 = 0
    let start = position
    while let byte = next, let digit = hexDigit(byte) {
      guard value >> 60 == 0 else { throw .invalid }
      value = value << 4 | UInt64(digit)
      position += 1
    }
    guard position > start else { throw .invalid }
    return value
  }

  /// A number that is a count, a size or a name: not above Int32.max.
  mutating func smallNumber() throws(TargetError) -> Int {
    let value = try number()
    guard value <= UInt64(Int32.max) else { throw .invalid }
    return Int(value)
  }

  /// Bytes of two digits each: `count` of them, or all up to the end.
  mutating func hexBytes(_ count: Int? = nil) throws(TargetError) -> [UInt8] {
    let left = bytes.count - position
    guard count.map({ $0 <= left / 2 }) ?? (left % 2 == 0) else { throw .invalid }
    var found: [UInt8] = []
    for _ in 0..<(count ?? left / 2) {
      guard let high = hexDigit(bytes[position]), let low = hexDigit(bytes[position + 1]) else { throw .invalid }
      found.append(high << 4 | low)
      position += 2
    }
    return found
  }

  /// Text in hexadecimal up to `character` or the end.
  mutating func hexTextField(until character: Character) throws(TargetError) -> String {
    var part = PacketReader(field(until: character))
    return String(decoding: try part.hexBytes(), as: UTF8.self)
  }

  /// `pPID.TID`, `pPID` or `TID`; a PID or TID of -1: all, 0: any. `find` gives the process of a thread named alone.
  mutating func threadSelector(_ find: (Int) -> ThreadID?) throws(TargetError) -> ThreadSelector {
    guard take("p") else { return try plainThread(find) }
    guard let process = try identifier() else {
      if take(".") { _ = try identifier() }
      return .all
    }
    guard take(".") else { return .process(process) }
    guard let thread = try identifier() else { return .process(process) }
    if process == 0 { return try thread == 0 ? .any : selector(find(thread)) }
    return thread == 0 ? .process(process) : .thread(ThreadID(process: process, thread: thread))
  }

  private mutating func plainThread(_ find: (Int) -> ThreadID?) throws(TargetError) -> ThreadSelector {
    guard let thread = try identifier() else { return .all }
    return try thread == 0 ? .any : selector(find(thread))
  }

  private func selector(_ thread: ThreadID?) throws(TargetError) -> ThreadSelector {
    guard let thread else { throw .noSuchThread }
    return .thread(thread)
  }

  /// A number, or nil for -1.
  private mutating func identifier() throws(TargetError) -> Int? {
    guard take("-") else { return try smallNumber() }
    guard try number() == 1 else { throw .invalid }
    return nil
  }
}
