// Watchpoints in translated code: before an instruction that may touch watched memory, a question.
//
// The question is asked in two steps of table lookups that touch no flag and need one register (bis_abi.h,
// BIS_TABLES_WATCH_*): bits 16 to 31 of the address in hot code; in cold code the low bits and the width. What is left
// goes to the runtime (Runtime/watch.c), which compares exactly and stops. Each question has an entry of its own in the
// unit's map, before the one of its instruction: who goes on after it stands exactly at the instruction.

import CABI
import X86

/// Accesses to memory that code asks the runtime about.
public enum Watching: UInt8, Sendable { case nothing, writes, accesses }

extension Core {
  private static let watchOp = UInt32(BIS_SPECIAL_WATCH.rawValue)
  private static let repeatedOp = UInt32(BIS_SPECIAL_WATCH_REPEATED.rawValue)
  private static let bitsOp = UInt32(BIS_SPECIAL_WATCH_BITS.rawValue)
  private static let unknownOp = UInt32(BIS_SPECIAL_WATCH_UNKNOWN.rawValue)
  /// The longest access that the tables know of.
  private static let longest = 64

  /// gs-relative displacement of something in the tables.
  private static func table(_ offset: Int32) -> UInt32 {
    UInt32(truncatingIfNeeded: Int64(BIS_TABLES_BASE) + Int64(offset) - Int64(BIS_WINDOW_BASE))
  }

  /// Questions for each operand in memory of the instruction at `pc`.
  mutating func emitWatch(_ watching: Watching, _ i: Instruction, _ pc: UInt64, _ view: CodeView) {
    switch i.shape {
    // (The runtime looks at special ones itself.)
    case .special, .syscall, .undefined, .lea, .jcc, .jmp, .loop, .trap, .xbegin, .nothing: return
    default: break
    }
    guard let accesses = decoder.memoryAccesses(bytes(pc, view), available: i.length) else { return }
    // (Of what is read at addresses that cannot be told nothing shows afterwards.)
    for a in accesses where a.writes || (watching == .accesses && a.form != .unknown) {
      let before = hot.at
      emitQuestion(a, i, pc)
      appendMap(host: hot.at - before, guest: 0)
    }
  }

  private mutating func emitQuestion(_ a: MemoryAccess, _ i: Instruction, _ pc: UInt64) {
    let next = pc &+ UInt64(i.length)
    hot.store(GPR.rcx, to: Window.spillRCX)
    // (A string instruction with another segment is rare enough.)
    var form = a.form
    if form == .repeated, a.segment != .none { form = .unknown }
    switch form {
    case .plain where a.byteCount <= Self.longest:
      emitFilter(a, pc, next)
      return
    case .plain, .bitOffset:
      Self.emitAddress(&hot, a, next, readsFSBase: entries.readsFSBase)
      hot.store(GPR.rcx, to: Window.spillB)
    case .repeated, .unknown: break
    }
    hot.leaRelative(GPR.rcx, hot.pc + 7 + 5)
    hot.jump(entries.special)
    var register = 0
    if case .bitOffset(let r) = form { register = r }
    let op =
      switch form {
      case .plain: Self.watchOp
      case .repeated: Self.repeatedOp
      case .bitOffset: Self.bitsOp
      case .unknown: Self.unknownOp
      }
    Self.emitDescriptor(&hot, a, pc, op, flags: UInt8(register))
  }

  private static func emitDescriptor(_ e: inout Emitter, _ a: MemoryAccess, _ pc: UInt64, _ op: UInt32, flags: UInt8) {
    var bits = (a.reads ? BIS_WATCH_READS.rawValue : 0) | (a.writes ? BIS_WATCH_WRITES.rawValue : 0)
    if !a.isExact { bits |= BIS_WATCH_INEXACT.rawValue }
    if a.isShort { bits |= BIS_WATCH_SHORT.rawValue }
    if a.base == GPR.rsi { bits |= BIS_WATCH_SOURCE.rawValue }
    e.word64(pc)
    e.word32(op)
    e.byte(0)
    e.byte(UInt8(bits))
    e.byte(UInt8(a.byteCount))
    e.byte(flags)
  }

  /// Guest rcx is spilled, and live; both ways on give it back.
  private mutating func emitFilter(_ a: MemoryAccess, _ pc: UInt64, _ next: UInt64) {
    Self.emitAddress(&hot, a, next, readsFSBase: entries.readsFSBase)
    hot.bytes(0x0F, 0xC9)  // bswap ecx: bits 16 to 31 are the low ones now, the other way round
    hot.bytes(0x0F, 0xB7, 0xC9)  // movzx ecx, cx
    hot.bytes(0x65, 0x8B, 0x0C, 0x8D)  // mov ecx, gs:[rcx*4 + first]
    hot.word32(Self.table(BIS_TABLES_WATCH_FIRST))
    hot.bytes(0xE3, 5)  // jrcxz over the jump
    hot.jump(cold.pc)
    let passed = hot.pc
    hot.load(GPR.rcx, from: Window.spillRCX)
    let instruction = hot.pc
    cold.store(GPR.rcx, to: Window.spillC)
    cold.load(GPR.rcx, from: Window.spillRCX)
    Self.emitAddress(&cold, a, next, readsFSBase: entries.readsFSBase)
    cold.store(GPR.rcx, to: Window.spillB)
    cold.bytes(0x0F, 0xB7, 0xC9)
    cold.store(GPR.rax, to: Window.spillA)
    cold.load(GPR.rax, from: Window.spillC)
    cold.bytes(0x65, 0x0F, 0xB6, 0x8C)  // movzx ecx, byte gs:[rax + rcx + tables]
    cold.byte(0x08)
    cold.word32(Self.table(0))
    cold.load(GPR.rax, from: Window.spillA)
    cold.bytes(0x65, 0x0F, 0xB6, 0x89)  // movzx ecx, byte gs:[rcx + reach + 64 - size]
    cold.word32(Self.table(BIS_TABLES_WATCH_REACH + Int32(Self.longest - a.byteCount)))
    cold.bytes(0xE3, 5)
    cold.jump(cold.pc + 10)
    cold.jump(passed)
    cold.leaRelative(GPR.rcx, cold.pc + 7 + 5)
    cold.jump(entries.special)
    Self.emitDescriptor(&cold, a, pc, Self.watchOp, flags: 0x80)
    cold.jump(instruction)
  }

  /// The operand's address into rcx, without touching flags.
  private static func emitAddress(_ e: inout Emitter, _ a: MemoryAccess, _ next: UInt64, readsFSBase: Bool) {
    if a.isRIPRelative {
      let target = next &+ UInt64(bitPattern: a.displacement)
      e.constant(GPR.rcx, a.isShort ? target & 0xFFFF_FFFF : target)
    } else if a.base == nil, a.index == nil {
      let address = UInt64(bitPattern: a.displacement)
      e.constant(GPR.rcx, a.isShort ? address & 0xFFFF_FFFF : address)
    } else {
      emitLea(&e, a)
    }
    if a.segment == .none { return }
    e.store(GPR.rax, to: Window.spillA)
    if a.segment == .gs {
      e.load(GPR.rax, from: Window.gsBase)
    } else if readsFSBase {
      e.bytes(0xF3, 0x48, 0x0F, 0xAE)  // rdfsbase rax
      e.byte(0xC0)
    } else {
      e.load(GPR.rax, from: Window.fsBase)
    }
    e.bytes(0x48, 0x8D, 0x0C, 0x01)  // lea rcx, [rcx + rax]
    e.load(GPR.rax, from: Window.spillA)
  }

  /// lea rcx, [base + index * scale + disp32]. SDM vol. 2A, 2.1.5, 2.2.1.2.
  private static func emitLea(_ e: inout Emitter, _ a: MemoryAccess) {
    let base = a.base ?? 5
    let index = a.index ?? 4
    if a.isShort { e.byte(0x67) }
    e.byte(0x48 | (index >= 8 ? 2 : 0) | (base >= 8 ? 1 : 0))
    e.byte(0x8D)
    // (Without a base, mod 0 and base 5 say so.)
    e.byte(a.base == nil ? 0x0C : 0x8C)
    let shift: UInt8 = a.scale == 8 ? 3 : a.scale == 4 ? 2 : a.scale == 2 ? 1 : 0
    e.byte(shift << 6 | UInt8(index & 7) << 3 | UInt8(base & 7))
    e.word32(UInt32(truncatingIfNeeded: a.displacement))
  }
}
