// One unit: decode straight on from a head, emit, keep the map from host to guest addresses.

import X86

/// What to do after an instruction was emitted.
enum Next {
  /// Go on at the next instruction.
  case on
  /// Go on at another address (a followed jump).
  case follow(UInt64)
  /// The unit ends here.
  case end
}

extension Core {
  /// Translates a head that has no body yet. Throws before anything is changed.
  mutating func translateHead(
    _ h: Int, indirect: Bool, tick: Bool, view: CodeView
  ) throws(TranslateError) {
    let d = Int(heads[h].domain)
    let guest = heads[h].guest
    try reserveSpace(d)
    var instruction = Instruction()
    let room = available(guest, view)
    if room == 0 { throw .unreadable(guest) }
    if decoder.decode(bytes(guest, view), available: min(room, 15), into: &instruction) == .truncated {
      throw .unreadable(guest)
    }
    let needTick = tick || heads[h].pendingTick != 0
    let compare = indirect ? .none : pendingCompare(h)
    if needTick && !indirect && !domains[d].isPaired { alignLoop(island: compare == .none ? 5 : 0) }
    let unitStart = hot.pc
    let coldStart = cold.pc
    let mapStart = maps.count
    coldPieces.append(ColdPiece(start: offset(coldStart), head: UInt32(h)))
    var layout: EntryLayout? = nil
    if compare != .none {
      heads[h].compare = compare
      heads[h].compareTick = offset(hot.pc)
      var e = hot
      let field = emitCompareTick(&e, guest, compare)
      hot = e
      emitCompareExpired(field, compare, body: hot.pc)
    } else if indirect || needTick {
      var e = hot
      let made = emitEntry(&e, guest, indirect: indirect, isReturn: heads[h].isReturn, tick: needTick)
      hot = e
      patch(made.fixup, to: cold.pc)
      hot.note.pointee = Self.note(UInt32(made.fixup - code))
      hot.note += 1
      emitExpired(body: hot.pc)
      emitMiss(made, guest)
      layout = made
      heads[h].tick = made.tick == 0 ? 0 : offset(made.tick)
    }
    let body = hot.pc
    heads[h].body = offset(body)
    emitBody(d, &instruction, guest, view)
    chunks[chunk].units.append(
      Unit(
        start: offset(unitStart), body: offset(body), end: offset(hot.pc), head: UInt32(h), map: UInt64(mapStart),
        mapCount: UInt32(maps.count - mapStart)))
    areas[area].unitCount += 1
    statistics.units += 1
    statistics.hotBytes += Int(hot.pc - unitStart)
    statistics.coldBytes += Int(cold.pc - coldStart)
    finish(h, layout)
    takeNotes()
  }

  /// Heads of loops start a cache line (an island may stand before it).
  private mutating func alignLoop(island: UInt64) {
    while (hot.pc + island) & 63 != 0 { hot.byte(0xCC) }
  }

  /// The code is complete: link what waited for it and publish it.
  private mutating func finish(_ h: Int, _ layout: EntryLayout?) {
    if let layout { setEntries(h, layout) }
    let tick = heads[h].tick != 0 ? heads[h].tick : heads[h].compareTick
    if heads[h].pendingTick != 0 && tick != 0 { link(heads[h].pendingTick, to: tick) }
    heads[h].pendingTick = 0
    link(heads[h].pendingBody, to: heads[h].body)
    heads[h].pendingBody = 0
    publish(h)
  }

  private mutating func emitBody(_ d: Int, _ i: inout Instruction, _ head: UInt64, _ view: CodeView) {
    var pc = head
    var count = 0
    lastCompare = .none
    if breakpoints.isSplit(head) { emitBreakpoint(d, head) }
    while true {
      if domains[d].watching != .nothing { emitWatch(domains[d].watching, i, pc, view) }
      let before = hot.at
      let next = emit(d, i, pc, view)
      lastCompare = Compare(i, bytes(pc, view))
      count += 1
      statistics.instructions += 1
      statistics.guestBytes += i.length
      var following = pc &+ UInt64(i.length)
      if case .follow(let target) = next { following = target }
      appendMap(host: hot.at - before, guest: Int64(bitPattern: following &- pc))
      if case .end = next { return }
      pc = following
      if count >= unitLimit(d) || !canGoOn(d, &i, pc, view, count) {
        let before = hot.at
        emitJump(d, from: pc, to: pc, kind: .body, view)
        appendMap(host: hot.at - before, guest: 0)
        return
      }
    }
  }

  /// Decodes the instruction at `pc`; false if the unit must leave for it by a jump.
  @inline(__always)
  private func canGoOn(_ d: Int, _ i: inout Instruction, _ pc: UInt64, _ view: CodeView, _ count: Int) -> Bool {
    guard domains[d].contains(pc), !breakpoints.isSplit(pc) else { return false }
    let room = available(pc, view)
    if room == 0 { return false }
    if count >= 12, let h = findHead(d, pc), heads[h].body != 0 { return false }
    return decoder.decode(bytes(pc, view), available: min(room, 15), into: &i) != .truncated
  }

  /// `jmp` to a guest address of any kind.
  mutating func emitJump(_ d: Int, from: UInt64, to target: UInt64, kind: EntryKind, _ view: CodeView) {
    hot.alignPatch(offset: 1)
    let address = directTarget(d, target, kind: kind, patch: offset(hot.pc) + 1)
    hot.jump(address)
  }

  // MARK: The map: per guest instruction, host bytes and distance to the next guest instruction

  /// One byte host length (255: four bytes follow), one byte guest delta (0: eight bytes follow).
  @inline(__always)
  mutating func appendMap(host: Int, guest: Int64) {
    if host < 255 {
      maps.append(UInt8(host))
    } else {
      maps.append(255)
      for shift in stride(from: 0, to: 32, by: 8) { maps.append(UInt8(truncatingIfNeeded: host >> shift)) }
    }
    if guest > 0 && guest < 256 {
      maps.append(UInt8(guest))
    } else {
      maps.append(0)
      for shift in stride(from: 0, to: 64, by: 8) { maps.append(UInt8(truncatingIfNeeded: guest >> Int64(shift))) }
    }
  }

  /// Reads the entry at `at` of the maps that begin at `maps`, moving it on.
  static func readMap(_ maps: UnsafePointer<UInt8>, _ at: inout Int) -> (host: Int, guest: Int64) {
    var host = Int(maps[at])
    at += 1
    if host == 255 {
      host = 0
      for shift in stride(from: 0, to: 32, by: 8) {
        host |= Int(maps[at]) << shift
        at += 1
      }
    }
    var guest = Int64(maps[at])
    at += 1
    if guest == 0 {
      for shift in stride(from: 0, to: 64, by: 8) {
        guest |= Int64(maps[at]) << Int64(shift)
        at += 1
      }
    }
    return (host, guest)
  }
}
