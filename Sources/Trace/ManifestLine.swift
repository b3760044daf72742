// The line format of manifests: TYPE key=value ... *CHECKSUM
import Tape

/// One line: a type and fields in order. Values are any bytes that are UTF-8; keys may repeat.
struct ManifestLine: Equatable, Sendable {
  var type: String
  var fields: [(key: String, value: String)] = []

  init(_ type: String) { self.type = type }

  static func == (a: ManifestLine, b: ManifestLine) -> Bool {
    a.type == b.type && a.fields.elementsEqual(b.fields) { $0 == $1 }
  }

  mutating func add(_ key: String, _ value: String) { fields.append((key, value)) }
  mutating func add(_ key: String, _ value: some BinaryInteger) { fields.append((key, String(value))) }

  /// The first value of `key`.
  func value(_ key: String) -> String? { fields.first { $0.key == key }?.value }
  func number<T: FixedWidthInteger>(_ key: String) -> T? { value(key).flatMap { T($0) } }
  func values(_ key: String) -> [String] { fields.filter { $0.key == key }.map(\.value) }

  /// The line with its checksum and newline.
  var encoded: [UInt8] {
    var out = Array(type.utf8)
    for (key, value) in fields {
      out.append(UInt8(ascii: " "))
      out += Array(key.utf8)
      out.append(UInt8(ascii: "="))
      for byte in value.utf8 {
        if byte <= 0x20 || byte == 0x7F || byte == UInt8(ascii: "%") {
          out.append(UInt8(ascii: "%"))
          out.append(Self.digits[Int(byte >> 4)])
          out.append(Self.digits[Int(byte & 15)])
        } else {
          out.append(byte)
        }
      }
    }
    let checksum = out.withUnsafeBytes { xxHash64($0) }
    out += Array(" *".utf8)
    for shift in stride(from: 60, through: 0, by: -4) { out.append(Self.digits[Int(checksum >> UInt64(shift) & 15)]) }
    out.append(UInt8(ascii: "\n"))
    return out
  }

  private static let digits = Array("0123456789abcdef".utf8)

  /// Reads a line without its newline; nil when the checksum or the form is wrong.
  init?(decoding line: ArraySlice<UInt8>) {
    let checksumLength = 18
    guard line.count > checksumLength else { return nil }
    let body = line.dropLast(checksumLength)
    let tail = Array(line.suffix(checksumLength))
    guard tail[0] == UInt8(ascii: " "), tail[1] == UInt8(ascii: "*") else { return nil }
    var checksum: UInt64 = 0
    for byte in tail[2...] {
      guard let digit = Self.digits.firstIndex(of: byte) else { return nil }
      checksum = checksum << 4 | UInt64(digit)
    }
    guard body.withUnsafeBytes({ xxHash64($0) }) == checksum else { return nil }
    let parts = body.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard let first = parts.first, let type = String(validating: first, as: UTF8.self) else { return nil }
    self.type = type
    for part in parts.dropFirst() {
      guard let equals = part.firstIndex(of: UInt8(ascii: "=")),
        let key = String(validating: part[..<equals], as: UTF8.self),
        let value = Self.unescape(part[(equals + 1)...])
      else { return nil }
      fields.append((key, value))
    }
  }

  private static func unescape(_ bytes: ArraySlice<UInt8>) -> String? {
    var out: [UInt8] = []
    var at = bytes.startIndex
    while at < bytes.endIndex {
      if bytes[at] == UInt8(ascii: "%") {
        guard at + 2 < bytes.endIndex, let high = digits.firstIndex(of: bytes[at + 1]),
          let low = digits.firstIndex(of: bytes[at + 2])
        else { return nil }
        out.append(UInt8(high << 4 | low))
        at += 3
      } else {
        out.append(bytes[at])
        at += 1
      }
    }
    return String(validating: out, as: UTF8.self)
  }
}
