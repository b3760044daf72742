/// Calls as strace prints them.
extension Syscalls {
  /// `openat(AT_FDCWD, 0x7ffe10, O_RDONLY|O_CLOEXEC, 0) = 3`. `result` nil: the call has not returned (` = ?`).
  /// `string` may read a path or name from the program's memory; where it gives nil, the address is shown.
  public static func describe(
    number: UInt32, arguments: [UInt64], result: Int64?, string: (UInt64) -> String? = { _ in nil }
  ) -> String {
    guard let row = row(number: number) else {
      let shown = arguments.map(hexadecimal).joined(separator: ", ")
      return "syscall_\(number)(\(shown)) = \(describe(result: result, isPointer: false))"
    }
    var shown: [String] = []
    for (index, argument) in row.arguments.enumerated() where index < arguments.count {
      let value = arguments[index]
      if index == row.key.argument, let name = subcallName(row, arguments) {
        shown.append(name)
      } else if argument.kind == .mode, !usesMode(row, arguments) {
        continue
      } else {
        shown.append(describe(value, argument.kind, string))
      }
    }
    let list = shown.joined(separator: ", ")
    return "\(row.name)(\(list)) = \(describe(result: result, isPointer: row.returnsPointer))"
  }

  /// `3`, `-1 ENOENT`, `0x7f0000000000`, `?`.
  public static func describe(result: Int64?, isPointer: Bool) -> String {
    guard let result else { return "?" }
    if (-4095 ... -1).contains(result) { return "-1 " + (errorName(Int(-result)) ?? "errno \(-result)") }
    if isPointer { return hexadecimal(UInt64(bitPattern: result)) }
    return String(result)
  }

  /// Name of the sub-call with its bits above the key (futex: private, real-time clock); nil without a row.
  private static func subcallName(_ row: SyscallRow, _ arguments: [UInt64]) -> String? {
    guard let sub = subcall(of: row, arguments), let index = row.key.argument, let key = row.key.value(arguments)
    else { return nil }
    guard sub.key & SubcallRow.typeBit == 0 || row.number != ioctlNumber else { return nil }
    let rest = (arguments[index] & 0xFFFF_FFFF) & ~(key & 0xFFFF_FFFF)
    guard row.name.description == "futex", rest != 0 else { return sub.name.description }
    return sub.name.description + flags(rest, futexFlags).map { "|" + $0 }.joined()
  }

  /// open without O_CREAT or O_TMPFILE ignores its mode.
  private static func usesMode(_ row: SyscallRow, _ arguments: [UInt64]) -> Bool {
    guard let index = row.arguments.firstIndex(where: { $0.kind == .open }), index < arguments.count else {
      return true
    }
    return arguments[index] & 0o20000100 != 0
  }

  private static func describe(_ value: UInt64, _ kind: ArgumentKind, _ string: (UInt64) -> String?) -> String {
    let half = Int32(truncatingIfNeeded: value)
    switch kind {
    case .fd, .int: return String(half)
    case .dirfd: return half == -100 ? "AT_FDCWD" : String(half)
    case .uint: return String(UInt32(bitPattern: half))
    case .long: return String(Int64(bitPattern: value))
    case .size: return String(value)
    case .hex: return hexadecimal(value)
    case .sub: return hexadecimal(UInt64(UInt32(bitPattern: half)))
    case .ptr: return value == 0 ? "NULL" : hexadecimal(value)
    case .str: return value == 0 ? "NULL" : string(value).map(quoted) ?? hexadecimal(value)
    case .mode: return "0" + String(UInt32(bitPattern: half), radix: 8)
    case .signal: return signalName(Int(half))
    case .whence: return name(Int(half), whences)
    case .clock: return name(Int(half), clocks)
    case .open: return openFlags(UInt64(UInt32(bitPattern: half)))
    case .prot: return joined(value, protections, zero: "PROT_NONE")
    case .map: return mapFlags(value)
    case .at: return joined(UInt64(UInt32(bitPattern: half)), atFlags, zero: "0")
    }
  }

  static func hexadecimal(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  /// In double quotes, with C escapes, 128 characters at most.
  static func quoted(_ text: String) -> String {
    var result = "\""
    var length = 0
    for scalar in text.unicodeScalars {
      if length == 128 { return result + "\"..." }
      length += 1
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      default:
        if scalar.value < 0x20 || scalar.value == 0x7F {
          result += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }
}
