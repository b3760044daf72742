// Instructions that are copied, and memory operands that need another address. SDM vol. 2A, 2.1.5 and 2.2.1.6.

import X86

extension Core {
  /// Registers that can replace a base in a ModRM byte with mod = 0, and that need no REX.
  private static let scratchOrder: [8 of UInt8] = [3, 6, 7, 2, 1, 0, 0, 0]

  /// Copies an instruction, giving its memory operand another form if it depends on where the code is.
  @inline(__always)
  mutating func emitPlain(_ i: Instruction, _ pc: UInt64, _ code: UnsafeRawPointer) {
    if !i.isRIPRelative && !i.segmentGS {
      hot.copy(code, i.length)
    } else {
      emitOperand(i, pc, code)
    }
  }

  private mutating func emitOperand(_ i: Instruction, _ pc: UInt64, _ code: UnsafeRawPointer) {
    if i.segmentGS && i.shape != .lea {
      if i.hasMemoryOperand { emitGS(i, pc, code) } else { emitUndefined(i, pc, code) }
      return
    }
    if !i.isRIPRelative {
      hot.copy(code, i.length)
      return
    }
    let absolute = ripTarget(i, pc)
    let displacement = Int64(bitPattern: absolute &- hot.pc) - Int64(i.length)
    if i.has67 || displacement == Int64(Int32(truncatingIfNeeded: displacement)) {
      if i.has67 { areas[area].isMovable = false } else { hot.noteGuestField(ahead: i.dispOffset) }
      let at = hot.at
      hot.copy(code, i.length)
      (at + i.dispOffset).storeBytes(of: UInt32(truncatingIfNeeded: displacement), as: UInt32.self)
    } else if i.shape == .lea {
      emitLeaConstant(i, absolute)
    } else if absolute < 0x8000_0000 && i.length < 15 {
      emitAbsolute(i, absolute, code)
    } else {
      emitThroughScratch(i, absolute, pc, code)
    }
  }

  @inline(__always)
  func ripTarget(_ i: Instruction, _ pc: UInt64) -> UInt64 {
    let a = pc &+ UInt64(i.length) &+ UInt64(bitPattern: i.disp)
    return i.has67 ? a & 0xFFFF_FFFF : a
  }

  private mutating func emitLeaConstant(_ i: Instruction, _ value: UInt64) {
    let r = i.regRegister
    switch i.operandWidth {
    case 64: hot.constant(r, value)
    case 32: hot.constant(r, value & 0xFFFF_FFFF)
    default:
      hot.byte(0x66)
      if r >= 8 { hot.byte(0x41) }
      hot.byte(0xB8 | UInt8(r & 7))
      hot.byte(UInt8(truncatingIfNeeded: value))
      hot.byte(UInt8(truncatingIfNeeded: value >> 8))
    }
  }

  /// [disp32] without base or index, sign-extended: mod 0, rm 4, SIB 25h.
  private mutating func emitAbsolute(_ i: Instruction, _ absolute: UInt64, _ code: UnsafeRawPointer) {
    let at = hot.at
    hot.copy(code, i.modrmOffset)
    clearBaseExtension(i, at)
    hot.byte(i.reg << 3 | 4)
    hot.byte(0x25)
    hot.word32(UInt32(absolute))
    copyTail(i, code)
  }

  /// What follows the memory operand: immediates.
  private mutating func copyTail(_ i: Instruction, _ code: UnsafeRawPointer) {
    let tail = i.modrmOffset + 1 + (i.hasSIB ? 1 : 0) + i.dispSize
    hot.copy(code + tail, i.length - tail)
  }

  /// Clears the extension bits of base and index in the prefix that was copied to `at`.
  private func clearBaseExtension(_ i: Instruction, _ at: UnsafeMutableRawPointer) {
    switch i.encoding {
    case .legacy:
      if !i.hasREX { return }
      let p = at + i.prefixOffset
      p.storeBytes(of: p.load(as: UInt8.self) & ~3, as: UInt8.self)
    case .vex where i.vexSize == 2: break
    default:  // inverted X and B of the second byte
      let p = at + i.prefixOffset + 1
      p.storeBytes(of: p.load(as: UInt8.self) | 0x60, as: UInt8.self)
    }
  }

  /// Copies the instruction with [s] as its memory operand; `dropGS` leaves out segment prefixes.
  private mutating func emitWithBase(_ i: Instruction, _ s: Int, _ code: UnsafeRawPointer, dropGS: Bool) {
    var buffer = (UInt64(0), UInt64(0))
    withUnsafeMutableBytes(of: &buffer) { b in
      guard let base = b.baseAddress else { return }
      base.copyMemory(from: code, byteCount: i.modrmOffset)
      clearBaseExtension(i, base)
      if s >= 8 {
        let p = base + i.prefixOffset
        p.storeBytes(of: p.load(as: UInt8.self) | 1, as: UInt8.self)
      }
    }
    withUnsafeBytes(of: &buffer) { b in
      let prefixes = i.hasREX || i.encoding != .legacy ? i.prefixOffset : i.modrmOffset
      var inPrefixes = true
      for k in 0..<i.modrmOffset {
        if k >= prefixes { inPrefixes = false }
        let v = b[k]
        if inPrefixes && dropGS && (v == 0x65 || v == 0x64) { continue }
        if inPrefixes && !Self.isLegacyPrefix(v) { inPrefixes = false }
        // The address is complete in s: an address-size prefix would cut it.
        if inPrefixes && v == 0x67 { continue }
        hot.byte(v)
      }
    }
    hot.byte(i.reg << 3 | UInt8(s & 7))
    copyTail(i, code)
  }

  private static func isLegacyPrefix(_ v: UInt8) -> Bool {
    switch v {
    case 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3: true
    default: false
    }
  }

  /// Two registers that the instruction does not use, or nil if it cannot be rewritten.
  private func scratch(_ i: Instruction, _ code: UnsafeRawPointer) -> (Int, Int)? {
    guard let used = decoder.registersUsed(code, available: i.length) else { return nil }
    var first = -1
    for k in 0..<6 {
      let r = Int(Self.scratchOrder[k])
      if used & (1 << UInt32(r)) != 0 { continue }
      if first >= 0 { return (first, r) }
      first = r
    }
    return nil
  }

  /// A far operand: its address goes into a scratch register that is given back afterwards.
  private mutating func emitThroughScratch(
    _ i: Instruction, _ absolute: UInt64, _ pc: UInt64, _ code: UnsafeRawPointer
  ) {
    let r = i.regRegister
    if i.encoding == .legacy && i.opcodeMap == 0 && i.opcode == 0x8B && i.operandWidth >= 32 && r & 7 != 4
      && r & 7 != 5
    {
      // mov r, [x]: the destination carries the address; the spill is for a fault only.
      hot.store(r, to: Window.spillA)
      hot.constant(r, absolute)
      emitWithBase(i, r, code, dropGS: false)
      return
    }
    guard let (s, _) = scratch(i, code) else {
      emitUndefined(i, pc, code)
      return
    }
    hot.store(s, to: Window.spillA)
    hot.constant(s, absolute)
    emitWithBase(i, s, code, dropGS: false)
    hot.load(s, from: Window.spillA)
  }

  /// The program's GS base is virtual: address = base from the control block + offset, added without flags.
  private mutating func emitGS(_ i: Instruction, _ pc: UInt64, _ code: UnsafeRawPointer) {
    let base = UInt8(i.hasSIB ? code.load(fromByteOffset: i.modrmOffset + 1, as: UInt8.self) & 7 : 0)
    let popsThroughStack = i.opcodeMap == 0 && i.opcode == 0x8F && i.hasSIB && base == 4 && !i.rexB
    let scaled = i.encoding == .evex && i.dispSize == 1
    guard !popsThroughStack, !scaled, let (s, t) = scratch(i, code) else {
      emitUndefined(i, pc, code)
      return
    }
    hot.store(s, to: Window.spillA)
    hot.store(t, to: Window.spillB)
    emitAddress(i, pc, code, opcode: 0x8D, segment: false, into: s)
    hot.load(t, from: Window.gsBase)
    hot.bytes(0x48, 0x8D, UInt8(s) << 3 | 4, UInt8(t) << 3 | UInt8(s))  // lea s, [s+t]
    hot.load(t, from: Window.spillB)
    emitWithBase(i, s, code, dropGS: true)
    hot.load(s, from: Window.spillA)
  }

  /// `lea` (8Dh) or `mov` (8Bh) of the instruction's memory operand into a register, 64 bits wide.
  /// `segment`: keep an FS prefix. The register may be part of the operand.
  @discardableResult
  mutating func emitAddress(
    _ i: Instruction, _ pc: UInt64, _ code: UnsafeRawPointer, opcode: UInt8, segment: Bool, into r: Int = GPR.rcx
  ) -> Bool {
    let fs = segment && i.segmentFS
    if i.isRIPRelative {
      emitRIPAddress(ripTarget(i, pc), opcode: opcode, fs: fs, into: r)
      return true
    }
    if i.encoding == .evex && i.dispSize == 1 { return false }
    if fs { hot.byte(0x64) }
    if i.has67 { hot.byte(0x67) }
    hot.byte(0x48 | (r >= 8 ? 4 : 0) | (i.rexX ? 2 : 0) | (i.rexB ? 1 : 0))
    hot.byte(opcode)
    hot.byte(i.mod << 6 | UInt8(r & 7) << 3 | i.rm)
    hot.copy(code + i.modrmOffset + 1, (i.hasSIB ? 1 : 0) + i.dispSize)
    return true
  }

  private mutating func emitRIPAddress(_ absolute: UInt64, opcode: UInt8, fs: Bool, into r: Int) {
    let displacement = Int64(bitPattern: absolute &- hot.pc) - (fs ? 8 : 7)
    if displacement == Int64(Int32(truncatingIfNeeded: displacement)) {
      if fs { hot.byte(0x64) }
      hot.bytes(r >= 8 ? 0x4C : 0x48, opcode, UInt8(r & 7) << 3 | 5)
      hot.noteGuestField(ahead: 0)
      hot.word32(UInt32(truncatingIfNeeded: absolute &- hot.pc &- 4))
      return
    }
    hot.constant(r, absolute)
    if opcode == 0x8D { return }
    if fs { hot.byte(0x64) }
    hot.bytes(0x48, 0x8B, UInt8(r) << 3 | UInt8(r))  // mov r, [r]
  }
}
