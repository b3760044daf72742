internal import CLinux

/// Runs one system call in a stopped thread and puts the thread back as it was. Returns what the kernel returned, negative
/// errors included. `syscallInstruction` is where the bytes `0f 05` are mapped executable.
///
/// The thread must be in a stop where it is on its way to user mode: signal-delivery stop, `.event(.stop)`, group stop,
/// syscall exit. After `.event(.exec)` call `finishExecStop` first; after the fork events, `finishEventStop`.
///
/// * Signals stay pending: all are blocked for the call but SIGTRAP, which the kernel would otherwise *unblock and reset to
///   its default action* when it reports the step (inject.md section 4). A program that blocks or ignores SIGTRAP in the
///   kernel loses that disposition here.
/// * A pending interrupt or group stop, and SIGSTOP, come first; they are raised again afterwards, so the thread reports
///   them when it is resumed.
/// * A signal about to be delivered can still be given to resume, with its own information. A thread that was in a group
///   stop reports it once more when it is resumed (not: listened to).
/// * If the thread is killed, its exit event or end is left for the next wait and `Errno.gone` is thrown.
/// * A call that makes a thread or process (clone, fork) works; the child's first stop is left for the next wait.
/// * EFAULT is thrown when there is no system call instruction to execute.
public func remoteSyscall(
  _ stopped: borrowing Stopped, at syscallInstruction: UInt64, _ number: Int, _ arguments: UInt64...
) throws(Errno) -> Int64 {
  try remoteSyscall(stopped.tid, at: syscallInstruction, number, arguments)
}

public func remoteSyscall(
  _ tid: ThreadID, at syscallInstruction: UInt64, _ number: Int, _ arguments: [UInt64]
) throws(Errno) -> Int64 {
  try remote(tid, at: syscallInstruction, end: syscallInstruction + 2, steps: true, number, arguments)
}

/// The same where the bytes `0f 05 cc` are: the thread runs into the trap. (A single step is three times as dear as a trap in
/// a virtual machine, 24 and 8 us on one CPU.)
public func remoteSyscall(
  _ tid: ThreadID, trappingAt start: UInt64, _ number: Int, _ arguments: [UInt64]
) throws(Errno) -> Int64 {
  try remote(tid, at: start, end: start + 3, steps: false, number, arguments)
}

/// The same for code without a stack that makes system calls, from `start` to the trap at `end`. Arguments are where a system call
/// has them; returns rax.
public func remoteRoutine(
  _ tid: ThreadID, from start: UInt64, to end: UInt64, _ arguments: [UInt64]
) throws(Errno) -> Int64 {
  try remote(tid, at: start, end: end + 1, steps: false, 0, arguments)
}

private func remote(
  _ tid: ThreadID, at start: UInt64, end: UInt64, steps: Bool, _ number: Int, _ arguments: [UInt64]
) throws(Errno) -> Int64 {
  let saved = try Ptrace.getRegisters(tid)
  let info = try? Ptrace.signalInfo(tid)
  let mask = try Ptrace.signalMask(tid)
  try Ptrace.setSignalMask(tid, ~(1 << UInt64(SIGTRAP - 1)))
  var registers = saved
  registers.rip = start
  registers.rax = UInt64(bitPattern: Int64(number))
  registers.orig_rax = .max
  registers.rflags &= ~0x100  // TF
  registers.setArguments(arguments)
  try Ptrace.setRegisters(tid, registers)

  var deferred = Deferred()
  deferred.interrupted = info?.isGroupStop ?? false
  let outcome: Result<Int64, Errno>
  do throws(Errno) {
    outcome = .success(try goOn(tid, to: end, steps: steps, &deferred))
  } catch {
    outcome = .failure(error)
  }
  // At an exit event this still works, and what reads the last state reads the program's.
  do throws(Errno) {
    try Ptrace.setRegisters(tid, saved)
    try Ptrace.setSignalMask(tid, mask)
    if let info { try Ptrace.setSignalInfo(tid, info) }
    if deferred.interrupted { try Ptrace.interrupt(tid) }
    for signal in deferred.signals { try Ptrace.signal(tid, signal) }
  } catch {
    if case .success = outcome { throw error }
  }
  return try outcome.get()
}

/// Leaves the inside of execve for its syscall exit stop, where registers hold and remote calls work.
public func finishExecStop(_ stopped: borrowing Stopped) throws(Errno) { try finishEventStop(stopped.tid) }
public func finishExecStop(_ tid: ThreadID) throws(Errno) { try finishEventStop(tid) }

/// The same after any event *inside* a system call: fork, vfork (the child must run and finish first), clone, exec.
/// Nothing but death can come before the exit stop, as signals wait for the way to user mode.
public func finishEventStop(_ tid: ThreadID) throws(Errno) {
  try Ptrace.syscall(tid)
  guard try nextReport(tid).stopReason == .syscall else { throw .gone }
  _ = try wait(for: tid)
}

// MARK: -

extension SignalInfo {
  /// Of a group stop: what GETSIGINFO makes up for PTRACE_EVENT_STOP.
  fileprivate var isGroupStop: Bool { code >> 8 == 128 && code & 0xff != SIGTRAP }
}

/// What came before the call and must be raised again after it.
private struct Deferred {
  var interrupted = false
  var signals: [Int32] = []
}

/// Until the trap that leaves the thread at `end`.
private func goOn(
  _ tid: ThreadID, to end: UInt64, steps: Bool, _ deferred: inout Deferred
) throws(Errno) -> Int64 {
  while true {
    if steps { try Ptrace.step(tid) } else { try Ptrace.cont(tid) }
    let report = try nextReport(tid)
    if report.stopReason == nil || report.stopReason == .event(.exit) { throw .gone }
    _ = try wait(for: tid)
    switch report.stopReason {
    case .event(.stop), .groupStop:
      deferred.interrupted = true
    case .signal(let signal):
      if try Ptrace.signalInfo(tid).isFromUser {
        deferred.signals.append(signal)
        continue
      }
      let registers = try Ptrace.getRegisters(tid)
      if signal == SIGTRAP, registers.rip == end { return Int64(bitPattern: registers.rax) }
      if signal == SIGSTOP {
        deferred.signals.append(signal)
        continue
      }
      throw .badAddress
    default:
      break  // an event inside the call: step on
    }
  }
}

/// What the thread reports next, still to be waited for.
private func nextReport(_ tid: ThreadID) throws(Errno) -> WaitStatus {
  guard let report = try peek(for: tid) else { throw .gone }
  return report
}
