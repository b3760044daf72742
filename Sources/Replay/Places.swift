import CABI
import Guest
import Linux

/// Which processes of a replay run at the same time.
///
/// Tapes hold everything that their processes took in, so no replay waits for another: only the child of a fork needs its
/// parent, up to the fork. As many run as there are CPUs and one more, for the time that one of them is served. A debugger
/// looks at one process: then there is one place, and the child of a fork comes before its parent.
extension ReplaySession {
  private var hasRoom: Bool { processes.count - parked.count + ending.count < places && hasMemory }

  /// Programs that ran one after the other may not fit into memory at the same time.
  private var hasMemory: Bool {
    processes.count == parked.count || memory.availableShare() > 0.25
  }

  /// Gives free places to parents that stand in fork, then to the next tapes.
  func fillPlaces() throws(GuestError) {
    while !(parked.isEmpty && roots.isEmpty), hasRoom {
      if let parent = parked.popLast() {
        resume(parent)
      } else if let tape = roots.popLast() {
        try startExec(tape)
      }
    }
  }

  /// The tape of a process is done: it is killed, and goes while others run.
  func beginEnd(of p: ReplayedProcess) {
    let tid = ThreadID(p.guest.pid)
    try? Ptrace.kill(process: tid)
    attention.leave(p.guest)
    processes[tid] = nil
    ending[tid] = p
  }

  /// A report of a process that was killed at the end of its tape. False: it is none.
  func goOnEnding(_ status: WaitStatus) throws(GuestError) -> Bool {
    guard let p = ending[status.tid] else { return false }
    if case .stopped = status.kind {
      try? Ptrace.cont(status.tid, 0)
      return true
    }
    ending[status.tid] = nil
    rings.release(p.guest.slot)
    try fillPlaces()
    return true
  }
}
