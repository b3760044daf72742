import CABI
import Glibc
import Guest
import Linux
import Tape
import Trace

/// fork, vfork, exec and the end of processes.
extension RecordSession {
  // MARK: fork and vfork

  /// Flags of clone(2), uapi/linux/sched.h.
  enum Clone {
    static let vm: UInt64 = 0x100
    static let vfork: UInt64 = 0x4000
    static let parent: UInt64 = 0x8000
    static let parentSetTID: UInt64 = 0x10_0000
    static let files: UInt64 = 0x400
    static let thread: UInt64 = 0x1_0000
    static let setTLS: UInt64 = 0x8_0000
    static let sigHand: UInt64 = 0x800
    static let childClearTID: UInt64 = 0x20_0000
    static let untraced: UInt64 = 0x80_0000
    static let childSetTID: UInt64 = 0x100_0000
    static let pidFD: UInt64 = 0x1000
    static let clearSignalHandlers: UInt64 = 0x1_0000_0000
    static let intoCgroup: UInt64 = 0x2_0000_0000
  }

  /// Arguments of clone (`PendingCall.clone`; the flags with the exit signal), or why they are none (`-errno`).
  private enum CloneArguments {
    case valid([UInt64])
    case wrong(Int64)
  }

  /// The arguments of every way to make a process.
  private func cloneArguments(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) -> CloneArguments {
    let a = call.arguments
    switch call.number {
    case 57: return .valid([17, 0, 0, 0, 0, 0])
    case 58: return .valid([Clone.vm | Clone.vfork | 17, 0, 0, 0, 0, 0])
    case 56: return .valid([a[0], a[1], a[2], a[3], a[4], 0])
    default:
      return try extendedCloneArguments(p, a[0], size: a[1])
    }
  }

  /// clone3: copy_clone_args_from_user and clone3_args_valid, kernel/fork.c.
  private func extendedCloneArguments(
    _ p: RecordedProcess, _ address: UInt64, size: UInt64
  ) throws(GuestError) -> CloneArguments {
    guard size >= 64 else { return .wrong(-22) }
    guard size <= 4096 else { return .wrong(-7) }
    guard var bytes = try? p.guest.read(address, Int(size)) else { return .wrong(-14) }
    guard bytes.dropFirst(88).allSatisfy({ $0 == 0 }) else { return .wrong(-7) }
    bytes += [UInt8](repeating: 0, count: 88)
    let w = bytes.withUnsafeBytes { b in (0..<11).map { b.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) } }
    let flags = w[0], signal = w[4]
    // (CLONE_DETACHED and CSIGNAL, the bit of CLONE_NEWTIME among it, which clone does not know.)
    let isKnown = flags >> 34 == 0 && flags & 0x40_00FF == 0
    let isOneKind =
      flags & (Clone.sigHand | Clone.clearSignalHandlers) != Clone.sigHand | Clone.clearSignalHandlers
      && (signal == 0 || flags & (Clone.thread | Clone.parent) == 0)
    guard isKnown, isOneKind, signal <= 64, (w[5] == 0) == (w[6] == 0), w[9] <= 32, (w[8] == 0) == (w[9] == 0) else {
      return .wrong(-22)
    }
    if w[9] != 0 {
      warn("\(p.executable) chooses a process number (clone3, set_tid): not supported; it fails with EPERM")
      return .wrong(-1)
    }
    let stack = w[5] == 0 ? 0 : w[5] &+ w[6]
    guard flags & Clone.pidFD != 0 else { return .valid([flags | signal, stack, w[3], w[2], w[7], 0]) }
    // clone has one place for both: bis writes the number.
    let writesNumber = flags & Clone.parentSetTID != 0
    if writesNumber, flags & Clone.vm != 0 { return .wrong(-38) }
    return .valid([
      flags & ~(writesNumber ? Clone.parentSetTID : 0) | signal, stack, w[1], w[2], w[7], writesNumber ? w[3] : 0,
    ])
  }

  func clone(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    let c: [UInt64]
    switch try cloneArguments(p, call) {
    case .valid(let arguments): c = arguments
    case .wrong(let error): return try finish(p, call, error)
    }
    let block = p.control.block
    if c[0] & Clone.thread != 0 { return try makeThread(p, call, c) }
    if c[0] & (Clone.intoCgroup | Clone.clearSignalHandlers) != 0 { return try finish(p, call, -38) }
    let sharesMemory = c[0] & Clone.vm != 0
    if sharesMemory, c[0] & Clone.vfork == 0 || c[0] & Clone.setTLS != 0 || !p.vforkParents.isEmpty {
      // (compiler-rt, sanitizer_stoptheworld_linux_libcdep.cpp: the only well-known one that wants no tracer to see it)
      let isLeakCheck = c[0] & Clone.untraced != 0
      warn(
        "\(p.executable) makes a process that shares its memory: not supported in this version; it fails with EAGAIN"
          + (isLeakCheck ? ". If that is LeakSanitizer: record with --env ASAN_OPTIONS=detect_leaks=0" : ""))
      return try finish(p, call, -11)
    }
    p.forkFlags = c[0]
    rings.expectSeveralProcesses()
    if c[0] & Clone.files != 0 { block.pointee.plain_changes = UInt32(BIS_PLAIN_NEVER) }
    p.control.answers[0] = c[0] & ~(Clone.untraced | (sharesMemory ? 0 : Clone.childClearTID))
    p.control.answers[1] = c[2]
    p.control.answers[2] = c[3]
    p.control.answers[3] = c[4]
    p.control.answers[4] = c[1]
    var pending = call
    pending.clone = c
    if sharesMemory {
      p.vforkCalls.append(pending)
      p.vforkParents.append(p.guest.tid)
      p.control.arguments[0] = call.hash
      p.control.arguments[1] = UInt64(call.number)
      block.pointee.answer = UInt64(BIS_ANSWER_VFORK.rawValue)
    } else {
      p.pending = pending
      p.childSlot = try kernel("make a ring (is the disk full?)") { () throws(Errno) in try rings.allocate() }
      block.pointee.child_slot_offset = p.childSlot!.offset
      block.pointee.answer = UInt64(BIS_ANSWER_FORK.rawValue)
    }
  }

  // MARK: Threads

  /// Prepares the new thread's state; the runtime makes it.
  private func makeThread(_ p: RecordedProcess, _ call: PendingCall, _ c: [UInt64]) throws(GuestError) {
    let control = p.control
    let block = control.block
    guard c[0] & Clone.vm != 0, c[0] & Clone.sigHand != 0 else { return try finish(p, call, -22) }
    guard p.vforkParents.isEmpty, c[0] & Clone.pidFD == 0 else { return try finish(p, call, -11) }
    if c[0] & Clone.files == 0 { block.pointee.plain_changes = UInt32(BIS_PLAIN_NEVER) }
    guard let index = control.freeThread() else {
      warn(
        "\(p.executable) (pid \(p.guest.pid)) has \(BIS_MAX_THREADS) threads: more are not supported in this "
          + "version; the call fails with EAGAIN")
      return try finish(p, call, -11)
    }
    try kernel("make room for a thread (is the disk full?)") { () throws(Errno) in
      try rings.makeRoom(for: index, in: p.guest.slot)
    }
    block.pointee.turn.used = max(block.pointee.turn.used, UInt32(index) + 1)
    let t = control.threads + index
    t.pointee = bis_thread()
    UnsafeMutableRawPointer(t).copyMemory(from: control.base, byteCount: 16 * 8)
    let gpr = UnsafeMutableRawPointer(t).assumingMemoryBound(to: UInt64.self)
    gpr[0] = 0
    gpr[1] = control.rip
    gpr[11] = block.pointee.rflags
    if c[1] != 0 { gpr[4] = c[1] }
    t.pointee.rip = control.rip
    t.pointee.rflags = block.pointee.rflags
    t.pointee.fs_base = c[0] & Clone.setTLS != 0 ? c[4] : block.pointee.fs_base
    t.pointee.gs_base = block.pointee.gs_base
    t.pointee.stack_top = UInt64(BIS_THREADS_BASE) + UInt64(index + 1) * UInt64(BIS_THREAD_SPACE) - 64
    t.pointee.xcr0 = block.pointee.xcr0
    t.pointee.pkru = block.pointee.pkru
    t.pointee.signal_mask = block.pointee.signal_mask
    t.pointee.altstack_flags = 2
    t.pointee.seccomp = block.pointee.seccomp
    if c[0] & Clone.childClearTID != 0 { t.pointee.clear_child_tid = c[3] }
    t.pointee.alive = 1
    p.newThread = index
    p.makingThread = index
    p.control.answers[0] =
      c[0] & ~(Clone.untraced | Clone.childSetTID | Clone.setTLS) | Clone.parentSetTID | Clone.childClearTID
    p.control.answers[1] = UInt64(index)
    var pending = call
    pending.clone = c
    p.pending = pending
    block.pointee.answer = UInt64(BIS_ANSWER_THREAD.rawValue)
  }

  /// The parent is back from clone; the new thread waits for its turn.
  func threadReturned(_ p: RecordedProcess, _ call: PendingCall, _ result: Int64) throws(GuestError) {
    p.newThread = nil
    guard result > 0, let c = call.clone else {
      if let index = p.makingThread { p.control.threads[index].alive = 0 }
      p.makingThread = nil
      return try finish(p, call, result)
    }
    // Its number outside of its pid namespace, if it is in one.
    let outside = p.makingThread.map { p.control.threads[$0].tid } ?? UInt64(result)
    p.makingThread = nil
    let bytes = withUnsafeBytes(of: Int32(truncatingIfNeeded: result)) { Array($0) }
    var effects: [Effect] = [
      .thread(
        tid: outside, stack: c[1] != 0 ? c[1] : p.control.gpr[4],
        fs: c[0] & Clone.setTLS != 0 ? c[4] : p.control.block.pointee.fs_base)
    ]
    for (flag, address) in [(Clone.parentSetTID, c[2]), (Clone.childSetTID, c[3])] where c[0] & flag != 0 {
      do throws(GuestError) { try p.guest.write(address, bytes) } catch {
        if case .gone = error { throw error }
        continue  // (the kernel does not care either)
      }
      effects.append(.memory(address: address, Payload(bytes)))
    }
    try finish(p, call, result, effects)
  }

  // MARK: vfork

  /// The vfork child is gone (ended, or another program now): the parent runs again.
  func vforkReturned(_ p: RecordedProcess, _ result: Int64) throws(GuestError) {
    guard let parent = p.vforkParents.popLast(), let call = p.vforkCalls.popLast() else {
      throw .unsupported("a vfork that nobody asked for")
    }
    // (The child's exec event or end may still be on its way: it stays known until then.)
    p.guest.tid = parent
    tracedVforkDone(p)
    if p.vforkKilledAt != 0 {
      warn("a process was killed between vfork and exec: a replay stops there if it was not waiting in a call")
    }
    if result < 0 { return try finish(p, call, result) }
    p.control.gpr[0] = UInt64(bitPattern: result)
    if p.sink.hasOpenEvent { try tape { () throws(TraceError) in try p.sink.dropOpenEvent() } }
    var effects: [Effect] = []
    if let c = call.clone, c[0] & Clone.childClearTID != 0, let bytes = try? p.guest.read(c[3], 4) {
      effects.append(.memory(address: c[3], Payload(bytes)))  // the kernel has cleared it (mm_release, kernel/fork.c)
    }
    try append(
      p,
      EventHead(.vforkLeave, rip: p.control.rip, value: UInt64(bitPattern: result), value2: p.vforkKilledAt), effects)
    p.vforkKilledAt = 0
    p.control.block.pointee.answer = UInt64(BIS_ANSWER_DONE.rawValue)
  }

  // MARK: exec

  func execute(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    p.pending = call
    p.beforeExec = ProgramState(p, filters: filtersForExec(p))
    let a = call.arguments
    if call.number == 59, let name = try? readCString(p.guest.tid, a[0]) {
      let path = String(decoding: name, as: UTF8.self)
      let full = path.hasPrefix("/") ? path : "/proc/\(p.guest.tid)/cwd/\(path)"
      warnOfPrivileges(full, name: path)
      if let file = try? Descriptor.open(full, flags: O_RDONLY | O_NONBLOCK),
        let bytes = try? file.pread(count: 20, offset: 0),
        bytes.count == 20, bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]), bytes[4] == 1
      {
        warn("\(path) is a 32-bit program, which bis cannot record: exec fails with ENOEXEC")
        return try finish(p, call, -8)
      }
    }
    p.control.answers[0] = UInt64(call.number)
    for i in 0..<6 { p.control.arguments[i] = a[i] }
    p.control.block.pointee.answer = UInt64(BIS_ANSWER_AFTER.rawValue)
  }

  /// PTRACE_EVENT_EXEC: another program; the old tape ends (or, in a vfork child, goes on with the parent).
  func executed(_ p: RecordedProcess, _ tid: ThreadID) throws(GuestError) {
    let slot = try kernel("make a ring (is the disk full?)") { () throws(Errno) in try rings.allocate() }
    let state = p.beforeExec
    if let state { inheritAcrossExec(state, to: slot.control, tid) }
    p.beforeExec = nil
    let isLeader = tid.rawValue == p.guest.pid
    if isLeader {
      try tracedExecEnds(p, tid)
      for thread in p.threads where thread != tid { processes[thread] = nil }
      p.guest.tid = tid
    }
    let q: RecordedProcess
    do throws(GuestError) {
      q = try prepare(tid, slot, parent: p.sink.number, parentEvent: p.sink.eventCount, before: state)
    } catch {
      if case .gone = error { return rings.release(slot) }  // killed: it ends inside exec
      warn("cannot record \(readText("/proc/\(tid)/comm")): \(error)")
      try? Ptrace.kill(process: tid)
      throw error
    }
    if isLeader {
      try append(
        p,
        EventHead(
          .exec, rip: p.control.rip, value: q.sink.number, registers: p.pending?.hash ?? 0,
          arguments: SixWords(p.pending?.arguments ?? [0, 0, 0, 0, 0, 0])))
      p.endWritten = true
      try close(p, .exec(tape: q.sink.number))
    } else if p.guest.tid == tid {
      // A vfork child: the parent keeps the tape. (Perhaps it is already on its way again.)
      p.pending = nil
      if let end = p.endAfterVfork {
        p.control.block.pointee.tid = p.vforkParents.last.map { UInt64($0.rawValue) } ?? 0
        try vforkReturned(p, Int64(tid.rawValue))
        try endTape(p, end)
      }
    }
    if !p.heldBack.isEmpty { try setMask(q, q.control.block.pointee.signal_mask) }
    try begin(q)
  }

  /// Ignored signals, the mask and open standard streams survive exec.
  private func inheritAcrossExec(_ old: ProgramState, to new: Control, _ tid: ThreadID) {
    new.block.pointee.signal_mask = old.signalMask
    for s in old.ignoredSignals { new.actions[s].handler = 1 }
    for (fd, stream) in old.standardStreams where (try? FileStatus.of("/proc/\(tid)/fd/\(fd)")) != nil {
      new.standardStreams[fd] = stream
    }
  }

  /// The recorded process of this number; nil: none.
  func process(_ pid: Int32) -> RecordedProcess? { processes.values.first { $0.guest.pid == pid } }

  // MARK: The end

  /// PTRACE_EVENT_EXIT: the last look at a thread.
  func exiting(_ p: RecordedProcess, _ tid: ThreadID) throws(GuestError) {
    defer { resume(tid) }
    if p.guest.tid == tid, !p.endWritten, !p.wasThreaded || !p.vforkParents.isEmpty {  // no other thread writes now
      try tape { () throws(TraceError) in try p.sink.dropOpenEvent() }
    }
    if p.guest.tid == tid, p.guest.pid != tid.rawValue, !p.vforkParents.isEmpty { try exitingInVfork(p, tid) }
    try endFork(p, tid)
    if p.wasThreaded { return }  // what killed it is told by the leader's wait status, after all others'
    guard p.guest.tid == tid, p.guest.pid == tid.rawValue, !p.endWritten else { return }
    let status = try kernel("ask for the exit status") { () throws(Errno) in try Ptrace.eventMessage(tid) }
    let signal = status & 0x7F
    // Killed at any instruction, of its own or of the runtime: a replay ends at the next tick or event.
    let flags: EventFlags = signal == 0 ? [] : .asynchronous
    try append(
      p,
      EventHead(
        .exit, number: signal == 0 ? 0 : 1, flags: flags, rip: p.control.rip,
        value: signal == 0 ? status >> 8 & 0xFF : signal, value2: UInt64(BIS_EXIT_AT_CALL.rawValue)))
    p.endWritten = true
  }

  /// A vfork child ends. Killed at any instruction, it leaves its parent's memory as it is then, which a replay knows only if
  /// it waited in a call.
  private func exitingInVfork(_ p: RecordedProcess, _ tid: ThreadID) throws(GuestError) {
    let status = try kernel("ask for the exit status") { () throws(Errno) in try Ptrace.eventMessage(tid) }
    if status & 0x7F != 0 { p.vforkKilledAt = p.control.rip }
  }

  func ended(_ p: RecordedProcess, _ tid: ThreadID, _ how: RecordOutcome) throws(GuestError) {
    processes[tid] = nil
    p.threads.remove(tid)
    attention.leave(p.guest)
    try tracedEnd(tid, how)
    if tid == root { outcome = how }
    if p.guest.pid != tid.rawValue {  // a thread, or a vfork child, whose parent keeps the tape
      if p.guest.tid == tid, let end = p.endAfterVfork { try endTape(p, end) }
      return
    }
    if processes[p.guest.tid] === p { p.endAfterVfork = how } else { try endTape(p, how) }
  }

  private func endTape(_ p: RecordedProcess, _ how: RecordOutcome) throws(GuestError) {
    if !p.endWritten, case .signaled(let signal) = how {
      try tape { () throws(TraceError) in try p.sink.dropOpenEvent() }
      try append(
        p,
        EventHead(
          .exit, number: 1, flags: .asynchronous, rip: p.control.rip, value: UInt64(signal),
          value2: UInt64(BIS_EXIT_AT_CALL.rawValue)))
      p.endWritten = true
    }
    switch how {
    case .exited(let status): try close(p, .exited(status))
    case .signaled(let signal): try close(p, .signalled(signal))
    }
  }

  /// Flushes and closes a tape and gives the slot back.
  func close(_ p: RecordedProcess, _ how: Manifest.Outcome) throws(GuestError) {
    guard !p.sink.isFinished else { return }
    removeAllShared(p)
    collectStatistics(p)
    try tape { () throws(TraceError) in
      if !p.endWritten {
        try p.sink.dropOpenEvent()
        try p.sink.append(EventHead(.lost, number: LostReason.killed.rawValue, rip: p.control.rip))
      }
      let count = p.sink.eventCount
      let size = try p.sink.finish()
      try manifest.end(
        tape: p.sink.number,
        Manifest.TapeEnd(outcome: how, eventCount: count, byteCount: size))
    }
    rings.release(p.guest.slot)
  }

  /// The program has ended and nobody waits for the rest of its processes: their tapes end here.
  func endOthers() throws(GuestError) {
    var seen: Set<UInt64> = []
    let rest = processes.values.filter { seen.insert($0.sink.number).inserted }
    printError(
      "bis: \(rest.count) process\(rest.count == 1 ? "" : "es") still running when the program ended; "
        + "the recording ends them\(options.waitForAll ? "" : " (record -w waits for them)")\n")
    isEnding = true
    for tid in processes.keys { try? Ptrace.kill(process: tid) }
    for _ in 0..<10_000 where !processes.isEmpty {
      guard let status = waitToTheEnd() else { break }
      guard let p = processes[status.tid] else { continue }
      switch status.kind {
      case .stopped(.event(.exit)): try? exiting(p, status.tid)
      case .stopped: resume(status.tid)
      case .exited(let code): try ended(p, status.tid, .exited(code))
      case .signaled(let signal, _): try ended(p, status.tid, .signaled(signal))
      }
    }
  }

  /// bis itself failed: end everything, keep what is on the tapes.
  func abandon() {
    var seen: Set<UInt64> = []
    let tapes = processes.values.filter { seen.insert($0.sink.number).inserted }
    for tid in processes.keys { try? Ptrace.kill(process: tid) }
    while !processes.isEmpty, let status = waitToTheEnd() {
      switch status.kind {
      case .stopped: resume(status.tid)
      default: processes[status.tid] = nil
      }
    }
    for p in tapes { try? close(p, .lost) }
  }

  /// The next report, whatever interrupts; nil: there is no one left.
  private func waitToTheEnd() -> WaitStatus? {
    while true {
      do throws(Errno) { return try waitAny() } catch { if error != .interrupted { return nil } }
    }
  }

  private func collectStatistics(_ p: RecordedProcess) {
    for i in 0..<statistics.count { statistics[i] &+= p.control.stats[i] }
    for i in 0..<16 { p.control.stats[i] = 0 }
  }
}

func readText(_ path: String) -> String {
  String(decoding: (try? readFile(path)) ?? [], as: UTF8.self).trimmingNewline
}

extension String {
  var trimmingNewline: String { hasSuffix("\n") ? String(dropLast()) : self }
}
