/// What an argument is, for people who read calls. The part after the colon in the argument column.
public enum ArgumentKind: String, Sendable, CaseIterable {
  case fd, dirfd, ptr, str, int, uint, long, size, hex, mode, signal, open, prot, map, clock, whence, at
  /// Selects a sub-call: shown by the sub-call's name.
  case sub

  /// Whether the kernel looks at the low 32 bits only.
  public var isHalf: Bool {
    switch self {
    case .fd, .dirfd, .int, .uint, .mode, .signal, .open, .clock, .whence, .at, .sub: true
    case .ptr, .str, .long, .size, .hex, .prot, .map: false
    }
  }
}

/// One argument.
public struct Argument: Sendable, Equatable {
  public var name: String
  public var kind: ArgumentKind
}

extension SyscallRow {
  /// The arguments, in order.
  public var arguments: [Argument] {
    var result: [Argument] = []
    for word in signature.description.split(separator: " ") {
      if word == "->" { break }
      let parts = word.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, let kind = ArgumentKind(rawValue: String(parts[1])) else { continue }
      result.append(Argument(name: String(parts[0]), kind: kind))
    }
    return result
  }

  /// Whether the result is an address.
  public var returnsPointer: Bool { signature.description.hasSuffix("-> ptr") }
}
