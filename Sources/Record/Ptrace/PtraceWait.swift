import CABI
import Glibc
import Guest
import Linux
import Tape

/// wait4 and waitid of a process that traces others: virtual stops are bis's to report, all else is the kernel's.
extension RecordSession {
  /// Which children a wait is for, and what it asks about them.
  private struct Wanted {
    var type: Int32  // P_ALL 0, P_PID 1, P_PGID 2
    var id: Int32
    var options: Int32
    var isPeek: Bool { options & 0x100_0000 != 0 }  // WNOWAIT
    var waitsNot: Bool { options & 1 != 0 }

    init?(_ call: PendingCall) {
      let a = call.arguments
      if call.number == 247 {
        type = Int32(truncatingIfNeeded: a[0])
        id = Int32(truncatingIfNeeded: a[1])
        options = Int32(truncatingIfNeeded: a[3])
        if type == 3 { return nil }  // P_PIDFD
      } else {
        let pid = Int32(truncatingIfNeeded: a[0])
        type = pid == -1 ? 0 : pid > 0 ? 1 : 2
        id = pid > 0 ? pid : pid < -1 ? -pid : 0
        options = Int32(truncatingIfNeeded: a[2]) | 4
      }
    }

    func matches(_ tid: ThreadID, _ tracer: Int32) -> Bool {
      switch type {
      case 0: true
      case 1: id == tid.rawValue
      default: getpgid(tid.rawValue) == (id == 0 ? getpgid(tracer) : id)
      }
    }
  }

  /// wait4 or waitid of a tracer.
  func traceWait(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    let block = p.control.block
    block.pointee.answer = UInt64(BIS_ANSWER_HOT.rawValue)
    ptrace.waiters.remove(p.guest.tid)
    guard let wanted = Wanted(call) else { return }
    let pid = p.guest.pid
    if let i = ptrace.ends.firstIndex(where: { $0.tracer == pid && wanted.matches($0.tid, pid) }) {
      let end = ptrace.ends[i]
      if !wanted.isPeek { ptrace.ends.remove(at: i) }
      return try report(p, call, end.tid, end.status)
    }
    let mine = ptrace.tracees.values.filter { $0.tracer == pid && wanted.matches($0.tid, pid) }
      .sorted { $0.tid < $1.tid }
    if let t = mine.first(where: { $0.stop.map { !$0.isCollected } ?? false }), let status = t.stop?.status {
      if !wanted.isPeek { t.stop?.isCollected = true }
      return try report(p, call, t.tid, status)
    }
    updateTracing(p)
    guard !mine.isEmpty else { return }
    let probe = try p.guest.remoteCall(
      247, UInt64(UInt32(bitPattern: wanted.type)), UInt64(UInt32(bitPattern: wanted.id)), 0,
      UInt64(UInt32(bitPattern: wanted.options | 0x100_0005)), 0)
    if probe == -10 {  // none of them is a child in the kernel's eyes
      if wanted.waitsNot {
        if call.number == 247 { return try report(p, call, ThreadID(0), 0) }
        return try finish(p, call, 0)
      }
      // Until somebody interrupts it: a futex that nobody wakes.
      p.pending = call
      p.control.answers[0] = 202
      let word = UInt64(BIS_WINDOW_BASE) + UInt64(MemoryLayout<bis_control>.offset(of: \.turn.always_zero)!)
      for (i, a) in [word, 128, 0, 0, 0, 0].enumerated() { p.control.arguments[i] = a }
      block.pointee.answer = UInt64(BIS_ANSWER_AFTER.rawValue)
    }
    if !wanted.waitsNot { ptrace.waiters.insert(p.guest.tid) }
  }

  /// Ends a wait with a thread's status.
  private func report(
    _ p: RecordedProcess, _ call: PendingCall, _ tid: ThreadID, _ status: Int32
  ) throws(GuestError) {
    let a = call.arguments
    var effects: [Effect] = []
    var result = Int64(tid.rawValue)
    func give(_ address: UInt64, _ bytes: [UInt8]) throws(GuestError) {
      guard address != 0 else { return }
      do throws(GuestError) { try p.guest.write(address, bytes) } catch {
        if case .gone = error { throw error }
        result = -14
        return
      }
      effects.append(.memory(address: address, Payload(bytes)))
    }
    if call.number == 247 {
      result = 0
      var info = SignalInfo()
      if tid.rawValue != 0 {
        let isStop = status & 0xFF == 0x7F
        let code: Int32 = isStop ? 4 : status & 0x7F == 0 ? 1 : 2
        info = signalInfo(17, code: code, tid.rawValue, isStop || code == 1 ? status >> 8 : status & 0x7F)
      }
      // (the kernel writes 28 bytes: the three words without a gap, then pid, uid and status)
      try give(a[2], info.withBytes { Array($0[0..<28]) })
      try give(a[4], [UInt8](repeating: 0, count: 144))
    } else {
      try give(a[1], withUnsafeBytes(of: status) { Array($0) })
      try give(a[3], [UInt8](repeating: 0, count: 144))
    }
    try finish(p, call, result, effects)
    updateTracing(p)
  }

  // MARK: Telling the tracer

  /// A tracee has stopped: its tracer gets SIGCHLD, and a wait of the tracer looks again.
  func notify(_ t: Tracee) {
    guard let stop = t.stop else { return }
    tell(t.tracer, signalInfo(17, code: 4, t.tid.rawValue, stop.status >> 8 & 0x7F), isStop: true)
  }

  private func tell(_ tracer: Int32, _ info: SignalInfo, isStop: Bool) {
    guard let p = process(tracer) else { return }
    let action = p.control.actions[17]
    if action.handler != 1, !isStop || action.flags & 1 == 0 { ptrace.childSignals[tracer] = info }  // SA_NOCLDSTOP
    let threads = ptrace.waiters.filter { processes[$0] === p }
    for tid in threads { try? Ptrace.interrupt(tid) }  // (a wait returns with it: no signal is needed)
    if threads.isEmpty { sendChildSignal(tracer) }
  }

  func sendChildSignal(_ tracer: Int32) {
    if ptrace.childSignals[tracer] != nil { try? Ptrace.kill(process: ThreadID(tracer), 17) }
  }

  /// What a SIGCHLD that bis has sent in the kernel's place says.
  func childSignal(_ p: RecordedProcess, _ info: SignalInfo) -> SignalInfo {
    guard info.signo == 17, info.code == 0, info.pid == getpid() else { return info }
    return ptrace.childSignals.removeValue(forKey: p.guest.pid) ?? info
  }

  /// A thread is gone: its tracer is told, its own tracees are free.
  func tracedEnd(_ tid: ThreadID, _ how: RecordOutcome) throws(GuestError) {
    ptrace.waiters.remove(tid)
    ptrace.changes[tid] = nil
    if let t = ptrace.tracees.removeValue(forKey: tid), !t.isChild {
      let status: Int32
      let code: Int32
      switch how {
      case .exited(let n): (status, code) = ((n & 0xFF) << 8, 1)
      case .signaled(let n): (status, code) = (n, 2)
      }
      if process(t.tracer) != nil {
        ptrace.ends.append(TraceeEnd(tid: tid, tracer: t.tracer, status: status))
        tell(t.tracer, signalInfo(17, code: code, tid.rawValue, code == 1 ? status >> 8 : status), isStop: false)
      }
    }
    ptrace.ends.removeAll { $0.tracer == tid.rawValue }
    for t in ptrace.tracees.values where t.tracer == tid.rawValue {
      ptrace.tracees[t.tid] = nil
      if t.has(.exitKill) { try? Ptrace.kill(process: t.tid) }
      do throws(GuestError) { try goOn(t, .go, signal: 0) } catch {
        guard case .gone = error else { throw error }
      }
      if let p = processes[t.tid] { updateTracing(p) }
    }
  }
}
