// Decoding over Zydis 4.0. The only file (with DecoderTables.swift) that knows Zydis' types.

internal import CZydis

/// A decoder for 64-bit code. Owns scratch storage: call `free()` at the end.
public struct Decoder {
  private let scratch: UnsafeMutablePointer<Scratch>
  private let shapes: UnsafeMutablePointer<UInt8>
  let fast: UnsafeMutablePointer<UInt8>

  private struct Scratch {
    var decoder = ZydisDecoder()
    var context = ZydisDecoderContext()
    var instruction = ZydisDecodedInstruction()
  }

  /// What stopped a decode.
  public enum Failure: UInt8 { case none, truncated, undefined }

  public init() {
    scratch = .allocate(capacity: 1)
    scratch.initialize(to: Scratch())
    _ = ZydisDecoderInit(&scratch.pointee.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
    shapes = makeShapeTable()
    fast = Fast.makeTable()
  }

  public func free() {
    scratch.deallocate()
    shapes.deallocate()
    fast.deallocate()
  }

  /// Decodes one instruction. Frequent ones do not need Zydis.
  @inline(__always)
  public func decode(_ bytes: UnsafeRawPointer, available: Int, into out: inout Instruction) -> Failure {
    if available >= 15 && decodeFast(bytes, into: &out) { return .none }
    return decodeByZydis(bytes, available: available, into: &out)
  }

  /// Decodes one instruction. On `.undefined` the instruction has shape `.undefined` and length 1.
  @inline(never)
  public func decodeByZydis(_ bytes: UnsafeRawPointer, available: Int, into out: inout Instruction) -> Failure {
    let status = ZydisDecoderDecodeInstruction(
      &scratch.pointee.decoder, &scratch.pointee.context, bytes, ZyanUSize(available),
      &scratch.pointee.instruction)
    if status & 0x8000_0000 != 0 {
      out = Instruction()
      out.shape = .undefined
      out.length = 1
      // ZYDIS_STATUS_NO_MORE_DATA: error, module Zydis (2), code 0.
      return status == 0x8020_0000 ? .truncated : .undefined
    }
    fill(&out, bytes)
    return .none
  }

  @inline(__always)
  private func fill(_ out: inout Instruction, _ bytes: UnsafeRawPointer) {
    let z = scratch
    out = Instruction()
    let attributes = z.pointee.instruction.attributes
    out.length = Int(z.pointee.instruction.length)
    out.opcode = z.pointee.instruction.opcode
    out.operandWidth = z.pointee.instruction.operand_width
    out.opcodeMap = mapNumber(z.pointee.instruction.opcode_map.rawValue)
    out.has66 = attributes & Attribute.operandSize != 0
    out.has67 = attributes & Attribute.addressSize != 0
    out.segmentFS = attributes & Attribute.segmentFS != 0
    out.segmentGS = attributes & Attribute.segmentGS != 0
    fillPrefix(&out)
    if attributes & Attribute.modRM != 0 {
      out.hasModRM = true
      out.mod = z.pointee.instruction.raw.modrm.mod
      out.reg = z.pointee.instruction.raw.modrm.reg
      out.rm = z.pointee.instruction.raw.modrm.rm
      out.modrmOffset = Int(z.pointee.instruction.raw.modrm.offset)
      out.hasSIB = attributes & Attribute.sib != 0
    }
    out.dispOffset = Int(z.pointee.instruction.raw.disp.offset)
    out.dispSize = Int(z.pointee.instruction.raw.disp.size) / 8
    out.disp = z.pointee.instruction.raw.disp.value
    out.immSize = Int(z.pointee.instruction.raw.imm.0.size) / 8
    out.imm = z.pointee.instruction.raw.imm.0.value.s
    let row = shapes[Int(z.pointee.instruction.mnemonic.rawValue)]
    if row != 0 {
      // Zydis drops prefixes it thinks ignored; on AMD 66h is not ignored by near branches.
      out.has66 = hasPrefix66(bytes)
      classify(&out, row)
    }
  }

  @inline(__always)
  private func fillPrefix(_ out: inout Instruction) {
    let z = scratch
    switch z.pointee.instruction.encoding {
    case ZYDIS_INSTRUCTION_ENCODING_LEGACY, ZYDIS_INSTRUCTION_ENCODING_3DNOW:
      if z.pointee.instruction.attributes & Attribute.rex != 0 {
        let rex = z.pointee.instruction.raw.rex
        out.hasREX = true
        out.rexW = rex.W != 0
        out.rexR = rex.R != 0
        out.rexX = rex.X != 0
        out.rexB = rex.B != 0
        out.prefixOffset = Int(rex.offset)
      }
    case ZYDIS_INSTRUCTION_ENCODING_VEX:
      let vex = z.pointee.instruction.raw.vex
      out.encoding = .vex
      out.rexW = vex.W != 0
      out.rexX = vex.X == 0 && vex.size == 3
      out.rexB = vex.B == 0 && vex.size == 3
      out.prefixOffset = Int(vex.offset)
      out.vexSize = Int(vex.size)
    case ZYDIS_INSTRUCTION_ENCODING_EVEX:
      let evex = z.pointee.instruction.raw.evex
      out.encoding = .evex
      out.rexX = evex.X == 0
      out.rexB = evex.B == 0
      out.prefixOffset = Int(evex.offset)
    case ZYDIS_INSTRUCTION_ENCODING_XOP:
      let xop = z.pointee.instruction.raw.xop
      out.encoding = .xop
      out.rexX = xop.X == 0
      out.rexB = xop.B == 0
      out.prefixOffset = Int(xop.offset)
    default: out.encoding = .other
    }
  }

  /// General registers that the instruction at `bytes` reads or writes, memory operands included: a bit per number;
  /// nil if it has a memory operand that cannot be moved to another base register (VSIB, implicit string operands).
  /// Slow: full operand decode.
  public func registersUsed(_ bytes: UnsafeRawPointer, available: Int) -> UInt32? {
    var instruction = ZydisDecodedInstruction()
    return withUnsafeTemporaryAllocation(of: ZydisDecodedOperand.self, capacity: 10) { operands -> UInt32? in
      guard let base = operands.baseAddress else { return nil }
      let status = ZydisDecoderDecodeFull(
        &scratch.pointee.decoder, bytes, ZyanUSize(available), &instruction, base)
      if status & 0x8000_0000 != 0 { return nil }
      var used: UInt32 = 0
      for i in 0..<Int(instruction.operand_count) {
        let operand = operands[i]
        if operand.type == ZYDIS_OPERAND_TYPE_REGISTER { used |= bit(operand.reg.value) }
        if operand.type == ZYDIS_OPERAND_TYPE_MEMORY {
          if operand.mem.type == ZYDIS_MEMOP_TYPE_VSIB { return nil }
          if operand.mem.type == ZYDIS_MEMOP_TYPE_MIB { return nil }
          used |= bit(operand.mem.base) | bit(operand.mem.index)
        }
      }
      return used
    }
  }

  private func bit(_ register: ZydisRegister) -> UInt32 {
    let large = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, register)
    let number = Int(large.rawValue) - Int(ZYDIS_REGISTER_RAX.rawValue)
    return (0..<16).contains(number) ? 1 << UInt32(number) : 0
  }
}

/// 66h among the legacy prefixes.
private func hasPrefix66(_ bytes: UnsafeRawPointer) -> Bool {
  for k in 0..<14 {
    switch bytes.load(fromByteOffset: k, as: UInt8.self) {
    case 0x66: return true
    case 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x67, 0xF0, 0xF2, 0xF3: continue
    default: return false
    }
  }
  return false
}

@inline(__always)
private func mapNumber(_ raw: UInt32) -> UInt8 { raw <= 3 ? UInt8(raw) : 255 }

/// Bits of ZydisInstructionAttributes (Zydis 4.0, SharedTypes.h): its macros are not typed.
enum Attribute {
  static let modRM: UInt64 = 1 << 0
  static let sib: UInt64 = 1 << 1
  static let rex: UInt64 = 1 << 2
  /// REP, REPE, REPNE.
  static let repeats: UInt64 = 7 << 28
  static let segmentFS: UInt64 = 1 << 41
  static let segmentGS: UInt64 = 1 << 42
  static let operandSize: UInt64 = 1 << 43
  static let addressSize: UInt64 = 1 << 44
}
