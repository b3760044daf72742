// Calls paired with their returns by the processor: in programs with more return points than its predictor of indirect jumps
// remembers, most returns are guessed wrong; a real `call` and `ret` are guessed right.
//
// A paired call is a `call` whose return address, one of translated code (the landing), is replaced at once by the guest's:
//
//     call stub
//     landing: check, tick, jmp return point
//     stub: the landing goes from the stack to the ring of landings, the guest's return address to the stack; jmp callee
//
// Its `ret` finds the landing in the ring, where rsp says, puts it on the stack and returns. The landing puts the guest's
// address back (it is below the stack by then) and checks that it is the right one. So a paired call may be returned from by
// any `ret`, and a paired return may lead anywhere: pairing is only a matter of being guessed. It costs more instructions; small
// programs are better off without, and so are calls to other files, whose returns are not paired.

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
    hot.byte(0xE8)
    let stub = hot.at
    hot.word32(0)
    emitLanding(d, next, view)
    stub.storeBytes(of: UInt32(hot.at - stub - 4), as: UInt32.self)
    if target != nil { hot.store(GPR.rcx, to: Window.spillRCX) }
    emitRingIndex()
    hot.bytes(0x65, 0x8F, 0x04, 0xCD)  // pop gs:[rcx*8 + landings]
    hot.word32(Window.landings)
    emitPush(next)
    guard let target else {
      hot.load(GPR.rcx, from: Window.spillTarget)
      Self.emitTableJump(&hot)
      return
    }
    hot.load(GPR.rcx, from: Window.spillRCX)
    hot.alignPatch(offset: 1)
    let address = directTarget(d, target, kind: kind, patch: offset(hot.pc) + 1)
    hot.jump(address)
  }

  /// rcx = bits 3 to 18 of rsp. (RORX touches no flags.)
  private mutating func emitRingIndex() {
    hot.bytes(0xC4, 0xE3, 0x7B, 0xF0)  // rorx ecx, esp, 3
    hot.bytes(0xCC, 0x03)
    hot.bytes(0x0F, 0xB7, 0xC9)  // movzx ecx, cx
  }

  /// ret. Nothing is changed before the landing is written, so that a fault leaves guest rcx in its spill slot.
  mutating func emitPairedReturn() {
    hot.store(GPR.rcx, to: Window.spillRCX)
    hot.bytes(0x48, 0x8B, 0x0C, 0x24)  // mov rcx, [rsp]
    hot.store(GPR.rcx, to: Window.spillTarget)
    emitRingIndex()
    hot.bytes(0x65, 0x48, 0x8B, 0x0C)  // mov rcx, gs:[rcx*8 + landings]
    hot.byte(0xCD)
    hot.word32(Window.landings)
    hot.bytes(0x48, 0x89, 0x0C, 0x24)  // mov [rsp], rcx
    hot.byte(0xC3)
  }

  /// (`LandingWalk` knows what it looks like.)
  private mutating func emitLanding(_ d: Int, _ next: UInt64, _ view: CodeView) {
    hot.load(GPR.rcx, from: Window.spillTarget)
    Self.emitCompare(&hot, next)
    hot.bytes(0xE3, 10)  // jrcxz over two jumps
    hot.jump(entries.stray)
    let island = hot.pc
    hot.byte(0xE9)
    let expired = hot.at
    hot.noteField()
    hot.word32(0)
    emitPutBack(next)
    Self.emitTick(&hot, next, expired: island)
    hot.alignPatch(offset: 1)
    patch(expired, to: cold.pc)
    emitExpired(body: hot.pc)
    emitJump(d, from: next, to: next, kind: .body, view)
    if let h = findHead(d, next), heads[h].body == 0 { returns.append(UInt32(h)) }
  }

  /// mov [rsp-8], the guest's return address.
  private mutating func emitPutBack(_ value: UInt64) {
    if value < 0x8000_0000 {
      hot.bytes(0x48, 0xC7, 0x44, 0x24)
      hot.byte(0xF8)
      hot.word32(UInt32(value))
    } else {
      hot.bytes(0xC7, 0x44, 0x24, 0xF8)
      hot.word32(UInt32(truncatingIfNeeded: value))
      hot.bytes(0xC7, 0x44, 0x24, 0xFC)
      hot.word32(UInt32(truncatingIfNeeded: value >> 32))
    }
  }
}

/// Follows the template of a paired call, instruction by instruction: between its `call` and its end the guest's state is
/// exact where the landing is left.
struct LandingWalk {
  private(set) var hasCalled = false
  private var checks = 0
  private var hasLeft = false

  /// Is this the jump that leaves the landing? (Behind its check and its tick, both of them a jrcxz.)
  mutating func isLeft(by i: Instruction) -> Bool {
    defer {
      if i.shape == .call { hasCalled = true }
      if hasCalled, i.shape == .loop { checks += 1 }
    }
    guard hasCalled, !hasLeft, checks == 2, i.shape == .jmp else { return false }
    hasLeft = true
    return true
  }
}
