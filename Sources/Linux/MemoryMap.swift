internal import CLinux

/// One line of /proc/PID/maps.
public struct MemoryMap: Equatable, Sendable {
  public let start: UInt64
  /// One past the last byte.
  public let end: UInt64
  public let read: Bool
  public let write: Bool
  public let execute: Bool
  public let shared: Bool
  /// Bytes into the file.
  public let offset: UInt64
  public let device: Device
  public let inode: UInt64
  /// A file, `[heap]` and the like, or empty. A deleted file's ends in ` (deleted)`.
  public let path: String

  public var byteCount: UInt64 { end - start }
  public var isDeleted: Bool { path.hasSuffix(" (deleted)") }
  /// Backed by a file (with a name or a memory file).
  public var isFile: Bool { inode != 0 }
  public func contains(_ address: UInt64) -> Bool { start <= address && address < end }
}

/// All mappings of the process of `tid`, by address. Empty for a leader that has exited.
public func memoryMaps(of tid: ThreadID) throws(Errno) -> [MemoryMap] {
  try MemoryMap.parse(readFile("/proc/\(tid)/maps"))
}

extension MemoryMap {
  /// The text of a maps file. Throws EINVAL for what the kernel does not write.
  public static func parse(_ text: [UInt8]) throws(Errno) -> [MemoryMap] {
    var maps: [MemoryMap] = []
    for line in text.split(separator: UInt8(ascii: "\n")) {
      guard let map = MemoryMap(line: line) else { throw .invalid }
      maps.append(map)
    }
    return maps
  }

  init?(line: ArraySlice<UInt8>) {
    var scanner = Scanner(rest: line)
    guard
      let start = scanner.number(16), scanner.take("-"),
      let end = scanner.number(16), scanner.take(" "), start <= end,
      let rights = scanner.bytes(4), scanner.take(" "),
      let offset = scanner.number(16), scanner.take(" "),
      let major = scanner.number(16), scanner.take(":"),
      let minor = scanner.number(16), scanner.take(" "),
      let inode = scanner.number(10)
    else { return nil }
    self.start = start
    self.end = end
    read = rights[0] == UInt8(ascii: "r")
    write = rights[1] == UInt8(ascii: "w")
    execute = rights[2] == UInt8(ascii: "x")
    shared = rights[3] == UInt8(ascii: "s")
    self.offset = offset
    device = Device(major: UInt32(truncatingIfNeeded: major), minor: UInt32(truncatingIfNeeded: minor))
    self.inode = inode
    while scanner.take(" ") {}
    path = MemoryMap.unescaped(scanner.rest)
  }

  /// The kernel writes a newline in a name as `\012` and nothing else specially.
  private static func unescaped(_ name: ArraySlice<UInt8>) -> String {
    let text = String(decoding: name, as: UTF8.self)
    guard text.utf8.contains(UInt8(ascii: "\\")) else { return text }
    return text.split(separator: "\\012", omittingEmptySubsequences: false).joined(separator: "\n")
  }
}

private struct Scanner {
  var rest: ArraySlice<UInt8>

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: character) else { return false }
    rest.removeFirst()
    return true
  }

  mutating func bytes(_ count: Int) -> [UInt8]? {
    guard rest.count >= count else { return nil }
    defer { rest.removeFirst(count) }
    return Array(rest.prefix(count))
  }

  mutating func number(_ radix: UInt64) -> UInt64? {
    var value: UInt64 = 0
    var any = false
    while let byte = rest.first {
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f") where radix == 16: digit = byte - UInt8(ascii: "a") + 10
      default: return any ? value : nil
      }
      value = value &* radix &+ UInt64(digit)
      any = true
      rest.removeFirst()
    }
    return any ? value : nil
  }
}
