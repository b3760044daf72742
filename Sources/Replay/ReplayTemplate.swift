import BisRuntime
import CABI
import Guest
import Linux

/// An empty process that has the region: copying it is cheaper than starting a process and putting the region in.
struct ReplayTemplate {
  let tid: ThreadID
  let slot: Slot
}

extension ReplaySession {
  /// A new process with the region in it, stopped where it can be sent to one of the runtime's entries.
  func emptyProcess(_ slot: Slot) throws(GuestError) -> ThreadID {
    sharedCPU.release()
    let tid: ThreadID
    do throws(SpawnError) {
      let stopped = try spawnTraced(
        path: "/proc/self/exe", arguments: ["bis-replay"], environment: [], disableASLR: true,
        options: .all.subtracting(.exit))
      tid = stopped.tid
    } catch { throw .replay("cannot start a process to replay in: \(error)", "bis doctor says what is missing", nil) }
    do throws(GuestError) { _ = try injector.inject(into: tid, slot: slot) } catch {
      end(tid)
      throw error
    }
    return tid
  }

  /// A template that stands before its first copy.
  func makeTemplate() throws(GuestError) -> ReplayTemplate {
    let slot = try kernel("make a ring") { () throws(Errno) in try rings.allocate() }
    let tid = try emptyProcess(slot)
    slot.control.block.pointee.self_address = UInt64(BIS_WINDOW_BASE)
    slot.control.block.pointee.stack_top = UInt64(BIS_STACK_TOP) - 64
    try GuestProcess(code: code, slot: slot, tid: tid, pid: tid.rawValue).restart(at: BIS_LABEL_REPLAY_TEMPLATE)
    return ReplayTemplate(tid: tid, slot: slot)
  }

  /// A copy of the template that uses `slot`, in its first stop: it begins with the START event when it goes on.
  func copy(of template: ReplayTemplate, _ slot: Slot) throws(GuestError) -> ThreadID {
    template.slot.control.block.pointee.child_slot_offset = slot.offset
    try kernel("copy a process") { () throws(Errno) in
      while true {
        try Ptrace.cont(template.tid, 0)
        switch try wait(for: template.tid).stopReason {
        case .event(.fork): return
        case .signal(5): throw Errno(code: Int32(truncatingIfNeeded: 0 &- (try Ptrace.getRegisters(template.tid).rax)))
        case nil: throw .gone
        default: break  // a signal for all processes of the terminal
        }
      }
    }
    return try child(of: template.tid)
  }

  /// The new process of one that stands in its fork event, in its first stop.
  func child(of parent: ThreadID) throws(GuestError) -> ThreadID {
    let message = try kernel("ask for the child") { () throws(Errno) in try Ptrace.eventMessage(parent) }
    let tid = ThreadID(Int32(truncatingIfNeeded: message))
    if early.remove(tid) == nil {
      let status = try kernel("wait for the child") { () throws(Errno) in try wait(for: tid) }
      guard case .stopped = status.kind else { throw .gone }
    }
    sharedCPU.freeChild(tid)
    return tid
  }
}
