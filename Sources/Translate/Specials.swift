// Instructions whose meaning is virtual: they leave for the runtime with a descriptor (bis_abi.h, bis_descriptor).

import X86

extension Core {
  static let undefinedOp: UInt32 = 21

  /// Emits the way into the runtime for a special instruction. False if it was refused (the unit ends).
  mutating func emitSpecial(_ i: Instruction, _ pc: UInt64, _ code: UnsafeRawPointer) -> Bool {
    if i.hasMemoryOperand && (i.segmentFS || i.segmentGS) {
      emitUndefined(i, pc, code)
      return false
    }
    emitRuntimeEntry(
      entries.special, op: UInt32(i.special), i, pc &+ UInt64(i.length), effectiveAddress: i.hasMemoryOperand,
      pc: pc, code: code)
    return true
  }

  /// Raises #UD when executed. Also what stands for instructions that cannot be translated.
  mutating func emitUndefined(_ i: Instruction, _ pc: UInt64, _ code: UnsafeRawPointer) {
    statistics.unsupported += 1
    if unsupportedList.count < 1000 {
      let bytes = (0..<i.length).map { code.load(fromByteOffset: $0, as: UInt8.self) }
      unsupportedList.append(Unsupported(guest: pc, bytes: bytes))
    }
    emitRuntimeEntry(entries.special, op: Self.undefinedOp, i, pc &+ UInt64(i.length), effectiveAddress: false)
  }

  /// mov [spill_RCX], rcx; (effective address to spill_A;) lea rcx, [descriptor]; jmp entry; descriptor.
  mutating func emitRuntimeEntry(
    _ entry: UInt64, op: UInt32, _ i: Instruction, _ next: UInt64, effectiveAddress: Bool, pc: UInt64 = 0,
    code: UnsafeRawPointer? = nil
  ) {
    hot.store(GPR.rcx, to: Window.spillRCX)
    if effectiveAddress, let code {
      emitAddress(i, pc, code, opcode: 0x8D, segment: false)
      hot.store(GPR.rcx, to: Window.spillA)
    }
    hot.leaRelative(GPR.rcx, hot.pc + 7 + 5)
    hot.jump(entry)
    hot.word64(next)
    hot.word32(op)
    hot.byte(UInt8(i.length))
    hot.byte(Self.namesRegister(op) ? UInt8(i.rmRegister) : 0)
    hot.byte(operandSize(op, i))
    hot.byte(effectiveAddress ? 1 : 0)
  }

  /// RDRAND, RDSEED, RDPID, RDGSBASE, WRGSBASE: ModRM.rm is a register operand.
  private static func namesRegister(_ op: UInt32) -> Bool { op == 5 || op == 6 || op == 7 || op == 18 || op == 19 }

  private func operandSize(_ op: UInt32, _ i: Instruction) -> UInt8 {
    switch op {
    case 7: 8  // RDPID
    case 5, 6: i.rexW ? 8 : i.has66 ? 2 : 4
    case 15, 16: i.has66 ? 2 : 4
    default: i.rexW ? 8 : 4
    }
  }
}
