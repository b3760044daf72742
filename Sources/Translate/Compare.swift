// Ticks behind comparisons. Most loops end with a comparison and a conditional jump back. Whoever comes that way has flags that the
// comparison, executed once more, makes again: its registers are as they were. So the tick may change the flags:
//
//     dec [tick word]; jz expired; the comparison; body
//
// That is half of what a tick costs that must leave flags alone (Entries.swift), and a third of its bytes. Not in short loops,
// which would wait for the word in memory each time.

import X86

/// An instruction that does nothing but compare registers or constants: its bytes, and their number in the highest byte.
struct Compare: BitwiseCopyable, Equatable {
  private let word: UInt64
  static let none = Compare(word: 0)

  private init(word: UInt64) { self.word = word }

  /// `none` for any other instruction.
  @inline(__always)
  init(_ i: Instruction, _ code: UnsafeRawPointer) {
    word = Self.isCompare(i) ? Self.pack(i, code) : 0
  }

  /// CMP and TEST without memory operand. SDM vol. 2.
  @inline(__always)
  private static func isCompare(_ i: Instruction) -> Bool {
    guard i.shape == .plain, i.opcodeMap == 0, i.encoding == .legacy, i.length <= 7 else { return false }
    switch i.opcode {
    case 0x38...0x3B, 0x84, 0x85: return i.mod == 3
    case 0x80, 0x81, 0x83: return i.mod == 3 && i.reg == 7
    case 0xF6, 0xF7: return i.mod == 3 && i.reg == 0
    case 0x3C, 0x3D, 0xA8, 0xA9: return true
    default: return false
    }
  }

  private static func pack(_ i: Instruction, _ code: UnsafeRawPointer) -> UInt64 {
    var word = UInt64(i.length) << 56
    for k in 0..<i.length { word |= UInt64(code.load(fromByteOffset: k, as: UInt8.self)) << UInt64(8 * k) }
    return word
  }

  func emit(_ e: inout Emitter) {
    for k in 0..<Int(word >> 56) { e.byte(UInt8(truncatingIfNeeded: word >> UInt64(8 * k))) }
  }
}

extension Core {
  /// Bytes of the program from a loop's head to its end, from which on its tick may change the flags.
  private static let leastLoop: UInt64 = 56

  /// The comparison before a conditional jump back, if the loop is long enough.
  @inline(__always)
  func compareBefore(_ pc: UInt64, _ target: UInt64) -> Compare {
    pc &- target >= Self.leastLoop ? lastCompare : .none
  }

  /// What all transfers that wait for the head's tick entry have compared.
  func pendingCompare(_ h: Int) -> Compare {
    var n = Int(heads[h].pendingTick)
    guard n != 0 else { return .none }
    let compare = exits[n].compare
    while n != 0 {
      if exits[n].compare != compare { return .none }
      n = Int(exits[n].next)
    }
    return compare
  }

  /// Emits the entry; what follows is the body, or a jump to it. Returns the field that must lead to where it expires.
  func emitCompareTick(_ e: inout Emitter, _ guest: UInt64, _ compare: Compare) -> UnsafeMutableRawPointer {
    e.bytes(0x48, 0xFF, 0x0D)  // dec qword [rip+x]
    e.relative(to: Window.tickWord(guest))
    e.bytes(0x0F, 0x84)  // jz
    let field = e.at
    e.noteField()
    e.word32(0)
    compare.emit(&e)
    return field
  }

  /// The way out when the word reaches zero there: with the flags that the program has.
  mutating func emitCompareExpired(_ field: UnsafeMutableRawPointer, _ compare: Compare, body: UInt64) {
    patch(field, to: cold.pc)
    compare.emit(&cold)
    cold.store(GPR.rcx, to: Window.spillRCX)
    emitExpired(body: body)
  }

  /// The same in cold code, for a head whose body is elsewhere.
  mutating func makeCompareTick(_ h: Int, _ compare: Compare) -> UInt64 {
    coldPieces.append(ColdPiece(start: offset(cold.pc), head: UInt32(h)))
    let start = cold.pc
    var e = cold
    let field = emitCompareTick(&e, heads[h].guest, compare)
    cold = e
    let body = program(heads[h].body)
    cold.jump(body)
    emitCompareExpired(field, compare, body: body)
    heads[h].compare = compare
    heads[h].compareTick = offset(start)
    return start
  }
}
