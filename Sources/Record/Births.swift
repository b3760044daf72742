import CABI
import Glibc
import Guest
import Linux
import Tape
import Trace

/// New processes and threads: their makers report them, or are killed before they can.
extension RecordSession {
  /// PTRACE_EVENT_FORK, VFORK, CLONE: the parent reports its child, inside the call.
  func forked(_ p: RecordedProcess, _ tid: ThreadID) throws(GuestError) {
    let message = try kernel("ask for the child") { () throws(Errno) in try Ptrace.eventMessage(tid) }
    // (Killed since, it may stand in its exit event by now, which has another message.)
    guard let info = try? Ptrace.signalInfo(tid), (1...3).contains(info.code >> 8) else { throw .gone }
    let child = ThreadID(Int32(truncatingIfNeeded: message))
    let held = try meetChild(p, tid, child, view(p, tid))
    if !held { resume(tid) }
  }

  /// Makes a new process known, and lets a new thread or process run. Returns whether its maker's tracer holds the maker.
  private func meetChild(
    _ p: RecordedProcess, _ maker: ThreadID, _ child: ThreadID, _ seen: Registers
  ) throws(GuestError) -> Bool {
    if p.vforkParents.last == maker, p.guest.tid == maker {
      p.guest.tid = child
      p.control.block.pointee.tid = UInt64(child.rawValue)
      processes[child] = p
    } else if let index = p.newThread {
      p.newThread = nil
      p.control.threads[index].tid = UInt64(child.rawValue)
      p.wasThreaded = true
      p.threads.insert(child)
      processes[child] = p
    }
    let first = try firstReport(of: child)
    if processes[child] == nil { try makeChild(p, child) }
    guard first.stopReason != nil, first.stopReason != .event(.exit) else {  // killed before it began
      stashed.append(first)
      return false
    }
    if let q = processes[child], q !== p {
      do throws(GuestError) { for view in q.views { try applyRights(view) } } catch {
        if case .gone = error { return false }
        throw error
      }
    }
    let held = traceChild(p, maker, child, seen)
    if !held.child { resume(child) }
    return held.parent
  }

  /// What a new thread or process has reported, perhaps before its maker reported it.
  private func firstReport(of child: ThreadID) throws(GuestError) -> WaitStatus {
    if let report = early.removeValue(forKey: child) { return report }
    return try kernel("wait for the child") { () throws(Errno) in
      do throws(Errno) { return try wait(for: child) } catch {
        // Killed, and its end was taken for that of somebody unknown.
        guard error == .noChild else { throw error }
        return WaitStatus(tid: child, kind: .signaled(SIGKILL, core: false))
      }
    }
  }

  /// Somebody reports who is not known. A new process is left as it is until its maker reports it or dies (`endFork`); a
  /// thread that is killed before its maker could report it can only be let go: its maker is killed as well.
  func reportedEarly(_ status: WaitStatus) {
    let tid = status.tid
    guard case .stopped(let reason) = status.kind else {
      if early[tid] != nil { early[tid] = status }
      return
    }
    if reason == .event(.exit), !isLeader(tid) {
      early[tid] = nil
      return resume(tid)
    }
    early[tid] = status
  }

  /// A process is killed inside fork or vfork. If its child is there it lives on; the tape has the fork before the end.
  func endFork(_ p: RecordedProcess, _ tid: ThreadID) throws(GuestError) {
    guard p.guest.tid == tid, !p.endWritten, !isEnding else { return }
    let isVfork = p.vforkParents.last == tid
    guard let call = isVfork ? p.vforkCalls.last : p.pending, let c = call.clone, !call.makesThread else { return }
    if isVfork || p.childSlot != nil, let child = unreportedChild(of: p, flags: c[0]) {
      let seen = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
      _ = try meetChild(p, tid, child, seen)
    }
    guard !isVfork, let child = p.children.last else { return }
    p.pending = nil
    try forkReturned(p, call, Int64(child.pid))
  }

  /// A child that the process has made and could not report any more.
  private func unreportedChild(of p: RecordedProcess, flags: UInt64) -> ThreadID? {
    let maker = flags & Clone.parent == 0 ? p.guest.pid : parent(of: ThreadID(p.guest.pid))
    let isMine = { (tid: ThreadID) in self.processes[tid] == nil && parent(of: tid) == maker }
    if let child = early.keys.first(where: isMine) { return child }
    return numbers(in: "/proc").map { ThreadID($0) }.first {
      isMine($0) && statusWords($0.rawValue, "TracerPid").first == "\(getpid())"
    }
  }

  private func makeChild(_ p: RecordedProcess, _ child: ThreadID) throws(GuestError) {
    guard let slot = p.childSlot, let call = p.pending, let c = call.clone else {
      throw .unsupported("a child that nobody asked for")
    }
    p.childSlot = nil
    let guest = GuestProcess(code: code, slot: slot, tid: child, pid: child.rawValue)
    slot.copyState(of: p.guest.slot)
    let q = try makeProcess(guest, programOf: p, arguments: p.arguments)
    try announce(q, origin: .fork, parent: p.sink.number, parentEvent: p.sink.eventCount)
    initialise(q)
    try guest.inherit(from: p.guest)
    q.libraries = p.libraries
    q.filters = p.filters
    q.filtersAllThreads = p.filtersAllThreads
    slot.control.block.pointee.seccomp = p.control.block.pointee.seccomp
    inheritShared(q, from: p)
    if c[0] & Clone.files != 0 { slot.control.block.pointee.plain_changes = UInt32(BIS_PLAIN_NEVER) }
    let control = slot.control
    if c[1] != 0 { control.gpr[4] = c[1] }
    if c[0] & Clone.setTLS != 0 { control.block.pointee.fs_base = c[4] }
    control.block.pointee.clear_child_tid = c[0] & Clone.childClearTID != 0 ? c[3] : 0
    var effects: [Effect] = []
    if c[0] & Clone.childSetTID != 0 {
      // (what the kernel has written: the number in its pid namespace)
      let number = try? kernel("read the child's number") { () throws(Errno) in try readBytes(child, c[3], count: 4) }
      effects.append(.memory(address: c[3], Payload(number ?? withUnsafeBytes(of: child.rawValue) { Array($0) })))
    }
    if c[1] != 0 {  // a stack of its own
      effects.append(
        .registers(
          RegisterValues(
            general: (0..<16).map { control.gpr[$0] }, rip: control.rip, rflags: control.block.pointee.rflags,
            fsBase: control.block.pointee.fs_base, gsBase: control.block.pointee.gs_base)))
    }
    if c[0] & Clone.setTLS != 0 { effects.append(.bases(fs: c[4], gs: control.block.pointee.gs_base)) }
    control.block.pointee.event_count = 0
    try append(
      q,
      EventHead(
        .start, number: UInt32(BIS_START_FORK.rawValue), rip: control.rip, value: p.sink.number,
        value2: p.sink.eventCount), effects)
    processes[child] = q
    if !p.heldBack.isEmpty { try setMask(q, control.block.pointee.signal_mask) }
    updateTracing(q)
    p.children.append((child.rawValue, q.sink.number))
  }

  /// The parent is back from fork.
  func forkReturned(_ p: RecordedProcess, _ call: PendingCall, _ result: Int64) throws(GuestError) {
    if let slot = p.childSlot {
      rings.release(slot)
      p.childSlot = nil
    }
    guard result > 0, let c = call.clone, let child = p.children.popLast() else { return try finish(p, call, result) }
    var effects: [Effect] = [.process(tape: child.tape, pid: UInt64(child.pid))]
    if c[0] & (Clone.parentSetTID | Clone.pidFD) != 0, let bytes = try? p.guest.read(c[2], 4) {
      effects.append(.memory(address: c[2], Payload(bytes)))
    }
    let number = withUnsafeBytes(of: Int32(truncatingIfNeeded: result)) { Array($0) }
    if c[5] != 0, try p.guest.writes(c[5], number) {
      effects.append(.memory(address: c[5], Payload(number)))
    }
    try finish(p, call, result, effects, flags: .supervisor)
  }
}
