/// A thread in a ptrace stop. Anything that lets it run consumes it. Belongs to the thread that traces it: not Sendable.
/// Every call throws `Errno.gone` when the thread was killed meanwhile; its end is then reported by a wait.
public struct Stopped: ~Copyable {
  public let tid: ThreadID

  /// For a thread that a wait reported as stopped, or that is known to be.
  public init(assuming tid: ThreadID) { self.tid = tid }

  public func registers() throws(Errno) -> Registers { try Ptrace.getRegisters(tid) }
  public func setRegisters(_ registers: Registers) throws(Errno) { try Ptrace.setRegisters(tid, registers) }
  public func signalInfo() throws(Errno) -> SignalInfo { try Ptrace.signalInfo(tid) }
  public func setSignalInfo(_ info: SignalInfo) throws(Errno) { try Ptrace.setSignalInfo(tid, info) }
  public func eventMessage() throws(Errno) -> UInt64 { try Ptrace.eventMessage(tid) }
  public func signalMask() throws(Errno) -> UInt64 { try Ptrace.signalMask(tid) }
  public func setSignalMask(_ mask: UInt64) throws(Errno) { try Ptrace.setSignalMask(tid, mask) }
  public func setOptions(_ options: Ptrace.Options) throws(Errno) { try Ptrace.setOptions(tid, options) }
  public func xstate(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    try Ptrace.getXState(tid, into: buffer)
  }
  public func setXState(_ bytes: UnsafeRawBufferPointer) throws(Errno) { try Ptrace.setXState(tid, bytes) }

  public consuming func resume(signal: Int32 = 0) throws(Errno) -> Running {
    try Ptrace.cont(tid, signal)
    return Running(assuming: tid)
  }

  public consuming func step(signal: Int32 = 0) throws(Errno) -> Running {
    try Ptrace.step(tid, signal)
    return Running(assuming: tid)
  }

  public consuming func resumeToSyscall(signal: Int32 = 0) throws(Errno) -> Running {
    try Ptrace.syscall(tid, signal)
    return Running(assuming: tid)
  }

  /// After `.groupStop`: stays stopped for everybody, reports when SIGCONT comes.
  public consuming func listen() throws(Errno) -> Running {
    try Ptrace.listen(tid)
    return Running(assuming: tid)
  }

  /// Lets it run untraced.
  public consuming func detach(signal: Int32 = 0) throws(Errno) { try Ptrace.detach(tid, signal) }

  /// Ends its process and takes all reports of this thread until it is gone. For tests and failed starts; other threads
  /// of the process still report their ends.
  public consuming func kill() {
    try? Ptrace.kill(process: tid)
    while let status = try? wait(for: tid), status.stopReason != nil { try? Ptrace.cont(tid) }
  }
}

/// A traced thread that runs, or waits in the kernel, or listens.
public struct Running: ~Copyable {
  public let tid: ThreadID

  public init(assuming tid: ThreadID) { self.tid = tid }

  /// It will report `.event(.stop)` (or another stop that came first).
  public func interrupt() throws(Errno) { try Ptrace.interrupt(tid) }

  /// Its next report.
  public consuming func wait() throws(Errno) -> Stop {
    let status = try Linux.wait(for: tid)
    return switch status.kind {
    case .stopped(let reason): .stopped(Stopped(assuming: tid), reason)
    case .exited(let code): .exited(code)
    case .signaled(let signal, let core): .signaled(signal, core: core)
    }
  }
}

/// What a wait for one thread gives back.
public enum Stop: ~Copyable {
  case stopped(Stopped, StopReason)
  case exited(Int32)
  case signaled(Int32, core: Bool)
}
