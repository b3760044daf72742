// Calls paired with their returns by the processor: in programs with more return points than its predictor of indirect jumps
// remembers, most returns are guessed wrong; a real `call` and `ret` are guessed right.
//
// A paired call is a `call` whose return address, one of translated code (the landing), is replaced at once by the guest's:
//
//     call thunk
//     landing: the guest's return address goes back to where it was popped from; jmp return point; return point's address
//     thunk: the landing goes from the stack to the ring of landings, the address behind it to the stack; jmp callee
//
// All calls of one callee share a thunk: there are tens of thousands of calls, and what stands between code costs as much as
// what is executed. For the same reason all returns go through one piece of code (`PairedReturn`). It finds the landing in the
// ring, where rsp says; if it belongs to the address that is on the stack, it counts the tick, puts the landing there and
// returns. So a paired call may be returned from by any `ret`, and a paired return may lead anywhere: pairing is only a matter
// of being guessed. It costs more instructions; small programs are better off without, and so are calls to other files, whose
// returns are not paired.

import X86

extension Core {
  func isPaired(_ d: Int, _ next: UInt64) -> Bool { domains[d].isPaired && domains[d].contains(next) }

  /// Is `target` elsewhere, or a jump that leads there by a table?
  func isImport(_ d: Int, _ target: UInt64, _ view: CodeView) -> Bool {
    guard domains[d].contains(target), available(target, view) >= 16 else { return true }
    var p = bytes(target, view)
    if p.loadUnaligned(as: UInt32.self) == 0xFA1E_0FF3 { p += 4 }  // endbr64
    if p.load(as: UInt8.self) == 0xF2 { p += 1 }  // bnd
    return p.loadUnaligned(as: UInt16.self) == 0x25FF  // jmp [rip+x]
  }

  /// - Parameter to: nil: to what is in the target's spill slot, by the table; guest rcx is in its own already.
  mutating func emitPairedCall(_ d: Int, _ next: UInt64, to target: UInt64?, _ kind: EntryKind, _ view: CodeView) {
    hot.alignPatch(offset: 5 + Landing.jump + 1)
    guard let target else {
      hot.byte(0xE8)
      let stub = hot.at
      hot.word32(0)
      emitLanding(d, next, view)
      stub.storeBytes(of: UInt32(hot.at - stub - 4), as: UInt32.self)
      emitTakeLanding(&hot)
      emitPush(next)
      hot.load(GPR.rcx, from: Window.spillTarget)
      Self.emitTableJump(&hot)
      return
    }
    let h = headForExit(d, target)
    let known = kind == .tick ? heads[h].tickThunk : heads[h].thunk
    if known != 0 {
      hot.byte(0xE8)
      hot.relative(to: program(known))
      return emitLanding(d, next, view)
    }
    hot.byte(0xE8)
    let field = hot.at
    hot.noteField()
    hot.word32(0)
    emitLanding(d, next, view)
    field.storeBytes(of: UInt32(hot.at - field - 4), as: UInt32.self)
    if kind == .tick { heads[h].tickThunk = offset(hot.pc) } else { heads[h].thunk = offset(hot.pc) }
    hot.store(GPR.rcx, to: Window.spillRCX)
    emitTakeLanding(&hot)
    PairedReturn.emitLoadLanding(&hot)
    hot.bytes(0xFF, 0x71, Landing.address)  // push [rcx + address]
    hot.load(GPR.rcx, from: Window.spillRCX)
    hot.alignPatch(offset: 1)
    let address = directTarget(d, target, kind: kind, patch: offset(hot.pc) + 1)
    hot.jump(address)
  }

  /// The landing on the stack goes to the ring; rcx is its index there.
  private func emitTakeLanding(_ e: inout Emitter) {
    PairedReturn.emitRingIndex(&e)
    e.bytes(0x65, 0x8F, 0x04, 0xCD)  // pop gs:[rcx*8 + landings]
    e.word32(Window.landings)
  }

  /// ret: reads the target and leaves the rest to `PairedReturn`.
  mutating func emitPairedReturn() {
    hot.store(GPR.rcx, to: Window.spillRCX)
    hot.bytes(0x48, 0x8B, 0x0C, 0x24)  // mov rcx, [rsp]
    hot.jump(entries.pairedReturn)
  }

  private mutating func emitLanding(_ d: Int, _ next: UInt64, _ view: CodeView) {
    let landing = hot.at
    hot.load(GPR.rcx, from: Window.spillTarget)
    PairedReturn.emitPutBack(&hot)
    hot.load(GPR.rcx, from: Window.spillRCX)
    precondition(hot.at - landing == Landing.jump)
    emitJump(d, from: next, to: next, kind: .body, view)
    precondition(hot.at - landing == Int(Landing.address))
    hot.word64(next)
    if let h = findHead(d, next), heads[h].body == 0 { returns.append(UInt32(h)) }
  }
}

/// Where the parts of a landing are, in bytes from its beginning.
private enum Landing {
  /// Its jump to the return point.
  static let jump = 19
  /// The return point's address in the guest.
  static let address: UInt8 = 24
}

/// What all paired returns of a process go through, at a fixed place: rcx = [rsp] = the guest's target, guest rcx in its spill
/// slot.
public struct PairedReturn {
  /// More than it takes.
  public static let room = 256
  public let entry: UInt64
  /// What the ring of landings has where no landing is.
  public let stray: UInt64
  /// All of it.
  public let range: Range<UInt64>

  /// Writes it through a writable mapping of what the program sees at `address`.
  public init(at memory: UnsafeMutableRawPointer, address: UInt64) {
    let notes = UnsafeMutablePointer<UInt32>.allocate(capacity: 64)
    defer { notes.deallocate() }
    var e = Emitter(at: memory, programAddress: address, notes: notes)
    entry = e.pc
    e.store(GPR.rcx, to: Window.spillTarget)
    // The tick. If the word runs out here, the target counts it in another one, as if nothing were paired.
    e.load(GPR.rcx, from: Window.tick)
    e.addRCX(-1)
    let expired = Self.emitSkip(&e)
    e.store(GPR.rcx, to: Window.tick)
    e.store(GPR.rdx, to: Window.spillA)
    Self.emitRingIndex(&e)
    Self.emitLoadLanding(&e)
    e.bytes(0x48, 0x89, 0x0C, 0x24)  // mov [rsp], rcx
    e.bytes(0x48, 0x8B, 0x51, Landing.address)  // mov rdx, [rcx + address]
    e.bytes(0x48, 0xF7, 0xD2)  // not rdx
    e.load(GPR.rcx, from: Window.spillTarget)
    e.bytes(0x48, 0x8D, 0x4C, 0x11)  // lea rcx, [rcx + rdx + 1]
    e.byte(1)
    e.load(GPR.rdx, from: Window.spillA)
    let agrees = Self.emitSkip(&e)
    Self.emitGiveTickBack(&e)
    Self.land(expired, e)
    e.bytes(0x48, 0x8D, 0x64, 0x24)  // lea rsp, [rsp+8]
    e.byte(8)
    Self.emitUnpaired(&e)
    Self.land(agrees, e)
    e.byte(0xC3)
    while e.pc & 15 != 0 { e.byte(0xCC) }
    stray = e.pc
    Self.emitGiveTickBack(&e)
    Self.emitUnpaired(&e)
    range = address..<e.pc
    precondition(e.at - memory <= Self.room)
  }

  /// jrcxz over what follows.
  private static func emitSkip(_ e: inout Emitter) -> UnsafeMutableRawPointer {
    e.bytes(0xE3, 0)
    return e.at
  }
  private static func land(_ from: UnsafeMutableRawPointer, _ e: Emitter) {
    (from - 1).storeBytes(of: UInt8(e.at - from), as: UInt8.self)
  }

  private static func emitGiveTickBack(_ e: inout Emitter) {
    e.load(GPR.rcx, from: Window.tick)
    e.addRCX(1)
    e.store(GPR.rcx, to: Window.tick)
  }

  /// The rest of a return that nothing is paired with: by the table, as an indirect jump.
  private static func emitUnpaired(_ e: inout Emitter) {
    e.load(GPR.rcx, from: Window.spillTarget)
    emitPutBack(&e)
    Core.emitTableJump(&e)
  }

  /// mov [rsp-8], rcx: what was popped just now.
  fileprivate static func emitPutBack(_ e: inout Emitter) {
    e.bytes(0x48, 0x89, 0x4C, 0x24)
    e.byte(0xF8)
  }

  /// mov rcx, gs:[rcx*8 + landings].
  fileprivate static func emitLoadLanding(_ e: inout Emitter) {
    e.bytes(0x65, 0x48, 0x8B, 0x0C)
    e.byte(0xCD)
    e.word32(Window.landings)
  }

  /// rcx = bits 3 to 18 of rsp. (RORX touches no flags.)
  fileprivate static func emitRingIndex(_ e: inout Emitter) {
    e.bytes(0xC4, 0xE3, 0x7B, 0xF0)  // rorx ecx, esp, 3
    e.bytes(0xCC, 0x03)
    e.bytes(0x0F, 0xB7, 0xC9)  // movzx ecx, cx
  }
}
