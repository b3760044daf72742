import BisRuntime
import CABI
import Guest
import Linux

/// A stopped copy of the replayed process and what goes with it.
struct SavedProcess {
  let process: ReplayedProcess
  let pending: Focus.Pending
  let isAtLeave: Bool
  let endStop: Stop?
}

extension TranslateEngine {
  public func checkpoint() throws(GuestError) -> CheckpointID {
    let id = CheckpointID(number: nextCheckpoint)
    nextCheckpoint += 1
    checkpoints[id] = SavedProcess(
      process: try copy(process), pending: focus.pending, isAtLeave: isAtLeave, endStop: endStop)
    return id
  }

  public func restore(_ checkpoint: CheckpointID) throws(GuestError) {
    guard let saved = checkpoints[checkpoint] else { throw .unsupported("there is no checkpoint \(checkpoint.number)") }
    let old = process
    let fresh = try copy(saved.process)
    session.takeEcho(old)
    session.endProcess(old)
    session.rings.release(old.guest.slot)
    session.processes[fresh.guest.tid] = fresh
    focus.process = fresh
    focus.pending = saved.pending
    focus.stop = .limit
    isAtLeave = saved.isAtLeave
    endStop = saved.endStop
    armed.process = nil
    callUnderWay = nil
    touched = nil
    // (other mappings, perhaps, with code that was translated before)
    for a in armed.addresses { try fresh.guest.insertBreakpoint(at: a) }
  }

  public func discard(_ checkpoint: CheckpointID) {
    guard let saved = checkpoints.removeValue(forKey: checkpoint) else { return }
    session.endProcess(saved.process)
    session.rings.release(saved.process.guest.slot)
  }

  public func cost(of checkpoint: CheckpointID) -> Int {
    guard let saved = checkpoints[checkpoint] else { return 0 }
    return privateBytes(of: saved.process.guest.tid)
  }

  /// Makes a copy of a stopped process, stopped at the same place, with a window of its own.
  func copy(_ p: ReplayedProcess) throws(GuestError) -> ReplayedProcess {
    session.takeEcho(p)
    let tid = p.guest.tid
    let slot = try kernel("make a ring") { () throws(Errno) in try session.rings.allocate() }
    slot.copyAll(of: p.guest.slot)
    let result = try p.guest.remoteCall(56, 17, 0, 0, 0, 0)  // clone(SIGCHLD)
    guard result > 0 else { throw .kernel("copy the process", Errno(code: Int32(-result))) }
    let child = ThreadID(Int32(result))
    session.sharedCPU.freeChild(child)
    let guest = GuestProcess(code: session.code, slot: slot, tid: child, pid: child.rawValue)
    try kernel("set the copy up") { () throws(Errno) in
      if session.early.remove(child) == nil { _ = try wait(for: child) }
      let registers = try Ptrace.getRegisters(tid)
      let mask = try Ptrace.signalMask(tid)
      let remapped = try remoteSyscall(
        child, trappingAt: Region.address(BIS_LABEL_REMOTE_SYSCALL), 216,
        [UInt64(BIS_WINDOW_BASE), UInt64(BIS_WINDOW_SIZE), 0, slot.offset >> 12, 0x10000])
      if remapped < 0 { throw Errno(code: Int32(-remapped)) }
      try Ptrace.setRegisters(child, registers)
      try Ptrace.setSignalMask(child, mask)
    }
    try guest.copyCode(of: p.guest)
    let q = ReplayedProcess(guest: guest, feed: p.feed.copy(), recordedPID: p.recordedPID)
    q.awaited = p.awaited
    return q
  }
}

// MARK: Diversions

extension TranslateEngine {
  public func divert(_ policy: DiversionPolicy) throws(GuestError) -> any Diversion {
    try LiveDiversion(self, policy)
  }

  struct DuringDiversion {
    let focus: Focus
    let isAtLeave: Bool
    let endStop: Stop?
    let breakpoints: [Breakpoint]
  }

  func enterDiversion(_ other: Focus) -> DuringDiversion {
    let saved = DuringDiversion(
      focus: focus, isAtLeave: isAtLeave, endStop: endStop, breakpoints: armed.breakpoints)
    other.onTrap = focus.onTrap
    other.onHiddenStep = focus.onHiddenStep
    focus = other
    session.focus = other
    isAtLeave = false
    endStop = nil
    armed.process = nil
    return saved
  }

  func leaveDiversion(_ saved: DuringDiversion) {
    focus = saved.focus
    session.focus = saved.focus
    isAtLeave = saved.isAtLeave
    endStop = saved.endStop
    armed.process = nil
  }
}
