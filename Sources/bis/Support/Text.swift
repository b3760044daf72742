// Text for people: tables, sizes, times, quoting. And JSON, which needs no more than this here.
import Glibc
import Syscalls
import Trace

/// Rows with columns as wide as their widest cell; the last column is left as it is.
/// - Parameter right: columns that are aligned to the right.
func table(_ rows: [[String]], right: Set<Int> = []) -> String {
  var widths: [Int] = []
  for row in rows {
    for (column, cell) in row.enumerated() {
      if column == widths.count { widths.append(0) }
      widths[column] = max(widths[column], cell.count)
    }
  }
  var text = ""
  for row in rows {
    var line = ""
    for (column, cell) in row.enumerated() {
      let space = String(repeating: " ", count: widths[column] - cell.count)
      let isLast = column == row.count - 1
      line += right.contains(column) ? space + cell : isLast ? cell : cell + space
      if !isLast { line += "  " }
    }
    while line.hasSuffix(" ") { line.removeLast() }
    text += line + "\n"
  }
  return text
}

/// `1 tape`, `2 tapes`.
func count(_ number: some BinaryInteger, _ noun: String, plural: String? = nil) -> String {
  "\(number) \(number == 1 ? noun : plural ?? noun + "s")"
}

/// `1.5 MB`.
func size(_ byteCount: UInt64) -> String {
  var value = Double(byteCount)
  for unit in ["bytes", "kB", "MB", "GB"] {
    if value < 1000 || unit == "GB" { return unit == "bytes" ? "\(byteCount) bytes" : "\(decimal(value, 1)) \(unit)" }
    value /= 1000
  }
  return "\(byteCount) bytes"
}

/// A number with a fixed count of decimals.
func decimal(_ value: Double, _ places: Int) -> String {
  var buffer = [CChar](repeating: 0, count: 64)
  let scale = pow(10, Double(places))
  let rounded = (value * scale).rounded() / scale
  _ = withVaList([Int32(places), rounded]) { vsnprintf(&buffer, buffer.count, "%.*f", $0) }
  return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// A number with at least `width` digits.
func padded(_ number: Int64, _ width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

/// Nanoseconds since 1970 as local time: `2026-11-22 17:30:05`, or only the time of day with microseconds.
func wallClock(_ nanoseconds: Int64, date: Bool) -> String {
  var seconds = time_t(nanoseconds / 1_000_000_000)
  var parts = tm()
  localtime_r(&seconds, &parts)
  let clock = "\(padded(Int64(parts.tm_hour), 2)):\(padded(Int64(parts.tm_min), 2)):\(padded(Int64(parts.tm_sec), 2))"
  guard date else { return "\(clock).\(padded(nanoseconds % 1_000_000_000 / 1000, 6))" }
  return "\(parts.tm_year + 1900)-\(padded(Int64(parts.tm_mon + 1), 2))-\(padded(Int64(parts.tm_mday), 2)) \(clock)"
}

/// Words as a shell would take them.
func quoted(_ words: [String]) -> String {
  words.map { word in
    let isPlain =
      !word.isEmpty
      && word.utf8.allSatisfy { byte in
        byte >= 0x80 || (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
          || "_-+=./,:@%^".utf8.contains(byte)
      }
    return isPlain
      ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }.joined(separator: " ")
}

/// A word for how a process or a recording ended.
func describe(_ outcome: Manifest.Outcome?) -> String {
  switch outcome {
  case .exited(let status): String(status)
  case .signalled(let signal): Syscalls.signalName(Int(signal))
  case .exec: "exec"
  case .lost: "lost"
  case nil: "?"
  }
}

/// Bytes in double quotes, with C escapes; the first `limit`.
func quoted(bytes: some Collection<UInt8>, limit: Int) -> String {
  var text = "\""
  for byte in bytes.prefix(limit) {
    switch byte {
    case 0x22: text += "\\\""
    case 0x5C: text += "\\\\"
    case 0x0A: text += "\\n"
    case 0x09: text += "\\t"
    case 0x0D: text += "\\r"
    case 0x20..<0x7F: text.unicodeScalars.append(Unicode.Scalar(byte))
    default: text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
  }
  return text + (bytes.count > limit ? "\"..." : "\"")
}

/// `0x…`.
func hexadecimal(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

/// A JSON value.
enum JSON {
  case string(String)
  case number(UInt64)
  case signed(Int64)
  case list([JSON])
  /// In the order given.
  case object([(String, JSON)])

  var text: String {
    switch self {
    case .string(let value): Self.quote(value)
    case .number(let value): String(value)
    case .signed(let value): String(value)
    case .list(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let fields): "{" + fields.map { Self.quote($0.0) + ":" + $0.1.text }.joined(separator: ",") + "}"
    }
  }

  private static func quote(_ value: String) -> String {
    var text = "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      default:
        if scalar.value < 0x20 {
          text += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
    }
    return text + "\""
  }
}
