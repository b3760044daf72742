internal import CABI

/// Who does a call while recording. `enum bis_class`.
public enum Handling: Sendable, Equatable {
  /// The runtime executes it and logs its outputs.
  case hot
  /// A handler in the runtime.
  case local(LocalHandler)
  /// The supervisor decides.
  case supervisor
  /// Fails without reaching the kernel.
  case refused(ErrorNumber)
  /// Returns 0 without reaching the kernel.
  case ignored
}

/// `enum bis_local`, by the names that the tables use.
public enum LocalHandler: UInt16, Sendable, CaseIterable {
  case brk = 1, mmap, munmap, mprotect, mremap, close, dup, dup2, dup3, fcntl, close_range, sigaction, sigprocmask,
    sigaltstack, arch_prctl, set_tid_address, write, writev, madvise, copy_range, rlimit, thread_name, futex_pi
}

/// How long an output is. `enum bis_length`; what `lengthArgument` and `size` mean is said there.
public enum OutputLength: UInt8, Sendable {
  case constant = 1, result, argument, iovec, msghdr, mmsghdr, socklen, fdset, pointed, minimum, pages, resultPlus,
    sockopt, ifconf
}

/// When an output is written. `enum bis_when`.
public enum OutputTime: UInt8, Sendable {
  case success = 0, always, positive, eintr, maybe
}

/// One range of memory that a call writes.
public struct Output: Sendable, Equatable {
  /// Which argument points to it.
  public var argument: UInt8
  public var length: OutputLength
  /// Which argument says how long it is.
  public var lengthArgument: UInt8
  /// Bytes, or bytes per unit.
  public var size: UInt32
  public var time: OutputTime

  @inline(never) init(
    _ argument: UInt8, _ length: OutputLength, _ lengthArgument: UInt8, _ size: UInt32, _ time: OutputTime
  ) {
    self.argument = argument
    self.length = length
    self.lengthArgument = lengthArgument
    self.size = size
    self.time = time
  }
}

// The initialisers are not inlined: rows would take half a minute to compile, not seconds.

/// Up to five outputs.
public struct Outputs: Sendable {
  public let count: Int
  let slots: [5 of Output?]

  @inline(never) init(
    _ first: Output? = nil, _ second: Output? = nil, _ third: Output? = nil, _ fourth: Output? = nil,
    _ fifth: Output? = nil
  ) {
    slots = [first, second, third, fourth, fifth]
    var filled = 0
    for index in 0..<5 where slots[index] != nil { filled += 1 }
    count = filled
  }

  /// Precondition: `0 <= index < count`.
  public subscript(index: Int) -> Output { slots[index]! }
}

/// Which argument selects a sub-call, as `bis_syscall_row.key_arg`.
public struct SubcallKey: Sendable, Equatable {
  public let raw: UInt8
  public static let none = SubcallKey(raw: 0xFF)

  /// The key these arguments make; nil if the call has no sub-calls.
  public func value(_ arguments: [UInt64]) -> UInt64? {
    guard raw != 0xFF else { return nil }
    let index = Int(raw & 7)
    guard index < arguments.count else { return nil }
    var key = arguments[index] & 0xFFFF_FFFF
    if raw & UInt8(BIS_KEY_LOW7) != 0 { key &= 0x7F }
    if raw & UInt8(BIS_KEY_PAIR) != 0, index > 0 { key |= arguments[index - 1] << 32 }
    return key
  }

  /// The argument that formatting shows by the sub-call's name.
  public var argument: Int? { raw == 0xFF ? nil : Int(raw & 7) }
}

/// One system call.
public struct SyscallRow: Sendable {
  public let number: UInt16
  public let name: StaticString
  /// `name:kind name:kind … -> kind`, see `ArgumentKind`.
  public let signature: StaticString
  public let handling: Handling
  /// Refused calls: worth a warning, once.
  public let warns: Bool
  /// May block for long.
  public let mayBlock: Bool
  public let key: SubcallKey
  /// Which argument is a path that must be looked at; nil: none.
  public let pathArgument: UInt8?
  public let outputs: Outputs
  public let note: StaticString

  @inline(never) init(
    _ number: UInt16, _ name: StaticString, _ signature: StaticString, _ handling: Handling, warns: Bool = false,
    mayBlock: Bool = false, key: UInt8 = 0xFF, path: UInt8? = nil, _ outputs: Outputs = Outputs(),
    note: StaticString = ""
  ) {
    self.number = number
    self.name = name
    self.signature = signature
    self.handling = handling
    self.warns = warns
    self.mayBlock = mayBlock
    self.key = SubcallKey(raw: key)
    self.pathArgument = path
    self.outputs = outputs
    self.note = note
  }
}

/// One of the calls in a call: replaces handling and outputs of the row above it.
public struct SubcallRow: Sendable {
  public let number: UInt16
  public let key: UInt64
  public let name: StaticString
  public let handling: Handling
  public let warns: Bool
  public let mayBlock: Bool
  public let outputs: Outputs
  public let note: StaticString

  /// In `key`: the row stands for a whole type of ioctl requests. `BIS_KEY_TYPE`.
  public static let typeBit: UInt64 = 1 << 32

  @inline(never) init(
    _ number: UInt16, _ key: UInt64, _ name: StaticString, _ handling: Handling, warns: Bool = false,
    mayBlock: Bool = false, _ outputs: Outputs = Outputs(), note: StaticString = ""
  ) {
    self.number = number
    self.key = key
    self.name = name
    self.handling = handling
    self.warns = warns
    self.mayBlock = mayBlock
    self.outputs = outputs
    self.note = note
  }
}
