import CABI
import Guest
import Linux
import Tape

/// What a tracer changes goes to the tracee's tape: a signal event with signal 0, whose effects are the changes.
extension RecordSession {
  /// Writes to a tracee's memory now; to its tape before it or another thread of its process goes on.
  ///
  /// - Parameter t: a tracee in a virtual stop.
  func poke(
    _ p: RecordedProcess, _ t: Tracee, _ address: UInt64, _ bytes: [UInt8]
  ) throws(GuestError) {
    let before = p.guest.tid
    p.guest.tid = t.tid  // (calls into the process need a stopped thread)
    defer { p.guest.tid = before }
    try p.guest.poke(address, bytes)
    pokesOf(p) { $0.append((address, bytes)) }
  }

  /// The tracee whose state is in the control block.
  private func holder(_ p: RecordedProcess) -> Tracee? {
    ptrace.tracees[ThreadID(Int32(truncatingIfNeeded: p.control.block.pointee.tid))]
  }

  /// Whether a process stands still, so that a change has a place on its tape: the thread with the turn is in a virtual
  /// stop, or nobody has the turn and all are.
  func standsStill(_ p: RecordedProcess) -> Bool {
    if p.control.block.pointee.turn.holder != 0 || !p.vforkParents.isEmpty { return holder(p)?.stop != nil }
    return p.threads.allSatisfy { ptrace.tracees[$0]?.stop != nil }
  }

  private func pokesOf(_ p: RecordedProcess, _ body: (inout [(address: UInt64, bytes: [UInt8])]) -> Void) {
    body(&ptrace.pokes[p.sink.number, default: []])
  }

  /// The memory changes of a process that are not on its tape, as effects.
  private func takePokes(_ p: RecordedProcess) -> [Effect] {
    guard let pokes = ptrace.pokes.removeValue(forKey: p.sink.number) else { return [] }
    return pokes.flatMap { memoryEffects($0.address, $0.bytes) }
  }

  /// A tracee is about to go on: what was changed at its stop goes to the tape. True when its registers are others now
  /// (or the call at hand begins anew).
  func writeChanges(_ p: RecordedProcess, _ t: Tracee, _ stop: VirtualStop) throws(GuestError) -> Bool {
    let isCurrent = p.control.block.pointee.tid == UInt64(t.tid.rawValue)
    guard isCurrent, stop.isChanged else {
      if let holder = holder(p), let its = holder.stop {
        if try writeMemoryChanges(p, at: its) { holder.stop?.isNoted = true }
      } else {
        _ = try writeMemoryChanges(p, at: stop)
      }
      if stop.isChanged { ptrace.changes[t.tid] = stop.registers }  // (when it has the turn)
      return false
    }
    switch stop.place {
    case .call:
      _ = try writeMemoryChanges(p, at: stop)
      ptrace.changes[t.tid] = stop.registers
      return false
    case .entry: return try writeEntryChange(p, t, stop)
    default:
      try writeChange(p, goingOn(stop.registers), at: stop.isNoted ? .event : stop.place, stop.extendedState)
      return true
    }
  }

  /// Memory only: nothing else about the program changes. True: there was something to write.
  private func writeMemoryChanges(_ p: RecordedProcess, at stop: VirtualStop) throws(GuestError) -> Bool {
    let effects = takePokes(p)
    guard !effects.isEmpty else { return false }
    var head = self.head(p, at: stop.isNoted ? .event : stop.place)
    switch stop.place {
    case .entry, .call, .kernel, .exit:
      head.flags = .atEntry
      head.rip &-= 2
      head.value = UInt64(BIS_SIGNAL_CALL.rawValue)
    default: break
    }
    try append(p, head, effects)
    return true
  }

  private func head(_ p: RecordedProcess, at place: VirtualStop.Place) -> EventHead {
    var head = EventHead(.signal, number: 0, rip: p.control.rip, registers: p.control.registerHash())
    switch place {
    case .leave, .stepped, .signals(.tick): head.flags = .asynchronous
    case .signals(.entry): head.flags = .atEntry
    case .fault: head.value = UInt64(BIS_SIGNAL_FAULT.rawValue)
    default: break
    }
    return head
  }

  /// Gives the current thread other registers, here.
  private func writeChange(
    _ p: RecordedProcess, _ r: Registers, at place: VirtualStop.Place, _ extended: [UInt8]?
  ) throws(GuestError) {
    let head = self.head(p, at: place)
    setProgramRegisters(p, r)
    try append(p, head, takePokes(p) + [registerEffect(p)] + (extended.map { [.extendedState(Payload($0))] } ?? []))
  }

  /// A fault that the program does not get as it came: the tape says that it is none.
  func writeSuppressedFault(_ p: RecordedProcess, _ information: SignalInfo) throws(GuestError) {
    try append(p, head(p, at: .fault(information)), takePokes(p) + [registerEffect(p)])
  }

  /// The thread has the turn and an exact state again: registers set while it was in a call.
  func applyChange(_ p: RecordedProcess, _ flags: SignalFlags) throws(GuestError) -> Bool {
    guard let r = ptrace.changes.removeValue(forKey: p.guest.tid) else { return false }
    try writeChange(p, goingOn(r), at: .signals(flags), nil)
    return true
  }

  /// At a system call's entry: the call with other arguments, another call, or none.
  private func writeEntryChange(_ p: RecordedProcess, _ t: Tracee, _ stop: VirtualStop) throws(GuestError) -> Bool {
    var r = stop.registers
    let after = p.control.rip
    let isSkipped = Int32(truncatingIfNeeded: r.orig_rax) < 0
    p.control.rip = after &- 2
    var head = EventHead(.signal, number: 0, flags: .atEntry, rip: p.control.rip, registers: p.control.registerHash())
    head.value = UInt64(BIS_SIGNAL_ASYNC.rawValue)
    if isSkipped {
      if r.rax == stop.before.rax { r.rax = UInt64(bitPattern: -38) }
    } else {
      r.rax = r.orig_rax
      r.rip &-= 2
      t.skipsEntry = true
    }
    setProgramRegisters(p, r)
    let extended: [Effect] = stop.extendedState.map { [.extendedState(Payload($0))] } ?? []
    try append(p, head, takePokes(p) + [registerEffect(p)] + extended)
    return true
  }
}
