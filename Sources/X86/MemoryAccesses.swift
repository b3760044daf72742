// What memory an instruction touches, as far as its bytes tell: for watchpoints. SDM vol. 1, 3.7; vol. 2.

internal import CZydis

/// One operand in memory, also an implicit one (push, call, string instructions).
public struct MemoryAccess: Equatable, Sendable {
  public enum Form: Equatable, Sendable {
    /// `byteCount` bytes at the address.
    case plain
    /// A repeated string instruction: elements of `byteCount` bytes, as many as rcx says at most.
    case repeated
    /// BT and its family: the bit number in this register, sign-extended, moves the address.
    case bitOffset(register: Int)
    /// The bytes do not tell: gather, scatter, ENTER, tiles.
    case unknown
  }
  public enum Segment: Sendable { case none, fs, gs }

  public var form = Form.plain
  public var segment = Segment.none
  /// General register numbers; nil: none.
  public var base: Int?
  public var index: Int?
  public var scale: UInt8 = 1
  /// Added to base and index. RIP-relative operands have no base: it is counted from the next instruction.
  public var displacement: Int64 = 0
  public var isRIPRelative = false
  /// The address is cut to 32 bits (67h).
  public var isShort = false
  public var byteCount = 0
  public var reads = false
  public var writes = false
  /// False when some of the bytes may be left out (masks).
  public var isExact = true
}

extension Decoder {
  /// The operands in memory of the instruction at `bytes`; nil when it cannot be decoded. Slow: full operand decode.
  /// Instructions of shape `special` are not described.
  public func memoryAccesses(_ bytes: UnsafeRawPointer, available: Int) -> [MemoryAccess]? {
    var decoder = ZydisDecoder()
    _ = ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
    var instruction = ZydisDecodedInstruction()
    return withUnsafeTemporaryAllocation(of: ZydisDecodedOperand.self, capacity: 10) { operands -> [MemoryAccess]? in
      guard let first = operands.baseAddress,
        ZydisDecoderDecodeFull(&decoder, bytes, ZyanUSize(available), &instruction, first) & 0x8000_0000 == 0
      else { return nil }
      if touchesNothing(instruction) { return [] }
      if instruction.mnemonic == ZYDIS_MNEMONIC_ENTER {
        var frame = MemoryAccess()
        frame.form = .unknown
        (frame.reads, frame.writes, frame.isExact) = (true, true, false)
        return [frame]
      }
      var found: [MemoryAccess] = []
      for i in 0..<Int(instruction.operand_count) where operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY {
        if let access = access(instruction, operands[i]) { found.append(access) }
      }
      if case .some(let register) = bitRegister(instruction, operands), !found.isEmpty {
        found[0].form = .bitOffset(register: register)
      }
      return found
    }
  }

  /// Operands that are hints, or addresses only.
  private func touchesNothing(_ i: ZydisDecodedInstruction) -> Bool {
    switch i.meta.category {
    case ZYDIS_CATEGORY_NOP, ZYDIS_CATEGORY_WIDENOP, ZYDIS_CATEGORY_PREFETCH, ZYDIS_CATEGORY_PREFETCHWT1,
      ZYDIS_CATEGORY_CLDEMOTE, ZYDIS_CATEGORY_CLFLUSHOPT, ZYDIS_CATEGORY_CLWB:
      return true
    default:
      return i.mnemonic == ZYDIS_MNEMONIC_CLFLUSH || i.mnemonic == ZYDIS_MNEMONIC_LEA
    }
  }

  private func access(_ i: ZydisDecodedInstruction, _ o: ZydisDecodedOperand) -> MemoryAccess? {
    let actions = UInt8(o.actions)
    var a = MemoryAccess()
    a.reads = actions & UInt8(ZYDIS_OPERAND_ACTION_READ.rawValue | ZYDIS_OPERAND_ACTION_CONDREAD.rawValue) != 0
    a.writes = actions & UInt8(ZYDIS_OPERAND_ACTION_WRITE.rawValue | ZYDIS_OPERAND_ACTION_CONDWRITE.rawValue) != 0
    guard o.mem.type != ZYDIS_MEMOP_TYPE_AGEN, a.reads || a.writes else { return nil }
    a.byteCount = Int(o.size) / 8
    a.isExact = !isMasked(i)
    a.segment = o.mem.segment == ZYDIS_REGISTER_FS ? .fs : o.mem.segment == ZYDIS_REGISTER_GS ? .gs : .none
    a.isShort = i.address_width == 32
    a.isRIPRelative = o.mem.base == ZYDIS_REGISTER_RIP || o.mem.base == ZYDIS_REGISTER_EIP
    if !a.isRIPRelative { a.base = number(o.mem.base) }
    a.index = number(o.mem.index)
    a.scale = max(o.mem.scale, 1)
    if o.mem.disp.has_displacement != 0 { a.displacement = o.mem.disp.value }
    let isAddressed = o.mem.type == ZYDIS_MEMOP_TYPE_MEM && o.mem.index != ZYDIS_REGISTER_AL
    if !isAddressed || a.byteCount == 0 || a.byteCount > 255 {
      a.form = .unknown
      a.isExact = false
    } else if i.attributes & Attribute.repeats != 0, i.meta.category == ZYDIS_CATEGORY_STRINGOP {
      a.form = .repeated
    }
    adjustStack(i, o, &a)
    return a
  }

  /// Where instructions that move the stack pointer touch memory.
  private func adjustStack(_ i: ZydisDecodedInstruction, _ o: ZydisDecodedOperand, _ a: inout MemoryAccess) {
    let isHidden = o.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN
    if isHidden, i.mnemonic == ZYDIS_MNEMONIC_LEAVE {
      a.base = GPR.rbp
      (a.index, a.displacement) = (nil, 0)
    } else if isHidden, a.base == GPR.rsp, a.writes {
      a.displacement = -Int64(a.byteCount)
      a.isShort = false
    } else if isHidden, a.base == GPR.rsp {
      a.displacement = 0
      a.isShort = false
    } else if !isHidden, i.mnemonic == ZYDIS_MNEMONIC_POP, a.base == GPR.rsp {
      a.displacement += Int64(a.byteCount)
    }
  }

  private func isMasked(_ i: ZydisDecodedInstruction) -> Bool {
    switch i.mnemonic {
    case ZYDIS_MNEMONIC_MASKMOVQ, ZYDIS_MNEMONIC_MASKMOVDQU, ZYDIS_MNEMONIC_VMASKMOVDQU, ZYDIS_MNEMONIC_VMASKMOVPS,
      ZYDIS_MNEMONIC_VMASKMOVPD, ZYDIS_MNEMONIC_VPMASKMOVD, ZYDIS_MNEMONIC_VPMASKMOVQ:
      return true
    default:
      let register = i.avx.mask.reg
      return register != ZYDIS_REGISTER_NONE && register != ZYDIS_REGISTER_K0
    }
  }

  /// The register that holds the bit number of BT, BTS, BTR, BTC with an operand in memory.
  private func bitRegister(
    _ i: ZydisDecodedInstruction, _ operands: UnsafeMutableBufferPointer<ZydisDecodedOperand>
  ) -> Int? {
    switch i.mnemonic {
    case ZYDIS_MNEMONIC_BT, ZYDIS_MNEMONIC_BTS, ZYDIS_MNEMONIC_BTR, ZYDIS_MNEMONIC_BTC:
      guard operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY, operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER else {
        return nil
      }
      return number(operands[1].reg.value)
    default: return nil
    }
  }

  private func number(_ register: ZydisRegister) -> Int? {
    let large = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, register)
    let number = Int(large.rawValue) - Int(ZYDIS_REGISTER_RAX.rawValue)
    return (0..<16).contains(number) ? number : nil
  }
}
