// Control transfers: direct ones are linked, indirect ones go through the fast table. SDM vol. 1, 6.4 and 7.3.8.

import X86

extension Core {
  /// Emits one guest instruction at `pc`.
  @inline(__always)
  mutating func emit(_ d: Int, _ i: Instruction, _ pc: UInt64, _ view: CodeView) -> Next {
    let code = bytes(pc, view)
    switch i.shape {
    case .plain, .lea:
      emitPlain(i, pc, code)
      return .on
    default: return emitUnusual(d, i, pc, code, view)
    }
  }

  private mutating func emitUnusual(
    _ d: Int, _ i: Instruction, _ pc: UInt64, _ code: UnsafeRawPointer, _ view: CodeView
  ) -> Next {
    let next = pc &+ UInt64(i.length)
    let target = next &+ UInt64(bitPattern: i.imm)
    let kind: EntryKind = target <= pc ? .tick : .body
    switch i.shape {
    case .jcc: emitJcc(d, i, pc, target, kind, view)
    case .loop: emitLoop(d, i, target, kind, code, view)
    case .jmp:
      if canFollow(d, pc, target, view) {
        hot.nops(1)  // a place of its own: where units are cut does not decide which positions there are
        return .follow(target)
      }
      emitJump(d, from: pc, to: target, kind: kind, view)
      return .end
    case .call:
      if isPaired(d, next) && !isImport(d, target, view) {
        emitPairedCall(d, next, to: target, kind, view)
      } else {
        emitCall(d, next, target, kind, view)
      }
      return .end
    case .ret:
      if domains[d].isPaired && i.opcode == 0xC3 { emitPairedReturn() } else { emitReturn(i) }
      return .end
    case .jmpIndirect, .callIndirect:
      // (A call by a word of the file's own is one to another file.)
      let paired = i.shape == .callIndirect && !i.isRIPRelative && isPaired(d, next)
      if !emitTarget(i, pc, code) {
        emitUndefined(i, pc, code)
      } else if paired {
        emitPairedCall(d, next, to: nil, .body, view)
      } else {
        if i.shape == .callIndirect { emitPush(next) }
        Self.emitTableJump(&hot)
        if i.shape == .callIndirect { queueReturn(d, next) }
      }
      return .end
    case .special: return emitSpecial(i, pc, code) ? .on : .end
    case .syscall: emitRuntimeEntry(entries.syscall, op: 0, i, next, effectiveAddress: false)
    case .trap:
      emitPlain(i, pc, code)
      return .end
    case .xbegin:
      hot.constant(GPR.rax, 0)  // always aborts at once, reason 0
      emitJump(d, from: pc, to: target, kind: .body, view)
      return .end
    case .nothing: hot.nops(1)
    case .undefined, .plain, .lea:
      emitUndefined(i, pc, code)
      return .end
    }
    return .on
  }

  /// An unconditional jump forward to new code of the domain costs nothing: translation goes on at its target.
  private func canFollow(_ d: Int, _ pc: UInt64, _ target: UInt64, _ view: CodeView) -> Bool {
    guard target > pc, domains[d].contains(target), available(target, view) > 0, !breakpoints.isSplit(target) else {
      return false
    }
    if let h = findHead(d, target), heads[h].body != 0 { return false }
    return true
  }

  private mutating func emitJcc(
    _ d: Int, _ i: Instruction, _ pc: UInt64, _ target: UInt64, _ kind: EntryKind, _ view: CodeView
  ) {
    hot.alignPatch(offset: 2)
    let compare = kind == .tick ? compareBefore(pc, target) : .none
    let address = directTarget(d, target, kind: kind, patch: offset(hot.pc) + 2, compare: compare)
    hot.bytes(0x0F, 0x80 | (i.opcode & 0xF))
    hot.relative(to: address)
  }

  /// loop and jrcxz have an 8-bit displacement: they jump over a jump.
  private mutating func emitLoop(
    _ d: Int, _ i: Instruction, _ target: UInt64, _ kind: EntryKind, _ code: UnsafeRawPointer, _ view: CodeView
  ) {
    let short = i.length - 1
    hot.alignPatch(offset: short + 4)
    hot.copy(code, short)
    hot.byte(2)
    hot.bytes(0xEB, 5)
    let address = directTarget(d, target, kind: kind, patch: offset(hot.pc) + 1)
    hot.jump(address)
  }

  private mutating func emitCall(
    _ d: Int, _ next: UInt64, _ target: UInt64, _ kind: EntryKind, _ view: CodeView
  ) {
    hot.alignPatch(offset: (next < 0x8000_0000 ? 5 : 6) + 1)
    emitPush(next)
    let address = directTarget(d, target, kind: kind, patch: offset(hot.pc) + 1)
    hot.jump(address)
    queueReturn(d, next)
  }

  private mutating func queueReturn(_ d: Int, _ next: UInt64) {
    guard domains[d].contains(next) else { return }
    let h = headForExit(d, next)
    heads[h].isReturn = true
    if heads[h].body == 0 { returns.append(UInt32(h)) }
  }

  /// Pushes a constant: the guest's return address, never a translated one.
  mutating func emitPush(_ value: UInt64) {
    if value < 0x8000_0000 {
      hot.byte(0x68)
      hot.word32(UInt32(value))
      return
    }
    while cold.pc & 7 != 0 { cold.byte(0xCC) }
    let pool = cold.pc
    cold.word64(value)
    hot.bytes(0xFF, 0x35)
    hot.relative(to: pool)
  }

  /// ret, ret n. A fault in the pop leaves guest rcx in its spill slot.
  private mutating func emitReturn(_ i: Instruction) {
    hot.store(GPR.rcx, to: Window.spillRCX)
    hot.byte(0x59)  // pop rcx
    if i.opcode == 0xC2 {
      hot.bytes(0x48, 0x8D, 0xA4, 0x24)  // lea rsp, [rsp+n]
      hot.word32(UInt32(truncatingIfNeeded: i.imm & 0xFFFF))
    }
    if i.opcode == 0xC2 {
      hot.store(GPR.rcx, to: Window.spillTarget)
      Self.emitTableJump(&hot, Window.fastTable)
    } else {
      // The target stays where it was, at [rsp-8]: one store less.
      Self.emitTableJump(&hot, Window.returnTable)
    }
  }

  /// jmp r/m, call r/m: the target, in rcx and in its spill slot. False if the operand cannot be translated.
  private mutating func emitTarget(_ i: Instruction, _ pc: UInt64, _ code: UnsafeRawPointer) -> Bool {
    let start = hot
    hot.store(GPR.rcx, to: Window.spillRCX)
    if i.hasMemoryOperand {
      if i.segmentGS {
        guard emitAddress(i, pc, code, opcode: 0x8D, segment: false) else {
          hot = start
          return false
        }
        hot.store(GPR.rax, to: Window.spillA)
        hot.load(GPR.rax, from: Window.gsBase)
        hot.bytes(0x48, 0x8B, 0x0C, 0x01)  // mov rcx, [rcx+rax]
        hot.load(GPR.rax, from: Window.spillA)
      } else {
        _ = emitAddress(i, pc, code, opcode: 0x8B, segment: true)
      }
    } else if i.rmRegister != GPR.rcx {
      hot.bytes(i.rmRegister >= 8 ? 0x49 : 0x48, 0x8B, 0xC8 | UInt8(i.rmRegister & 7))
    }
    hot.store(GPR.rcx, to: Window.spillTarget)
    return true
  }

  /// movzx ecx, cx; jmp gs:[rcx*8 + table].
  static func emitTableJump(_ e: inout Emitter, _ table: UInt32 = Window.fastTable) {
    e.bytes(0x0F, 0xB7, 0xC9)
    e.bytes(0x65, 0xFF, 0x24, 0xCD)
    e.word32(table)
  }

  /// A cold stub for a direct transfer that leaves the domain: an indirect one with a constant target. It ticks at the
  /// target, so a forward one takes that back first.
  mutating func constantIndirect(_ target: UInt64, ticks: Bool) -> UInt64 {
    let stub = cold.pc
    cold.store(GPR.rcx, to: Window.spillRCX)
    if !ticks {
      let word = Window.tickWord(target)
      cold.load(GPR.rcx, from: word)
      cold.addRCX(1)
      cold.store(GPR.rcx, to: word)
    }
    cold.constant(GPR.rcx, target)
    cold.store(GPR.rcx, to: Window.spillTarget)
    Self.emitTableJump(&cold)
    return stub
  }
}
