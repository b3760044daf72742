// One decoded guest instruction, reduced to what a translator needs.

/// What kind of treatment an instruction needs.
public enum Shape: UInt8, Sendable {
  /// Copied; memory operands may need another address.
  case plain
  /// `lea`: computes addresses, touches no memory, ignores segments.
  case lea
  case jcc, jmp, call, jmpIndirect, callIndirect, ret
  /// loop, loope, loopne, jecxz, jrcxz: 8-bit displacement only.
  case loop
  /// Meaning depends on the CPU profile or on virtual state: `Instruction.special` says which.
  case special
  case syscall
  /// Cannot be executed (unknown to the decoder, or would break the engine): raises #UD.
  case undefined
  /// Never goes on (ud2, hlt): copied, then the unit ends.
  case trap
  case xbegin
  /// No effect outside a transaction (xabort).
  case nothing
}

/// Instruction encodings. SDM vol. 2A, 2.1 to 2.7.
public enum Encoding: UInt8, Sendable { case legacy, vex, evex, xop, other }

@frozen
public struct Instruction {
  public var length: Int = 0
  public var shape: Shape = .plain
  public var encoding: Encoding = .legacy
  /// `enum bis_special` when `shape` is `.special`.
  public var special: UInt8 = 0
  public var opcode: UInt8 = 0
  /// Opcode map: 0 one-byte, 1 0F, 2 0F38, 3 0F3A; others 255.
  public var opcodeMap: UInt8 = 0
  public var operandWidth: UInt8 = 0
  public var has66 = false
  public var has67 = false
  public var hasREX = false
  public var rexW = false
  public var rexR = false
  public var rexX = false
  public var rexB = false
  public var segmentFS = false
  public var segmentGS = false
  public var hasModRM = false
  public var mod: UInt8 = 0
  public var reg: UInt8 = 0
  public var rm: UInt8 = 0
  public var modrmOffset: Int = 0
  public var hasSIB = false
  public var dispOffset: Int = 0
  public var dispSize: Int = 0
  public var disp: Int64 = 0
  public var immSize: Int = 0
  public var imm: Int64 = 0
  /// Offset of the REX, VEX, EVEX or XOP prefix.
  public var prefixOffset: Int = 0
  public var vexSize: Int = 0

  @inlinable public init() {}

  /// mod = 0, rm = 5: RIP-relative in 64-bit mode (SDM vol. 2A, 2.2.1.6).
  @inlinable public var isRIPRelative: Bool { hasModRM && mod == 0 && rm == 5 }
  @inlinable public var hasMemoryOperand: Bool { hasModRM && mod != 3 }
  /// GPR number in ModRM.rm (with REX.B).
  @inlinable public var rmRegister: Int { Int(rm) | (rexB ? 8 : 0) }
  @inlinable public var regRegister: Int { Int(reg) | (rexR ? 8 : 0) }
  /// 66h without REX.W on a near branch: 16-bit target on AMD, ignored on Intel.
  @inlinable public var isShortOperandBranch: Bool { has66 && !rexW }
}
