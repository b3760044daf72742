// Entries of heads: the check of an indirect target and the tick. Nothing here touches a live flag.

import X86

/// Where the parts of an emitted entry are.
struct EntryLayout {
  var indirect: UInt64 = 0
  var tick: UInt64 = 0
  /// The rel32 that must lead to the expired stub.
  var fixup: UnsafeMutableRawPointer
  /// The rel32 that must lead to the miss stub, if there is a check.
  var missFixup: UnsafeMutableRawPointer? = nil
}

extension Core {
  /// The program-side address of one entry of a translated head; made out of line, in cold code, if missing.
  ///
  /// - Parameter compare: what a transfer that ticks has compared just before.
  mutating func entry(_ h: Int, _ kind: EntryKind, _ compare: Compare = .none) -> UInt64 {
    switch kind {
    case .body: return program(heads[h].body)
    case .indirect: if heads[h].indirect != 0 { return program(heads[h].indirect) }
    case .tick:
      if compare != .none, compare == heads[h].compare { return program(heads[h].compareTick) }
      if heads[h].tick != 0 { return program(heads[h].tick) }
      if compare != .none, heads[h].compareTick == 0 { return makeCompareTick(h, compare) }
    }
    coldPieces.append(ColdPiece(start: offset(cold.pc), head: UInt32(h)))
    var e = cold
    let layout = emitEntry(
      &e, heads[h].guest, indirect: kind == .indirect, isReturn: heads[h].isReturn, tick: kind == .tick)
    cold = e
    let body = program(heads[h].body)
    cold.jump(body)
    patch(layout.fixup, to: cold.pc)
    emitExpired(body: body)
    emitMiss(layout, heads[h].guest)
    statistics.outOfLineEntries += 1
    setEntries(h, layout)
    if layout.indirect != 0 { publish(h) }
    return kind == .indirect ? layout.indirect : layout.tick
  }

  /// Records new entries and links the exits that waited for a tick entry.
  mutating func setEntries(_ h: Int, _ layout: EntryLayout) {
    if layout.indirect != 0 && heads[h].indirect == 0 { heads[h].indirect = offset(layout.indirect) }
    if layout.tick != 0 && heads[h].tick == 0 {
      heads[h].tick = offset(layout.tick)
      link(heads[h].pendingTick, to: heads[h].tick)
      heads[h].pendingTick = 0
    }
  }

  /// Check for indirect transfers, spill of rcx for direct ones. Both go on with rcx free.
  ///
  /// Returns have an entry of their own, which takes the target from where the pop left it. The rarer of the two jumps
  /// over the load of the other, so that the runtime can tell one from the other (core.c, return_entry).
  @inline(__always)
  private func emitStart(
    _ e: inout Emitter, _ guest: UInt64, indirect: Bool, isReturn: Bool, tick: Bool,
    _ layout: inout EntryLayout
  ) {
    let direct = tick || !indirect
    if indirect {
      if !isReturn {
        emitLoadPopped(&e)
        e.bytes(0xEB, 7)
      }
      layout.indirect = e.pc
      e.load(GPR.rcx, from: Window.spillTarget)
      if isReturn {
        e.bytes(0xEB, 5)
        emitLoadPopped(&e)
      }
      Self.emitCompare(&e, guest)
      e.bytes(0xE3, direct ? 12 : 5)  // jrcxz over the jump and the spill
      e.byte(0xE9)
      layout.missFixup = e.at
      e.noteField()
      e.word32(0)
    }
    if direct {
      layout.tick = e.pc
      e.store(GPR.rcx, to: Window.spillRCX)
    }
  }

  /// Emits check and tick; what follows is the body (or a jump to it) with all guest registers live.
  ///
  /// mov, lea and jrcxz touch no flags, so that flags need no thought: they are the guest's at every head. Load, lea,
  /// store also beat `sub [word], 1`: the CPU renames them, but not the read-modify-write (Zen 4, family 25 model 17,
  /// 2026-11: 0 against 0.7 ns in a tight loop). jrcxz reaches 127 bytes, so an island comes first.
  func emitEntry(_ e: inout Emitter, _ guest: UInt64, indirect: Bool, isReturn: Bool, tick: Bool) -> EntryLayout {
    var layout = EntryLayout(fixup: e.at + 1)
    let island = e.pc
    e.byte(0xE9)
    e.word32(0)
    emitStart(&e, guest, indirect: indirect, isReturn: isReturn, tick: tick, &layout)
    Self.emitTick(&e, guest, expired: island)
    return layout
  }

  /// The tick, with rcx free before, the guest's behind it. `expired`: at most 120 bytes before.
  static func emitTick(_ e: inout Emitter, _ guest: UInt64, expired: UInt64) {
    let word = Window.tickWord(guest)
    e.load(GPR.rcx, from: word)
    e.addRCX(-1)
    e.store(GPR.rcx, to: word)
    e.bytes(0xE3, UInt8(truncatingIfNeeded: Int64(bitPattern: expired &- e.pc) - 2))
    e.load(GPR.rcx, from: Window.spillRCX)
  }

  /// mov rcx, [rsp-8].
  private func emitLoadPopped(_ e: inout Emitter) {
    e.bytes(0x48, 0x8B, 0x4C, 0x24)
    e.byte(0xF8)
  }

  /// rcx -= guest without touching flags, up to an order of bytes: 0 exactly if equal.
  ///
  /// Subtracting the (sign-extended) low half leaves a multiple of 2^32; `bswap` brings what is left of the high half
  /// into reach of one or two more `lea`. SDM LEA, BSWAP: no flags.
  static func emitCompare(_ e: inout Emitter, _ guest: UInt64) {
    let low = Int32(truncatingIfNeeded: 0 &- Int64(bitPattern: guest))
    if low != 0 { e.addRCX(low) }
    let high = UInt32(truncatingIfNeeded: (guest &+ UInt64(bitPattern: Int64(low))) >> 32)
    if high == 0 { return }
    e.bytes(0x48, 0x0F, 0xC9)  // bswap rcx
    var rest = Int64(high.byteSwapped)
    while rest > 0 {
      let step = min(rest, 0x8000_0000)
      e.addRCX(Int32(truncatingIfNeeded: -step))
      rest -= step
    }
  }

  /// The way out when a tick word reaches zero: rcx = body, guest rcx in its spill slot.
  mutating func emitExpired(body: UInt64) {
    cold.leaRelative(GPR.rcx, body)
    cold.jump(entries.expired)
  }

  /// The way out of a failed check: takes the comparison back, so that rcx is the target again.
  mutating func emitMiss(_ layout: EntryLayout, _ guest: UInt64) {
    guard let fixup = layout.missFixup else { return }
    patch(fixup, to: cold.pc)
    let low = Int32(truncatingIfNeeded: 0 &- Int64(bitPattern: guest))
    let high = UInt32(truncatingIfNeeded: (guest &+ UInt64(bitPattern: Int64(low))) >> 32)
    if high != 0 {
      var rest = Int64(high.byteSwapped)
      while rest > 0 {
        let step = min(rest, 0x7FFF_FFFF)
        cold.addRCX(Int32(truncatingIfNeeded: step))
        rest -= step
      }
      cold.bytes(0x48, 0x0F, 0xC9)  // bswap rcx
    }
    if low == Int32.min {
      cold.addRCX(Int32.max)
      cold.addRCX(1)
    } else if low != 0 {
      cold.addRCX(-low)
    }
    cold.store(GPR.rcx, to: Window.spillTarget)
    cold.jump(entries.indirectMiss)
  }

  func patch(_ fixup: UnsafeMutableRawPointer, to target: UInt64) {
    let from = Int(bitPattern: fixup) &+ hot.slide &+ 4
    fixup.storeBytes(of: UInt32(truncatingIfNeeded: Int(target) &- from), as: UInt32.self)
  }
}
