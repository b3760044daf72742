/// Why a target does not run (any more).
public enum StopReply: Equatable, Sendable {
  /// `thread` stopped. `signal` is Linux's number; 0: no signal. Breakpoints, steps and watchpoints say SIGTRAP (5),
  /// an interruption by gdb SIGINT (2), and the ends of history and events of threads and processes SIGTRAP.
  case stopped(ThreadID, signal: Int, StopReason?)
  /// The process is gone.
  case exited(process: Int, status: Int)
  /// The process is gone, by a signal (Linux's number).
  case killed(process: Int, signal: Int)
  /// A thread is gone; only while `ThreadEventReporting` is on.
  case threadExited(ThreadID, status: Int)
  /// No thread that was resumed is left.
  case nothingLeft

  /// The thread that gdb shall look at.
  public var thread: ThreadID? {
    switch self {
    case .stopped(let thread, _, _), .threadExited(let thread, _): return thread
    default: return nil
    }
  }
}

/// What a stop was besides a signal.
public enum StopReason: Equatable, Sendable {
  /// A `software` breakpoint; the instruction pointer is at its address.
  case softwareBreakpoint
  /// A `hardware` breakpoint; the instruction pointer is at its address.
  case hardwareBreakpoint
  /// A watchpoint of this kind (`write`, `read` or `access`), by an access to this address.
  case watchpoint(BreakpointKind, address: UInt64)
  /// Before a system call, which gdb asked for (`SystemCallCatching`).
  case systemCallEntry(Int)
  /// After one.
  case systemCallReturn(Int)
  /// The thread made a process, whose first thread is this.
  case fork(ThreadID)
  case vfork(ThreadID)
  /// The child of vfork left its parent's memory.
  case vforkDone
  /// The thread's process goes on as this program (its path).
  case exec(String)
  /// The thread is new (`ThreadEventReporting`).
  case threadCreated
  /// There is nothing before this.
  case historyBegin
  /// There is nothing after this.
  case historyEnd
}
