// The bytecode in which gdb sends conditions: gdb's manual, appendix "The GDB Agent Expression Mechanism".

/// Where a condition is evaluated: one thread at one point.
public protocol AgentEnvironment {
  /// The register with this number of the target description; its low 64 bits.
  func register(_ index: Int) -> UInt64?
  /// All `count` bytes (at most 8) at `address`, or nil.
  func memory(at address: UInt64, count: Int) -> [UInt8]?
}

/// Why a condition has no value.
public enum AgentError: Error, Equatable, Sendable {
  /// An operation that is unknown, or makes no sense in a condition (tracing, printing, floats).
  case unsupported(UInt8)
  case divisionByZero
  case badMemory(UInt64)
  case badRegister(Int)
  case stackUnderflow
  case stackOverflow
  /// The code ends in the middle, or a jump leaves it.
  case outOfCode
  /// It does not end.
  case tooLong
}

/// A condition.
public struct AgentExpression: Equatable, Sendable {
  public var code: [UInt8]

  public init(code: [UInt8]) { self.code = code }
}
