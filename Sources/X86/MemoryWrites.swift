internal import CZydis

/// Whether the instruction at the start of `bytes` writes a memory operand (also implicit ones: push, call, string
/// stores). False when it cannot be decoded. Not for hot paths.
public func instructionWritesMemory(_ bytes: UnsafeRawBufferPointer) -> Bool {
  var decoder = ZydisDecoder()
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
  var instruction = ZydisDecodedInstruction()
  let operands = UnsafeMutablePointer<ZydisDecodedOperand>.allocate(capacity: Int(ZYDIS_MAX_OPERAND_COUNT))
  defer { operands.deallocate() }
  operands.initialize(repeating: ZydisDecodedOperand(), count: Int(ZYDIS_MAX_OPERAND_COUNT))
  let status = ZydisDecoderDecodeFull(&decoder, bytes.baseAddress, ZyanUSize(bytes.count), &instruction, operands)
  guard status & 0x8000_0000 == 0 else { return false }
  let writes = UInt8(ZYDIS_OPERAND_ACTION_WRITE.rawValue) | UInt8(ZYDIS_OPERAND_ACTION_CONDWRITE.rawValue)
  return (0..<Int(instruction.operand_count)).contains {
    operands[$0].type == ZYDIS_OPERAND_TYPE_MEMORY && UInt8(operands[$0].actions) & writes != 0
  }
}
