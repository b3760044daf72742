// From translated addresses back to guest state. The host code explains itself: inside an instruction's template,
// stores to spill slots say where a guest register is, and loads from them say that it is back.

import X86

extension Core {
  func guestAddress(ofBody host: UInt64) -> UInt64? {
    guard let u = unit(at: host) else { return nil }
    return program(u.body) == host ? heads[Int(u.head)].guest : nil
  }

  func domain(ofBody host: UInt64) -> DomainID? {
    guard let u = unit(at: host) else { return nil }
    return program(u.body) == host ? DomainID(heads[Int(u.head)].domain) : nil
  }

  func locate(host: UInt64) -> Location? {
    guard let c = chunk(at: host) else { return nil }
    if offset(host) >= chunks[c].coldStart { return locateCold(c, host) }
    guard let unit = unit(at: host) else { return nil }
    let head = heads[Int(unit.head)]
    let domain = DomainID(head.domain)
    let at = offset(host)
    if at < unit.body {
      let kind: Location.Kind = at == head.indirect ? .indirectEntry : .stepOn
      return Location(domain: domain, guest: head.guest, restores: [], kind: kind, rspAdjust: 0)
    }
    let maps = mapBase(c)
    var map = Int(unit.map)
    let mapEnd = map + Int(unit.mapCount)
    var start = unit.body
    var guest = head.guest
    while map < mapEnd {
      let step = Self.readMap(maps, &map)
      if at < start + UInt32(step.host) {
        if at == start { return Location(domain: domain, guest: guest, restores: [], kind: .instruction, rspAdjust: 0) }
        return locateInside(domain, guest, start, at)
      }
      start += UInt32(step.host)
      guest = guest &+ UInt64(bitPattern: step.guest)
    }
    return nil
  }

  private func locateCold(_ c: Int, _ host: UInt64) -> Location? {
    let at = offset(host)
    if at >= (c == chunk ? offset(cold.pc) : chunks[c].coldEnd) { return nil }
    guard let h = headOfCold(c, at) else { return nil }
    let head = heads[h]
    let kind: Location.Kind = at == head.indirect ? .indirectEntry : .stepOn
    return Location(domain: DomainID(head.domain), guest: head.guest, restores: [], kind: kind, rspAdjust: 0)
  }

  /// The head that cold code of a chunk belongs to.
  func headOfCold(_ c: Int, _ at: UInt32) -> Int? {
    var low = 0
    var high = pieceCount(c)
    while low < high {
      let mid = (low + high) / 2
      if piece(c, mid).start <= at { low = mid + 1 } else { high = mid }
    }
    return low == 0 ? nil : Int(piece(c, low - 1).head)
  }

  /// The chunk that contains a program-side address.
  func chunk(at host: UInt64) -> Int? {
    guard host >= Self.codeBase, host < Self.codeBase + UInt64(codeUsed) else { return nil }
    let c = Int(pageChunks[Int(offset(host)) >> 12])
    return c < 0 ? nil : c
  }

  /// The unit whose hot code contains a program-side address.
  func unit(at host: UInt64) -> Unit? { unitAndChunk(at: host)?.unit }

  func unitAndChunk(at host: UInt64) -> (chunk: Int, unit: Unit)? {
    guard let c = chunk(at: host) else { return nil }
    let at = offset(host)
    var low = 0
    var high = unitCount(c)
    while low < high {
      let mid = (low + high) / 2
      if unit(c, mid).start <= at { low = mid + 1 } else { high = mid }
    }
    if low == 0 { return nil }
    let u = unit(c, low - 1)
    return at < u.end ? (c, u) : nil
  }

  /// Walks a template from its start to `at`. What it adds around the guest's own access cannot fault, so anything
  /// but that access is answered by "step on".
  private func locateInside(
    _ domain: DomainID, _ guest: UInt64, _ start: UInt32, _ at: UInt32
  ) -> Location {
    var i = Instruction()
    var here = start
    var restores: [Restore] = []
    var kind = Location.Kind.stepOn
    while here <= at {
      let p = UnsafeRawPointer(code + Int(here))
      guard decoder.decode(p, available: 15, into: &i) == .none else { break }
      let slot = spillSlot(i, program(here))
      if here == at {
        kind = isPlumbing(i, slot) ? .stepOn : .instruction
        break
      }
      if i.shape == .call { break }  // a paired one: its landing and the thunk follow
      // spill[TARGET] holds a target, never a register's guest value.
      if let slot, slot != 1 {
        restores.removeAll { $0.register == i.regRegister }
        if i.opcode == 0x89 { restores.append(Restore(register: i.regRegister, spill: slot)) }
      }
      here += UInt32(i.length)
    }
    if here != at { kind = .stepOn }
    return Location(domain: domain, guest: guest, restores: restores, kind: kind, rspAdjust: 0)
  }

  /// The spill slot that `mov [rip+x], r` or `mov r, [rip+x]` touches.
  private func spillSlot(_ i: Instruction, _ pc: UInt64) -> Int? {
    guard i.isRIPRelative, i.opcodeMap == 0, i.opcode == 0x89 || i.opcode == 0x8B else { return nil }
    let address = ripTarget(i, pc)
    guard address >= Window.spill, address < Window.spillEnd else { return nil }
    return Int(address - Window.spill) / 8
  }

  /// Instructions of a template that are not the guest's own access.
  private func isPlumbing(_ i: Instruction, _ slot: Int?) -> Bool {
    // (The program's GS base is virtual: what is addressed by GS is ours.)
    if slot != nil || i.segmentGS { return true }
    switch i.shape {
    case .jmp, .jmpIndirect, .jcc, .lea, .loop: return true
    default: break
    }
    if i.hasMemoryOperand {
      // The control block (gs_base) is ours; padding is not an access.
      return i.opcodeMap == 1 && i.opcode == 0x1F
    }
    // pop rcx is the read of a return, push (or call, of a paired one) the write of a call; the rest is padding and constants.
    return !(i.opcodeMap == 0 && (i.opcode == 0x59 || i.opcode == 0x68 || i.opcode == 0xE8))
  }
}
