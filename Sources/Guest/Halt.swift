import BisRuntime
import CABI
import Glibc
import Linux
import Translate

/// How a thread was found that was to stop at once.
public enum HaltedThread {
  /// It was running, or waiting in the kernel.
  case interrupted(Registers, isGroupStop: Bool)
  /// It stood still, and its owner knows why.
  case held(Registers)
  /// It has just stopped for a reason of its own.
  case reported(Registers, WaitStatus)
  case gone(WaitStatus?)
  /// It does not stop now (suspended in vfork, say).
  case running
}

/// Where a stopped process stands, as far as its translations are concerned.
public enum Rest {
  /// In a question of the runtime, or in another stop of the runtime at which calls into the process work.
  case question
  /// In a system call that the runtime makes, or at an access of the program's memory that the runtime makes for it.
  case call
  /// In translated code, its state captured.
  case code
  /// It has none (any more).
  case outside
}

/// How long to wait for a thread to stop, in cycles (about 10 ms).
private let patience: UInt64 = 30_000_000

/// Stops a thread wherever it is, unless it is stopped already.
public func halt(_ tid: ThreadID) throws(GuestError) -> HaltedThread {
  if let r = try? Ptrace.getRegisters(tid) {
    guard let status = try? poll(for: tid) else { return .held(r) }
    return reported(tid, status)
  }
  guard (try? Ptrace.interrupt(tid)) != nil else {
    return .gone((try? poll(for: tid)) ?? nil)
  }
  guard let status = report(of: tid) else { return isZombie(tid) ? .gone(nil) : .running }
  switch status.kind {
  case .stopped(.event(.stop)), .stopped(.groupStop):
    guard let r = try? Ptrace.getRegisters(tid) else { return .gone(nil) }
    if hasFaulted(tid) {  // or asks (int3): that is still to be reported, and comes before any call into the process
      try? Ptrace.cont(tid, 0)
      guard let question = report(of: tid) else { return .running }
      return reported(tid, question)
    }
    if case .stopped(.groupStop) = status.kind { return .interrupted(r, isGroupStop: true) }
    return .interrupted(r, isGroupStop: false)
  default: return reported(tid, status)
  }
}

private func reported(_ tid: ThreadID, _ status: WaitStatus) -> HaltedThread {
  guard case .stopped = status.kind, let r = try? Ptrace.getRegisters(tid) else { return .gone(status) }
  return .reported(r, status)
}

/// What a thread that must stop soon reports; nil when it does not (a leader that has ended before its other threads never
/// will).
public func report(of tid: ThreadID) -> WaitStatus? {
  let begin = Machine.tsc()
  while Machine.tsc() &- begin < patience {
    if let status = try? poll(for: tid) { return status }
    usleep(5)
  }
  return nil
}

/// A leader that has ended before its other threads.
private func isZombie(_ tid: ThreadID) -> Bool {
  guard let state = statusWords(tid.rawValue, "State").first else { return true }
  return state == "Z" || state == "X"
}

/// What instructions raise: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV. (Never blocked in the kernel.)
public let faultSignals: UInt64 = 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 10

/// Whether one of `faultSignals` waits for a stopped thread.
public func hasFaulted(_ tid: ThreadID) -> Bool {
  ((try? Ptrace.pendingSignals(tid)) ?? 0) & faultSignals != 0
}

extension SignalInfo {
  /// One of `faultSignals`, and a code as the kernel gives for what an instruction did.
  public var tellsFault: Bool { code > 0 && faultSignals >> UInt64(signo - 1) & 1 != 0 }
}

extension WaitStatus {
  /// A fault of the instruction at hand, which comes again when that is executed again.
  public func isFault(of tid: ThreadID) -> Bool {
    guard case .stopped(.signal) = kind, let info = try? Ptrace.signalInfo(tid) else { return false }
    return info.tellsFault && (info.signo != 5 || info.code == 0x80)
  }
}

extension GuestProcess {
  /// Where a thread stands that was interrupted; nil: where translations may be in use, and it must go on for a moment.
  public func rest(_ r: Registers) -> Rest? {
    switch place(r.rip) {
    case .outside: return .outside
    case .translated: return .code
    case .runtime:
      if r.rip == Region.address(BIS_LABEL_STOPPED) { return .question }
      let at = Int(r.rip - UInt64(BIS_RUNTIME_BASE))
      guard at >= 2, at < bis_runtime_size(), let code = bis_runtime_bytes() else { return nil }
      return (code + at - 2).loadUnaligned(as: UInt16.self) == 0x050F ? .call : nil
    }
  }

  /// Brings the current thread, stopped in translated code, to the next point where the program's state is exact, and to the
  /// runtime. False: it left translated code on the way, or it is elsewhere.
  public func leaveCode(_ tid: ThreadID, faulted: Bool) throws(GuestError) -> Bool {
    self.tid = tid
    for _ in 0..<100 {
      var r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
      guard place(r.rip) == .translated else { return false }
      if faulted, let status = try? Ptrace.signalInfo(tid), status.signo == 5 { r.rip -= 1 }  // (int3)
      switch capture(r) {
      case .state where code.translator.locate(host: r.rip)?.kind == .indirectEntry: break
      case .state:
        try restart()
        return true
      case .unknown: return false
      case .stepOn: break
      }
      if faulted { return false }
      try singleStep()
    }
    return false
  }
}
