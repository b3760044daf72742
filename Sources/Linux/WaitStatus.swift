internal import CLinux

/// A thread, as the kernel numbers it in our pid namespace.
public struct ThreadID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public init(_ rawValue: Int32) { self.rawValue = rawValue }

  public static func < (a: ThreadID, b: ThreadID) -> Bool { a.rawValue < b.rawValue }
  public var description: String { String(rawValue) }
}

/// Events of a seized thread. ptrace(2), PTRACE_O_TRACE*
public enum PtraceEvent: Equatable, Sendable {
  /// The new thread or process is in `Ptrace.eventMessage`; it reports `.stop` itself, before or after.
  case fork, vfork, clone
  /// Inside execve. The message is the tid the thread had; its tid is the process's now.
  case exec
  case vforkDone
  /// Registers and memory can be read for the last time. The message is the wait status to come.
  case exit
  case seccomp
  /// PTRACE_INTERRUPT, the first stop of a new thread, or the end of a group stop: the signal is SIGTRAP.
  case stop(Int32)
  case other(Int32)
}

/// Why a thread stands still.
public enum StopReason: Equatable, Sendable {
  /// About to be delivered; the number given to resume replaces it (0: suppressed).
  case signal(Int32)
  /// At the entry or the exit of a system call (PTRACE_SYSCALL).
  case syscall
  case event(PtraceEvent)
  /// Stopped by SIGSTOP, SIGTSTP, SIGTTIN or SIGTTOU with its whole process: listen, do not resume.
  case groupStop(Int32)
}

/// What became of a thread.
public struct WaitStatus: Equatable, Sendable {
  public enum Kind: Equatable, Sendable {
    case stopped(StopReason)
    case exited(Int32)
    case signaled(Int32, core: Bool)
  }

  public let tid: ThreadID
  public let kind: Kind

  public init(tid: ThreadID, kind: Kind) {
    self.tid = tid
    self.kind = kind
  }

  /// From wait4's status word.
  public init(tid: ThreadID, raw: Int32) {
    self.tid = tid
    if bis_wait_exited(raw) != 0 {
      kind = .exited(bis_wait_exit_status(raw))
    } else if bis_wait_signaled(raw) != 0 {
      kind = .signaled(bis_wait_term_signal(raw), core: bis_wait_core_dumped(raw) != 0)
    } else {
      kind = .stopped(WaitStatus.reason(signal: bis_wait_stop_signal(raw), event: bis_wait_event(raw)))
    }
  }

  /// Nil when the thread is gone.
  public var stopReason: StopReason? {
    guard case .stopped(let reason) = kind else { return nil }
    return reason
  }

  private static func reason(signal: Int32, event: Int32) -> StopReason {
    switch event {
    case 0: signal == SIGTRAP | 0x80 ? .syscall : .signal(signal)
    case 1: .event(.fork)
    case 2: .event(.vfork)
    case 3: .event(.clone)
    case 4: .event(.exec)
    case 5: .event(.vforkDone)
    case 6: .event(.exit)
    case 7: .event(.seccomp)
    case 128: signal == SIGTRAP ? .event(.stop(signal)) : .groupStop(signal)
    default: .event(.other(event))
    }
  }
}

private let waitFlags = Int32(bitPattern: 0x4000_0000 | 0x2000_0000)  // __WALL | __WNOTHREAD

/// The next report of any child or tracee of the calling thread; nil when `nohang` and there is none. Throws `.noChild`
/// when there is nothing to wait for, `.interrupted` when one of our signal handlers ran. wait4(2)
public func waitAny(nohang: Bool = false) throws(Errno) -> WaitStatus? {
  var raw: Int32 = 0
  let pid = try check(bis_wait4(-1, &raw, waitFlags | (nohang ? WNOHANG : 0)))
  if pid == 0 { return nil }
  let status = WaitStatus(tid: ThreadID(Int32(pid)), raw: raw)
  if status.stopReason == nil { noteEnd(of: Int32(pid), status: raw) }
  return status
}

/// The next report of one thread.
public func wait(for tid: ThreadID) throws(Errno) -> WaitStatus {
  var raw: Int32 = 0
  _ = try retrying { bis_wait4(tid.rawValue, &raw, waitFlags) }
  return WaitStatus(tid: tid, raw: raw)
}

/// The next stop of one thread. When it is killed its exit event or end is left for the next wait, and `.gone` is thrown.
public func waitForStop(_ tid: ThreadID) throws(Errno) -> StopReason {
  guard let reason = try peek(for: tid)?.stopReason, reason != .event(.exit) else { throw .gone }
  _ = try wait(for: tid)
  return reason
}

/// The report of one thread if there is one now.
public func poll(for tid: ThreadID) throws(Errno) -> WaitStatus? {
  var raw: Int32 = 0
  let pid = try retrying { bis_wait4(tid.rawValue, &raw, waitFlags | WNOHANG) }
  return pid == 0 ? nil : WaitStatus(tid: tid, raw: raw)
}

/// What the next wait for `tid` will report, without taking it. Nil when `nohang` and there is nothing. waitid(2), WNOWAIT
public func peek(for tid: ThreadID, nohang: Bool = false) throws(Errno) -> WaitStatus? {
  var raw: Int32 = 0
  let found = try retrying { bis_peek_wait(tid.rawValue, nohang ? 0 : 1, &raw) }
  return found == 0 ? nil : WaitStatus(tid: tid, raw: raw)
}
