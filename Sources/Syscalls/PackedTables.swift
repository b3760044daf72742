internal import CABI

/// The tables as the runtime reads them (bis_abi.h, "The tables page").
extension Syscalls {
  /// 512 `bis_syscall_row`, for `BIS_TABLES_SYSCALLS`. Numbers without a row are `BIS_CLASS_UNKNOWN`.
  public static func packedSyscalls() -> [UInt8] {
    var rows = [bis_syscall_row](repeating: emptyRow(), count: 512)
    for index in 0..<count {
      let row = row(at: index)
      rows[Int(row.number)] = packed(row)
    }
    return rows.withUnsafeBytes { Array($0) }
  }

  /// `subcallCount` sorted `bis_subcall_row`, for `BIS_TABLES_SUBCALLS`; `bis_tables_header.subcall_count` is theirs.
  public static func packedSubcalls() -> [UInt8] {
    let rows = (0..<subcallCount).map { packed(subcall(at: $0)) }
    return rows.withUnsafeBytes { Array($0) }
  }

  private static func emptyRow() -> bis_syscall_row {
    var row = bis_syscall_row()
    row.key_arg = 0xFF
    row.path_arg = 0xFF
    return row
  }

  private static func packed(_ row: SyscallRow) -> bis_syscall_row {
    var result = emptyRow()
    let handling = packed(row.handling)
    result.klass = handling.klass
    result.error = handling.error
    result.special = row.pathArgument == nil ? handling.special : 1
    result.warn = row.warns ? 1 : 0
    result.may_block = row.mayBlock ? 1 : 0
    result.key_arg = row.key.raw
    result.path_arg = row.pathArgument ?? 0xFF
    result.arg_count = argumentCount(row.signature)
    result.output_count = UInt8(row.outputs.count)
    result.outputs.0 = packed(row.outputs, 0, row.signature)
    result.outputs.1 = packed(row.outputs, 1, row.signature)
    result.outputs.2 = packed(row.outputs, 2, row.signature)
    result.outputs.3 = packed(row.outputs, 3, row.signature)
    result.outputs.4 = packed(row.outputs, 4, row.signature)
    return result
  }

  private static func packed(_ row: SubcallRow) -> bis_subcall_row {
    var result = bis_subcall_row()
    let handling = packed(row.handling)
    let signature = row.outputs.count == 0 ? "" : self.row(number: UInt32(row.number))?.signature ?? ""
    result.nr = UInt32(row.number)
    result.key = row.key
    result.klass = handling.klass
    result.error = handling.error
    result.special = handling.special
    result.warn = row.warns ? 1 : 0
    result.may_block = row.mayBlock ? 1 : 0
    result.output_count = UInt8(row.outputs.count)
    result.outputs.0 = packed(row.outputs, 0, signature)
    result.outputs.1 = packed(row.outputs, 1, signature)
    result.outputs.2 = packed(row.outputs, 2, signature)
    result.outputs.3 = packed(row.outputs, 3, signature)
    return result
  }

  private static func packed(_ outputs: Outputs, _ index: Int, _ signature: StaticString) -> bis_output {
    guard index < outputs.count else { return bis_output() }
    let output = outputs[index]
    let isHalf = output.isArgumentLong && kind(ofArgument: Int(output.lengthArgument), signature)?.isHalf ?? false
    return bis_output(
      arg: output.argument, length: output.length.rawValue,
      length_arg: output.lengthArgument | (isHalf ? UInt8(BIS_LEN_ARG32) : 0),
      when: output.time.rawValue, size: output.size)
  }

  /// How many words `name:kind` a signature has.
  private static func argumentCount(_ signature: StaticString) -> UInt8 {
    signature.withUTF8Buffer { bytes in
      var count: UInt8 = 0
      for byte in bytes {
        if byte == UInt8(ascii: ">") { break }
        if byte == UInt8(ascii: ":") { count += 1 }
      }
      return min(count, 6)
    }
  }

  /// The kind of one argument, as `SyscallRow.arguments` has it; that takes 3 ms for all rows, at every start.
  private static func kind(ofArgument index: Int, _ signature: StaticString) -> ArgumentKind? {
    signature.withUTF8Buffer { bytes in
      var left = index
      for word in bytes.split(separator: UInt8(ascii: " "), maxSplits: 8) {
        guard let colon = word.firstIndex(of: UInt8(ascii: ":")) else { return nil }  // "->": the result
        if left == 0 { return ArgumentKind(rawValue: String(decoding: word[(colon + 1)...], as: UTF8.self)) }
        left -= 1
      }
      return nil
    }
  }

  private static func packed(_ handling: Handling) -> (klass: UInt8, error: UInt16, special: UInt16) {
    switch handling {
    case .hot: (UInt8(BIS_CLASS_HOT.rawValue), 0, 0)
    case .local(let handler): (UInt8(BIS_CLASS_LOCAL.rawValue), 0, handler.rawValue)
    case .supervisor: (UInt8(BIS_CLASS_SUPERVISOR.rawValue), 0, 0)
    case .refused(let error): (UInt8(BIS_CLASS_REFUSED.rawValue), error.rawValue, 0)
    case .ignored: (UInt8(BIS_CLASS_REFUSED.rawValue), 0, 0)
    }
  }
}

extension Output {
  /// Whether its length is computed from an argument's value.
  fileprivate var isArgumentLong: Bool {
    switch length {
    case .argument, .minimum, .pages, .fdset, .pointed: true
    default: false
    }
  }
}
