// From translated addresses back to guest state. The host code explains itself: inside an instruction's template,
// stores to spill slots say where a guest register is, and loads from them say that it is back.

import X86

extension Core {
  func guestAddress(ofBody host: UInt64) -> UInt64? {
    guard let u = unit(at: host), program(units[u].body) == host else { return nil }
    return heads[Int(units[u].head)].guest
  }

  func domain(ofBody host: UInt64) -> DomainID? {
    guard let u = unit(at: host), program(units[u].body) == host else { return nil }
    return DomainID(heads[Int(units[u].head)].domain)
  }

  func locate(host: UInt64) -> Location? {
    if host >= cold.pc || host < Self.codeBase { return nil }
    if host >= Self.codeBase + UInt64(coldStart - code) { return locateCold(host) }
    guard let u = unit(at: host) else { return nil }
    let unit = units[u]
    let head = heads[Int(unit.head)]
    let domain = DomainID(head.domain)
    let at = offset(host)
    if at < unit.body {
      let kind: Location.Kind = at == head.indirect ? .indirectEntry : .stepOn
      return Location(domain: domain, guest: head.guest, restores: [], kind: kind, rspAdjust: 0)
    }
    var map = Int(unit.map)
    let mapEnd = map + Int(unit.mapCount)
    var start = unit.body
    var guest = head.guest
    while map < mapEnd {
      let step = readMap(&map)
      if at < start + UInt32(step.host) {
        if at == start { return Location(domain: domain, guest: guest, restores: [], kind: .instruction, rspAdjust: 0) }
        return locateInside(domain, guest, start, at)
      }
      start += UInt32(step.host)
      guest = guest &+ UInt64(bitPattern: step.guest)
    }
    return nil
  }

  private func locateCold(_ host: UInt64) -> Location? {
    let at = offset(host)
    var low = 0
    var high = coldPieces.count
    while low < high {
      let mid = (low + high) / 2
      if coldPieces[mid].start <= at { low = mid + 1 } else { high = mid }
    }
    if low == 0 { return nil }
    let head = heads[Int(coldPieces[low - 1].head)]
    let kind: Location.Kind = at == head.indirect ? .indirectEntry : .stepOn
    return Location(domain: DomainID(head.domain), guest: head.guest, restores: [], kind: kind, rspAdjust: 0)
  }

  /// The unit whose hot code contains a program-side address.
  private func unit(at host: UInt64) -> Int? {
    guard host >= Self.codeBase, host < hot.pc else { return nil }
    let at = offset(host)
    var low = 0
    var high = units.count
    while low < high {
      let mid = (low + high) / 2
      if units[mid].start <= at { low = mid + 1 } else { high = mid }
    }
    if low == 0 || at >= units[low - 1].end { return nil }
    return low - 1
  }

  /// Walks a template from its start to `at`. What it adds around the guest's own access cannot fault, so anything
  /// but that access is answered by "step on".
  private func locateInside(_ domain: DomainID, _ guest: UInt64, _ start: UInt32, _ at: UInt32) -> Location {
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
    if slot != nil { return true }
    switch i.shape {
    case .jmp, .jmpIndirect, .jcc, .lea, .loop: return true
    default: break
    }
    if i.hasMemoryOperand {
      // The control block (gs_base) is ours; padding is not an access.
      return i.opcodeMap == 1 && i.opcode == 0x1F
    }
    // pop rcx is the read of a return, push the write of a call; the rest is padding and constants.
    return !(i.opcodeMap == 0 && (i.opcode == 0x59 || i.opcode == 0x68))
  }
}
