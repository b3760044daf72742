import CABI
import Guest
import Linux
import Translate

/// A thread that was stopped so that translations can be given back.
struct HaltedProcess {
  let tid: ThreadID
  let registers: Registers
  let isGroupStop: Bool
}

/// The code cache is full: all processes are stopped where none of them needs its translations, and go on with new ones.
extension RecordSession: CodeUsers {
  func release() {
    for h in halted { letGo(h) }
    halted = []
  }

  private func letGo(_ h: HaltedProcess) {
    if h.isGroupStop {
      try? Ptrace.listen(h.tid)
    } else {
      try? restartInterrupted(h.tid, h.registers)
      resume(h.tid)
      // (Its report may have been the one that a tracer waits for.)
      if let t = ptrace.tracees[h.tid], t.wantsInterrupt { try? Ptrace.interrupt(h.tid) }
    }
  }

  func halt(_ p: GuestProcess) throws(GuestError) -> Rest? {
    attention.end()  // (a question on its way becomes a stop)
    guard let q = processes.values.first(where: { $0.guest === p }) else { return .outside }
    let before = halted.count
    var rest = Rest.call
    for tid in threads(of: q) {
      guard let found = try halt(q, tid) else {
        for h in halted[before...] { letGo(h) }
        halted.removeSubrange(before...)
        return nil
      }
      if q.control.isCurrent(UInt64(tid.rawValue)) { rest = found }
    }
    return rest
  }

  private func threads(of q: RecordedProcess) -> [ThreadID] {
    processes.filter { $0.value === q }.map(\.key)
  }

  /// Stops one thread; nil: not now.
  private func halt(_ q: RecordedProcess, _ tid: ThreadID) throws(GuestError) -> Rest? {
    let isCurrent = q.control.isCurrent(UInt64(tid.rawValue))
    switch try Guest.halt(tid) {
    case .gone(let status):
      if let status { stashed.append(status) }
      return .outside
    case .running:
      // (Suspended until its child is another program, or gone.)
      return q.vforkParents.contains(tid) ? .call : nil
    case .interrupted(let r, let isGroupStop):
      halted.append(HaltedProcess(tid: tid, registers: r, isGroupStop: isGroupStop))
      guard let rest = q.guest.rest(r), isCurrent || !rest.isProgram else { return nil }
      if case .code = rest { return try q.guest.leaveCode(tid, faulted: false) ? rest : nil }
      switch rest {
      case .question where isCurrent: return nil  // (on its way out of one)
      // (One that the program made: behind others stands code that knows where it goes on.)
      case .call where isCurrent && q.control.block.pointee.in_syscall == 0: return nil
      default: return rest
      }
    case .reported(let r, let status):
      return try halt(q, tid, r, status)
    case .held(let r):
      if let i = stashed.firstIndex(where: { $0.tid == tid }) { return try halt(q, tid, r, stashed.remove(at: i)) }
      return try holdBack(q, tid, r)
    }
  }

  /// A thread that has stopped by itself, which the main loop does not know yet.
  private func halt(
    _ q: RecordedProcess, _ tid: ThreadID, _ r: Registers, _ status: WaitStatus
  ) throws(GuestError) -> Rest? {
    let isCurrent = q.control.isCurrent(UInt64(tid.rawValue))
    guard case .stopped(let reason) = status.kind else {
      stashed.append(status)
      return .outside
    }
    if case .code = q.guest.rest(r), isCurrent {
      guard status.isFault(of: tid) else {  // another signal: it takes note of that, and goes on
        try stopped(q, tid, reason)
        return nil
      }
      // It meets that again, in new translations.
      halted.append(HaltedProcess(tid: tid, registers: r, isGroupStop: false))
      return try q.guest.leaveCode(tid, faulted: true) ? .code : nil
    }
    if case .signal = reason, !status.isFault(of: tid), q.control.reason == BIS_REASON_NONE {
      try stopped(q, tid, reason)
      return nil
    }
    stashed.append(status)
    if isCurrent, case .question = q.guest.rest(r) {
      q.guest.tid = tid
      return .question
    }
    return .call
  }

  /// A thread that waits for something that the main loop knows of.
  private func holdBack(_ q: RecordedProcess, _ tid: ThreadID, _ r: Registers) throws(GuestError) -> Rest? {
    guard q.control.isCurrent(UInt64(tid.rawValue)) else { return .call }
    switch q.guest.rest(r) {
    case .code:
      let waited = sharedRequests.count
      sharedRequests.removeAll { $0.tid == tid }
      if sharedRequests.count < waited {  // for a page that it was about to use: it asks again
        halted.append(HaltedProcess(tid: tid, registers: r, isGroupStop: false))
        return try q.guest.leaveCode(tid, faulted: true) ? .code : nil
      }
      // (A group stop of the kernel: nobody has looked yet where the program is.)
      if let stop = ptrace.tracees[tid]?.stop, case .kernel = stop.place {
        return try q.guest.leaveCode(tid, faulted: true) ? .code : nil
      }
      q.guest.tid = tid
      return .code
    case .question:
      q.guest.tid = tid
      return .question
    case .outside: return .outside
    case .call, nil: return .call
    }
  }
}

extension Rest {
  /// Only the thread that has the turn stands there.
  fileprivate var isProgram: Bool {
    switch self {
    case .question, .code: true
    case .call, .outside: false
    }
  }
}
