import CABI
import Guest
import Linux
import Tape

/// How threads become tracees, and what follows them: children, exec.
extension RecordSession {
  /// PTRACE_TRACEME: the parent traces the calling thread.
  func traceMe(_ p: RecordedProcess) -> Int64 {
    let tid = p.guest.tid
    guard ptrace.tracees[tid] == nil, let parent = parent(of: tid),
      process(parent) != nil
    else { return -1 }
    attach(tid, by: parent, isSeized: false, options: 0)
    return 0
  }

  /// PTRACE_ATTACH, PTRACE_SEIZE.
  func traceOther(
    _ p: RecordedProcess, _ tid: ThreadID, isSeized: Bool, options: UInt64
  ) -> Int64 {
    guard let q = processes[tid] else {
      guard (try? Ptrace.kill(process: tid, 0)) != nil || readText("/proc/\(tid)/comm") != "" else { return -3 }
      warn("\(p.executable) wants to trace process \(tid), which is not recorded: it fails with EPERM")
      return -1
    }
    guard q !== p, ptrace.tracees[tid] == nil else { return -1 }
    guard options & ~Tracee.knownOptions == 0 else { return unknownOptions(options) }
    attach(tid, by: p.guest.pid, isSeized: isSeized, options: options)
    if !isSeized {
      if isInGroupStop(tid) {
        ptrace.tracees[tid]?.wantsInterrupt = true
        try? Ptrace.interrupt(tid)
      } else {
        try? Ptrace.signal(tid, 19)
      }
    }
    return 0
  }

  func unknownOptions(_ options: UInt64) -> Int64 {
    if options & 0x80 != 0 { warn("PTRACE_O_TRACESECCOMP is not supported in this version: it fails with EINVAL") }
    return -22
  }

  private func isInGroupStop(_ tid: ThreadID) -> Bool {
    statusWords(tid.rawValue, "State").first == "T"
  }

  private func attach(_ tid: ThreadID, by tracer: Int32, isSeized: Bool, options: UInt64) {
    ptrace.tracees[tid] = Tracee(
      tid, tracer: tracer, isChild: parent(of: tid) == tracer && isLeader(tid), isSeized: isSeized, options: options)
    guard let p = process(tracer) else { return }
    let isFirst = p.control.block.pointee.traced & UInt32(BIS_TRACED_WAITS.rawValue) == 0
    updateTracing(p)
    guard isFirst else { return }
    // It may be in a wait that bis does not know of.
    for (thread, q) in processes where q === p && (thread != tid && ptrace.tracees[thread]?.stop == nil) {
      ptrace.waiters.insert(thread)
      try? Ptrace.interrupt(thread)
    }
  }

  // MARK: Children

  /// A thread has made another one (PTRACE_EVENT_FORK, VFORK, CLONE of bis's own): the same for its tracer, if that has
  /// asked for it. Returns which of the two are in virtual stops.
  func traceChild(
    _ p: RecordedProcess, _ parent: ThreadID, _ child: ThreadID, _ seen: Registers
  ) -> (parent: Bool, child: Bool) {
    guard let t = ptrace.tracees[parent], let q = processes[child] else { return (false, false) }
    let isVfork = p.vforkParents.last == parent && q === p && p.guest.tid == child
    let isThread = q === p && !isVfork
    let isClone = isThread || (!isVfork && p.forkFlags & 0xFF != 17)
    let number: Int32 = isVfork ? 2 : isClone ? 3 : 1
    guard t.has(isVfork ? .vfork : isClone ? .clone : .fork), p.forkFlags & 0x80_0000 == 0 || isThread else {
      return (false, false)
    }
    attach(child, by: t.tracer, isSeized: t.isSeized, options: t.options)
    guard let c = ptrace.tracees[child] else { return (false, false) }
    t.message = UInt64(UInt32(bitPattern: child.rawValue))
    let first = t.isSeized ? VirtualStop.What.interrupted : .signal(signalInfo(19, code: 0, t.tracer, 0))
    if isThread {
      t.events.append(.event(number))
      updateTracing(p)
      hold(q, c, first, at: .kernel)
      return (false, true)
    }
    c.events.append(first)
    if isVfork {
      updateTracing(p)
      hold(p, t, .event(number), at: .kernel, showing: seen)
      return (true, false)
    }
    t.events.append(.event(number))
    updateTracing(p)
    updateTracing(q)
    return (false, false)
  }

  /// A vfork child is gone: PTRACE_EVENT_VFORK_DONE.
  func tracedVforkDone(_ p: RecordedProcess) {
    guard let t = ptrace.tracees[p.guest.tid] else { return updateTracing(p) }
    if t.has(.vforkDone) { t.events.append(.event(5)) }
    updateTracing(p)
  }

  // MARK: exec and exit

  /// A tracee is another program now and stands before its first instruction. True: it is held, or was resumed.
  func tracedExec(_ p: RecordedProcess, _ tid: ThreadID) throws(GuestError) -> Bool {
    guard let t = ptrace.tracees[tid] else {
      updateTracing(p)
      return false
    }
    t.message = UInt64(UInt32(bitPattern: tid.rawValue))
    t.events = t.has(.exec) ? [.event(4)] : t.isSeized ? [] : [.signal(signalInfo(5, code: 0, tid.rawValue, 0))]
    t.skipsEntry = false
    updateTracing(p)
    try event(p, t)
    return true
  }

  /// Threads that end because another one of the process calls exec.
  func tracedExecEnds(_ p: RecordedProcess, _ tid: ThreadID) throws(GuestError) {
    for thread in p.threads where thread != tid { try tracedEnd(thread, .exited(0)) }
  }

  /// A tracee is about to end by exit or exit_group. True: it is held before that (PTRACE_O_TRACEEXIT).
  func holdsExit(_ p: RecordedProcess) -> Bool {
    let number = p.control.answers[0]
    guard number == 60 || number == 231, let t = ptrace.tracees[p.guest.tid], t.has(.exit) else { return false }
    t.message = (p.control.arguments[0] & 0xFF) << 8
    hold(p, t, .event(6), at: .exit, showing: callView(p, t.tid, number: number, result: -38))
    return true
  }
}
