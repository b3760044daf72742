// Writes x86-64 machine code through a writable mapping of code that executes elsewhere.

/// General register numbers in instruction encoding order.
public enum GPR {
  public static let rax = 0
  public static let rcx = 1
  public static let rdx = 2
  public static let rbx = 3
  public static let rsp = 4
  public static let rbp = 5
  public static let rsi = 6
  public static let rdi = 7
}

/// A cursor into a code area: `at` is where the next byte is written, `slide` the distance from there to the address
/// at which it executes.
///
/// Every RIP-relative field is noted, so that the code can be moved. The notes are a cursor, too: to go back to an
/// earlier copy of the emitter takes back the bytes and the notes made since.
@frozen
public struct Emitter {
  public var at: UnsafeMutableRawPointer
  public let slide: Int
  /// Where the next note goes: the low half of the field's address as executed; bit 31 is clear if it refers to the
  /// guest's memory. (Code lies where bit 31 of an address is set.)
  public var note: UnsafeMutablePointer<UInt32>

  /// `notes` has room for the notes of everything that is written before they are taken away.
  @inlinable public init(at: UnsafeMutableRawPointer, programAddress: UInt64, notes: UnsafeMutablePointer<UInt32>) {
    self.at = at
    self.slide = Int(programAddress) &- Int(bitPattern: at)
    note = notes
  }

  /// Notes that the next four bytes are a RIP-relative field that leads to code or to the control block.
  @inlinable public mutating func noteField() {
    note.pointee = UInt32(truncatingIfNeeded: pc)
    note += 1
  }
  /// Notes that the four bytes `ahead` are a RIP-relative field that leads to the guest's memory.
  @inlinable public mutating func noteGuestField(ahead: Int) {
    note.pointee = UInt32(truncatingIfNeeded: pc &+ UInt64(ahead)) & 0x7FFF_FFFF
    note += 1
  }

  /// Address, as the program sees it, of the next byte.
  @inlinable public var pc: UInt64 { UInt64(bitPattern: Int64(Int(bitPattern: at) &+ slide)) }

  @inlinable public mutating func byte(_ v: UInt8) {
    at.storeBytes(of: v, as: UInt8.self)
    at += 1
  }
  @inlinable public mutating func bytes(_ a: UInt8, _ b: UInt8) {
    at.storeBytes(of: UInt16(a) | UInt16(b) << 8, as: UInt16.self)
    at += 2
  }
  @inlinable public mutating func bytes(_ a: UInt8, _ b: UInt8, _ c: UInt8) {
    bytes(a, b)
    byte(c)
  }
  @inlinable public mutating func bytes(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
    bytes(a, b)
    bytes(c, d)
  }
  @inlinable public mutating func word32(_ v: UInt32) {
    at.storeBytes(of: v, as: UInt32.self)
    at += 4
  }
  @inlinable public mutating func word64(_ v: UInt64) {
    at.storeBytes(of: v, as: UInt64.self)
    at += 8
  }
  @inlinable public mutating func copy(_ from: UnsafeRawPointer, _ count: Int) {
    at.copyMemory(from: from, byteCount: count)
    at += count
  }

  /// A disp32 or rel32 that ends the instruction (`trailing` immediate bytes follow it).
  @inlinable public mutating func relative(to target: UInt64, trailing: Int = 0) {
    noteField()
    let d = Int64(bitPattern: target &- pc) - 4 - Int64(trailing)
    word32(UInt32(bitPattern: Int32(truncatingIfNeeded: d)))
  }

  /// `mov [rip+x], r64` / `mov r64, [rip+x]`. SDM MOV 89 /r, 8B /r.
  @inlinable public mutating func store(_ r: Int, to address: UInt64) {
    bytes(r >= 8 ? 0x4C : 0x48, 0x89, UInt8(r & 7) << 3 | 5)
    relative(to: address)
  }
  @inlinable public mutating func load(_ r: Int, from address: UInt64) {
    bytes(r >= 8 ? 0x4C : 0x48, 0x8B, UInt8(r & 7) << 3 | 5)
    relative(to: address)
  }
  /// `lea r64, [rip+x]`.
  @inlinable public mutating func leaRelative(_ r: Int, _ address: UInt64) {
    bytes(r >= 8 ? 0x4C : 0x48, 0x8D, UInt8(r & 7) << 3 | 5)
    relative(to: address)
  }
  /// `lea rcx, [rcx+d]`: adds without touching flags.
  @inlinable public mutating func addRCX(_ d: Int32) {
    if d == Int32(truncatingIfNeeded: Int8(truncatingIfNeeded: d)) {
      bytes(0x48, 0x8D, 0x49, UInt8(truncatingIfNeeded: d))
    } else {
      bytes(0x48, 0x8D, 0x89)
      word32(UInt32(bitPattern: d))
    }
  }
  /// Register = constant, shortest form that leaves flags alone.
  @inlinable public mutating func constant(_ r: Int, _ v: UInt64) {
    if v <= 0xFFFF_FFFF {
      if r >= 8 { byte(0x41) }
      byte(0xB8 | UInt8(r & 7))
      word32(UInt32(v))
    } else {
      bytes(r >= 8 ? 0x49 : 0x48, 0xB8 | UInt8(r & 7))
      word64(v)
    }
  }
  /// `jmp rel32`.
  @inlinable public mutating func jump(_ target: UInt64) {
    byte(0xE9)
    relative(to: target)
  }
  /// Flag-free recommended multi-byte NOPs (SDM NOP).
  @inlinable public mutating func nops(_ count: Int) {
    var n = count
    while n > 0 {
      switch n {
      case 1: byte(0x90); n = 0
      case 2: bytes(0x66, 0x90); n = 0
      default: bytes(0x0F, 0x1F, 0x00); n -= 3
      }
    }
  }
  /// Pads so that the 4 bytes `offset` bytes ahead do not straddle a 64-byte line.
  @inlinable public mutating func alignPatch(offset: Int) {
    let line = (Int(truncatingIfNeeded: pc) + offset) & 63
    if line > 60 { nops(64 - line) }
  }
}
