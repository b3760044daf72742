// A short cut for the most frequent instructions: Zydis needs 70 to 100 ns for any, this 5. Anything with a prefix
// other than 66h and REX, and any opcode not in the table, goes to Zydis. Tested against Zydis over all of libc.
// SDM vol. 2D, appendix A, tables.

/// What follows an opcode; 0: not known here.
enum Fast {
  static let known: UInt8 = 1
  static let modRM: UInt8 = 2
  static let imm8: UInt8 = 4
  /// 32 bits, with 66h 16: then left to Zydis.
  static let imm32: UInt8 = 8
  /// Depends on ModRM.reg or on more: see `fits`.
  static let checked: UInt8 = 16
  /// 66h changes nothing but operand size or data type.
  static let allows66: UInt8 = 32

  /// 256 rows of the one-byte map, then 256 of map 0F.
  static func makeTable() -> UnsafeMutablePointer<UInt8> {
    let t = UnsafeMutablePointer<UInt8>.allocate(capacity: 512)
    t.initialize(repeating: 0, count: 512)
    func set(_ opcodes: ClosedRange<Int>, _ flags: UInt8) {
      for o in opcodes { t[o] = known | flags }
    }
    for row in stride(from: 0, to: 0x40, by: 8) {
      set(row...(row + 3), modRM | allows66)
      set((row + 4)...(row + 4), imm8)
      set((row + 5)...(row + 5), imm32)
    }
    set(0x50...0x5F, 0)
    set(0x63...0x63, modRM)
    set(0x68...0x68, imm32)
    set(0x69...0x69, modRM | imm32)
    set(0x6A...0x6A, imm8)
    set(0x6B...0x6B, modRM | imm8 | allows66)
    set(0x70...0x7F, imm8)
    set(0x80...0x80, modRM | imm8)
    set(0x81...0x81, modRM | imm32)
    set(0x83...0x83, modRM | imm8 | allows66)
    set(0x84...0x8B, modRM | allows66)
    set(0x8D...0x8D, modRM | checked | allows66)
    set(0x90...0x99, allows66)
    set(0xA8...0xA8, imm8)
    set(0xA9...0xA9, imm32)
    set(0xB0...0xB7, imm8)
    set(0xB8...0xBF, imm32 | checked)
    set(0xC0...0xC1, modRM | imm8 | allows66)
    set(0xC3...0xC3, 0)
    set(0xC6...0xC6, modRM | imm8 | checked)
    set(0xC7...0xC7, modRM | imm32 | checked)
    set(0xC9...0xC9, 0)
    set(0xD0...0xD3, modRM | allows66)
    set(0xE8...0xE9, imm32)
    set(0xEB...0xEB, imm8)
    set(0xF6...0xF7, modRM | checked)
    set(0xFF...0xFF, modRM | checked)
    set(0x110...0x111, modRM | allows66)
    set(0x11F...0x11F, modRM | checked | allows66)
    set(0x128...0x129, modRM | allows66)
    set(0x12E...0x12F, modRM | allows66)
    set(0x140...0x14F, modRM | allows66)
    set(0x154...0x154, modRM | allows66)
    set(0x157...0x157, modRM | allows66)
    set(0x180...0x18F, imm32)
    set(0x190...0x19F, modRM | allows66)
    set(0x1AF...0x1AF, modRM | allows66)
    set(0x1B6...0x1B7, modRM | allows66)
    set(0x1BE...0x1BF, modRM | allows66)
    set(0x1EF...0x1EF, modRM | allows66)
    return t
  }
}

extension Decoder {
  /// Decodes a frequent instruction; false: use Zydis. 15 bytes must be readable.
  @inline(__always)
  func decodeFast(_ p: UnsafeRawPointer, into out: inout Instruction) -> Bool {
    var at = 0
    var byte = p.load(as: UInt8.self)
    let has66 = byte == 0x66
    if has66 {
      at = 1
      byte = p.load(fromByteOffset: 1, as: UInt8.self)
    }
    var rex: UInt8 = 0
    let rexAt = at
    if byte & 0xF0 == 0x40 {
      rex = byte
      at += 1
      byte = p.load(fromByteOffset: at, as: UInt8.self)
    }
    var map = 0
    if byte == 0x0F {
      map = 256
      at += 1
      byte = p.load(fromByteOffset: at, as: UInt8.self)
    }
    let flags = fast[map + Int(byte)]
    if flags == 0 || (has66 && flags & Fast.allows66 == 0) { return false }
    at += 1
    out = Instruction()
    out.opcode = byte
    out.opcodeMap = map == 0 ? 0 : 1
    out.has66 = has66
    out.prefixOffset = rex == 0 ? 0 : rexAt
    out.hasREX = rex != 0
    out.rexW = rex & 8 != 0
    out.rexR = rex & 4 != 0
    out.rexX = rex & 2 != 0
    out.rexB = rex & 1 != 0
    out.operandWidth = rex & 8 != 0 ? 64 : has66 ? 16 : 32
    if flags & Fast.modRM != 0 { operand(p, &at, &out) }
    var immediate = flags & Fast.imm8 != 0 ? 1 : flags & Fast.imm32 != 0 ? 4 : 0
    if flags & Fast.checked != 0 && !fits(&out, &immediate) { return false }
    if immediate != 0 { constant(p, &at, immediate, &out) }
    out.length = at
    if map == 0 { shapeOneByte(&out) } else if byte & 0xF0 == 0x80 { out.shape = .jcc }
    return true
  }

  /// ModRM, SIB and displacement. SDM vol. 2A, tables 2-2 and 2-3.
  @inline(__always)
  private func operand(_ p: UnsafeRawPointer, _ at: inout Int, _ out: inout Instruction) {
    let modrm = p.load(fromByteOffset: at, as: UInt8.self)
    out.hasModRM = true
    out.modrmOffset = at
    out.mod = modrm >> 6
    out.reg = modrm >> 3 & 7
    out.rm = modrm & 7
    at += 1
    if out.mod == 3 { return }
    var size = out.mod == 1 ? 1 : out.mod == 2 ? 4 : 0
    if out.rm == 4 {
      out.hasSIB = true
      if out.mod == 0 && p.load(fromByteOffset: at, as: UInt8.self) & 7 == 5 { size = 4 }
      at += 1
    } else if out.mod == 0 && out.rm == 5 {
      size = 4
    }
    if size == 0 { return }
    out.dispOffset = at
    out.dispSize = size
    out.disp =
      size == 1
      ? Int64(p.load(fromByteOffset: at, as: Int8.self)) : Int64(p.loadUnaligned(fromByteOffset: at, as: Int32.self))
    at += size
  }

  @inline(__always)
  private func constant(_ p: UnsafeRawPointer, _ at: inout Int, _ size: Int, _ out: inout Instruction) {
    out.immSize = size
    out.imm =
      size == 1
      ? Int64(p.load(fromByteOffset: at, as: Int8.self)) : Int64(p.loadUnaligned(fromByteOffset: at, as: Int32.self))
    at += size
  }

  /// Groups and exceptions; sets the size of the immediate where ModRM.reg decides it.
  private func fits(_ i: inout Instruction, _ immediate: inout Int) -> Bool {
    switch i.opcode {
    case 0x8D: return i.mod != 3
    case 0x1F: return i.reg == 0
    case 0xC6, 0xC7: return i.reg == 0
    case 0xF6: immediate = i.reg < 2 ? 1 : 0
    case 0xF7: immediate = i.reg < 2 ? 4 : 0
    case 0xFF: return i.reg != 3 && i.reg != 5 && i.reg != 7
    default: return !i.rexW  // B8+r with REX.W: 64-bit immediate
    }
    return true
  }

  @inline(__always)
  private func shapeOneByte(_ i: inout Instruction) {
    switch i.opcode {
    case 0x70...0x7F: i.shape = .jcc
    case 0x8D: i.shape = .lea
    case 0xC3: i.shape = .ret
    case 0xE8: i.shape = .call
    case 0xE9, 0xEB: i.shape = .jmp
    case 0xFF where i.reg == 2: i.shape = .callIndirect
    case 0xFF where i.reg == 4: i.shape = .jmpIndirect
    default: break
    }
  }
}
