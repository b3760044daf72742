// Runs agent expressions. They come from gdb, over a line anybody may hold: whatever they are, this ends and never traps.

extension AgentExpression {
  /// How many operations one evaluation may take.
  static let maximumSteps = 100_000
  /// How many values the stack may hold.
  static let maximumDepth = 256

  /// The value on top of the stack at the end.
  public func evaluate(in environment: some AgentEnvironment) throws(AgentError) -> UInt64 {
    var evaluator = AgentEvaluator(code: code, environment: environment)
    for _ in 0..<Self.maximumSteps {
      guard try evaluator.step() else { return try evaluator.pop() }
    }
    throw .tooLong
  }
}

/// The operations; the values are gdb's (gdbsupport/ax.def, gdb 13).
private enum AgentOperation: UInt8 {
  case add = 0x02, subtract, multiply, divideSigned, divideUnsigned, remainderSigned, remainderUnsigned
  case shiftLeft = 0x09, shiftRightSigned, shiftRightUnsigned
  case logicalNot = 0x0e, and, or, xor, not, equal, lessSigned, lessUnsigned
  case signExtend = 0x16, load8, load16, load32, load64
  case branch = 0x20, jump, const8, const16, const32, const64, register, end, duplicate, drop
  case zeroExtend = 0x2a, swap
  case pick = 0x32, rotate
}

private struct AgentEvaluator<Environment: AgentEnvironment> {
  let code: [UInt8]
  let environment: Environment
  var position = 0
  var stack: [UInt64] = []

  init(code: [UInt8], environment: Environment) {
    self.code = code
    self.environment = environment
  }

  /// Does one operation; false at `end`.
  mutating func step() throws(AgentError) -> Bool {
    let byte = UInt8(try operand(1))
    guard let operation = AgentOperation(rawValue: byte) else { throw .unsupported(byte) }
    switch operation {
    case .end: return false
    case .branch:
      let target = try operand(2)
      if try pop() != 0 { position = Int(target) }
    case .jump: position = Int(try operand(2))
    case .const8: try push(operand(1))
    case .const16: try push(operand(2))
    case .const32: try push(operand(4))
    case .const64: try push(operand(8))
    case .register: try pushRegister()
    case .load8: try load(1)
    case .load16: try load(2)
    case .load32: try load(4)
    case .load64: try load(8)
    case .signExtend, .zeroExtend: try extend(signed: operation == .signExtend)
    case .logicalNot: try push(pop() == 0 ? 1 : 0)
    case .not: try push(~pop())
    case .duplicate, .drop, .swap, .pick, .rotate: try rearrange(operation)
    default:
      let right = try pop()
      let left = try pop()
      try push(compute(operation, left, right))
    }
    return true
  }

  mutating func pop() throws(AgentError) -> UInt64 {
    guard let value = stack.popLast() else { throw .stackUnderflow }
    return value
  }

  private mutating func push(_ value: UInt64) throws(AgentError) {
    guard stack.count < AgentExpression.maximumDepth else { throw .stackOverflow }
    stack.append(value)
  }

  /// The next `count` bytes of the code, the first one highest.
  private mutating func operand(_ count: Int) throws(AgentError) -> UInt64 {
    guard position + count <= code.count else { throw .outOfCode }
    defer { position += count }
    return code[position..<position + count].reduce(0) { $0 << 8 | UInt64($1) }
  }

  private mutating func pushRegister() throws(AgentError) {
    let index = Int(try operand(2))
    guard let value = environment.register(index) else { throw .badRegister(index) }
    try push(value)
  }

  private mutating func load(_ count: Int) throws(AgentError) {
    let address = try pop()
    guard let bytes = environment.memory(at: address, count: count), bytes.count == count else {
      throw .badMemory(address)
    }
    try push(bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) })
  }

  /// Keeps the low `operand` bits; those above become copies of the highest one, or 0.
  private mutating func extend(signed: Bool) throws(AgentError) {
    let bits = try operand(1)
    let value = try pop()
    guard bits < 64 else { return try push(value) }
    let kept = value & ((1 << bits) - 1)
    let isNegative = signed && bits > 0 && value >> (bits - 1) & 1 == 1
    try push(isNegative ? kept | UInt64.max << bits : kept)
  }

  private mutating func rearrange(_ operation: AgentOperation) throws(AgentError) {
    switch operation {
    case .drop: _ = try pop()
    case .swap:
      let (b, a) = (try pop(), try pop())
      try push(b)
      try push(a)
    case .rotate:
      // a b c => c a b
      let (c, b, a) = (try pop(), try pop(), try pop())
      for value in [c, a, b] { try push(value) }
    default:
      let depth = operation == .pick ? Int(try operand(1)) : 0
      guard depth < stack.count else { throw .stackUnderflow }
      try push(stack[stack.count - 1 - depth])
    }
  }

  private func compute(_ operation: AgentOperation, _ a: UInt64, _ b: UInt64) throws(AgentError) -> UInt64 {
    let (x, y) = (Int64(bitPattern: a), Int64(bitPattern: b))
    switch operation {
    case .add: return a &+ b
    case .subtract: return a &- b
    case .multiply: return a &* b
    case .divideSigned, .divideUnsigned, .remainderSigned, .remainderUnsigned:
      guard b != 0 else { throw .divisionByZero }
      return divide(operation, a, b)
    case .shiftLeft: return a << b
    case .shiftRightSigned: return UInt64(bitPattern: x >> b)
    case .shiftRightUnsigned: return a >> b
    case .and: return a & b
    case .or: return a | b
    case .xor: return a ^ b
    case .equal: return a == b ? 1 : 0
    case .lessSigned: return x < y ? 1 : 0
    case .lessUnsigned: return a < b ? 1 : 0
    default: throw .unsupported(operation.rawValue)
    }
  }

  /// `b` is not 0. The one signed quotient that does not fit wraps.
  private func divide(_ operation: AgentOperation, _ a: UInt64, _ b: UInt64) -> UInt64 {
    let (x, y) = (Int64(bitPattern: a), Int64(bitPattern: b))
    switch operation {
    case .divideSigned: return UInt64(bitPattern: x.dividedReportingOverflow(by: y).partialValue)
    case .remainderSigned: return UInt64(bitPattern: x.remainderReportingOverflow(dividingBy: y).partialValue)
    case .divideUnsigned: return a / b
    default: return a % b
    }
  }
}
