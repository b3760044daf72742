import BisRuntime
import CABI
import CPUModel
import Guest
import Linux
import Tape
import Trace
import Translate

/// What the supervisor does for a replay: start, events that the runtime cannot apply alone, signals, faults, ends.
extension ReplaySession {
  // MARK: Start

  func startExec(_ tape: Manifest.TapeInfo) throws(GuestError) {
    let feed = try checkedTape { () throws(TraceError) in try self.feed(of: tape.number) }
    guard try checkedTape({ () throws(TraceError) in try feed.hasBegun() }) else {
      report.isIncomplete = true
      return
    }
    let slot = try kernel("make a ring") { () throws(Errno) in try rings.allocate() }
    let tid: ThreadID
    if let template { tid = try copy(of: template, slot) } else { tid = try emptyProcess(slot) }
    let guest = GuestProcess(code: code, slot: slot, tid: tid, pid: tid.rawValue)
    let p = ReplayedProcess(guest: guest, feed: feed, recordedPID: tape.pid)
    processes[tid] = p
    initialise(p, tape: tape.number)
    p.control.block.pointee.xcr0 = region.profile.xcr0
    p.control.block.pointee.fs_base = 0
    try checkedTape { () throws(TraceError) in try feed.fill(p.control) }
    if template == nil { try p.guest.restart(at: BIS_LABEL_REPLAY_START) }
    focus?.begin(p)
    report.processes += 1
    resume(p)
  }

  func initialise(_ p: ReplayedProcess, tape: UInt64) {
    let control = p.control
    let block = control.block
    block.pointee.self_address = UInt64(BIS_WINDOW_BASE)
    block.pointee.stack_top = UInt64(BIS_STACK_TOP) - 64
    block.pointee.mode = UInt32(BIS_MODE_REPLAY.rawValue)
    block.pointee.reason = 0
    block.pointee.resume_host = 0
    block.pointee.event_count = 0
    block.pointee.tape = tape
    block.pointee.echo_used = 0
    block.pointee.echo_time = 0
    block.pointee.debug = bis_debug()
    control.resetThreads(tid: UInt64(p.recordedPID))
    block.pointee.tick_done = 0
    for i in 0..<Int(BIS_TICK_WORDS) {
      control.tick[i] = 0
      control.tickStart[i] = 0
    }
    control.setTicks(target: .max)
  }

  // MARK: Questions of the runtime

  /// REASON_EVENT. arg0: 0 = the record at ring_pos is for the supervisor; 1 = the path of file arg1;
  /// 2 = the effect record at arg1; 3 = the event at ring_pos is a change of shared memory at an access; 4 = it is a change some
  /// instructions further on; 5 = it is a change of executable shared memory, now.
  func event(_ p: ReplayedProcess) throws(GuestError) -> Bool {
    switch p.control.arguments[0] {
    case 1:
      try givePath(p, p.control.arguments[1])
      return true
    case 2:
      return try effect(p)
    case 3:
      try awaitAccess(p)
      return true
    case 4:
      return try walkToChange(p)
    case 5:
      try applyPage(p)
      return true
    default:
      return try takeEvent(p)
    }
  }

  func givePath(_ p: ReplayedProcess, _ number: UInt64) throws(GuestError) {
    guard let file = manifest.file(number) else {
      throw .replay("the trace lists no file \(number)", "the trace is damaged", nil)
    }
    let path = Array((trace.filesPath + "/" + file.storedName).utf8)
    let absolute = path.first == UInt8(ascii: "/") ? path : Array((currentDirectory() + "/").utf8) + path
    guard absolute.count < Control.pathCapacity, !file.storedName.utf8.contains(UInt8(ascii: "/")) else {
      throw .replay("the path of the trace is too long", "move it nearer to the root", nil)
    }
    for (i, b) in absolute.enumerated() { p.control.path[i] = b }
    p.control.path[absolute.count] = 0
  }

  private func effect(_ p: ReplayedProcess) throws(GuestError) -> Bool {
    let address = p.control.arguments[1]
    let base = p.control.segment
    let offset = Int(address &- UInt64(BIS_RING_BASE) &- p.control.block.pointee.segment * UInt64(BIS_SEGMENT_SIZE))
    guard offset >= 0, offset < Int(BIS_SEGMENT_SIZE) else { throw .unsupported("an effect outside the ring") }
    var cursor = RecordCursor(
      bytes: UnsafeRawBufferPointer(start: base + offset, count: Int(BIS_SEGMENT_SIZE) - offset))
    guard let record = try? cursor.next() else { throw .replay("the tape is damaged", "", nil) }
    switch record.effect() {
    case .map(let m):
      let touched = try p.guest.remove(low: m.address, high: m.address + m.length)
      if m.protection & 4 != 0 {
        try addCode(p, m.address, m.address + m.length, Int(m.protection), m.file, m.offset)
      }
      try changed(p, touched)
    case .unmap(let address, let length):
      try changed(p, try p.guest.remove(low: address, high: address + length))
    case .protect(let address, let length, let protection):
      let touched = try p.guest.remove(low: address, high: address + length)
      if protection & 4 != 0 { try addCode(p, address, address + length, Int(protection), nil, 0) }
      try changed(p, touched)
    case .remap(let oldAddress, let oldLength, let newAddress, let newLength):
      let wasCode = p.guest.range(at: oldAddress) != nil
      var touched = try p.guest.remove(low: oldAddress, high: oldAddress + oldLength)
      if try p.guest.remove(low: newAddress, high: newAddress + newLength) { touched = true }
      if wasCode { try addCode(p, newAddress, newAddress + newLength, 7, nil, 0) }
      try changed(p, touched)
    case .registers(let values): setRegisters(p, values)
    case .extendedState(let image): try codec.write(p.guest.tid, image.bytes)
    case .output(let stream, let payload):
      takeEcho(p)
      payload.bytes.withUnsafeBytes { echo.add(stamp: p.control.arguments[3], fd: stream == 1 ? 1 : 2, bytes: $0) }
    case .process(let tape, let pid): try prepareFork(p, tape, Int32(truncatingIfNeeded: pid))
    default: break
    }
    return true
  }

  private func setRegisters(_ p: ReplayedProcess, _ values: RegisterValues) {
    for i in 0..<16 { p.control.gpr[i] = values.general[i] }
    p.control.rip = values.rip
    let block = p.control.block
    block.pointee.rflags = values.rflags & 0x40CD5 | 0x202
    block.pointee.resume_host = 0
  }

  private func addCode(
    _ p: ReplayedProcess, _ low: UInt64, _ high: UInt64, _ protection: Int, _ file: UInt64?, _ offset: UInt64
  ) throws(GuestError) {
    if let file, protection & 2 == 0, let info = manifest.file(file) {
      p.guest.add(
        try code.fileRange(low: low, high: high, file: Int(file), offset: offset) {
          trace.filesPath + "/" + info.storedName
        })
    } else {
      try p.guest.addPrivate(low: low, high: high)
      if protection & 2 != 0 { p.guest.writableCode.append((low, high, Int32(protection))) }
    }
    if let focus, focus.process === p {
      try p.guest.watchRanges()
      for b in focus.stops.breakpoints where b.address >= low && b.address < high {
        try p.guest.insertBreakpoint(at: b.address)
      }
    }
  }

  private func changed(_ p: ReplayedProcess, _ touched: Bool) throws(GuestError) {
    try p.guest.publishRanges()
    if touched { try p.guest.resetFastTable() }
  }

  // MARK: fork

  private func prepareFork(_ p: ReplayedProcess, _ tape: UInt64, _ pid: Int32) throws(GuestError) {
    guard wanted.contains(tape) else { return }
    let feed = try checkedTape { () throws(TraceError) in try self.feed(of: tape) }
    guard try checkedTape({ () throws(TraceError) in try feed.hasBegun() }) else { return }
    let slot = try kernel("make a ring") { () throws(Errno) in try rings.allocate() }
    p.child = (slot, feed, pid)
    p.control.block.pointee.child_slot_offset = slot.offset
    p.control.block.pointee.answer = UInt64(BIS_ANSWER_FORK.rawValue)
  }

  /// PTRACE_EVENT_FORK of a replay process: the child starts; its parent goes on when there is room for it.
  func forked(_ p: ReplayedProcess) throws(GuestError) {
    let tid = try child(of: p.guest.tid)
    guard let (slot, feed, pid) = p.child else { throw .unsupported("a fork that no tape knows of") }
    p.child = nil
    slot.copyState(of: p.guest.slot)
    let guest = GuestProcess(code: code, slot: slot, tid: tid, pid: tid.rawValue)
    let q = ReplayedProcess(guest: guest, feed: feed, recordedPID: pid)
    initialise(q, tape: feed.tape)
    try guest.inherit(from: p.guest)
    try checkedTape { () throws(TraceError) in try feed.fill(q.control) }
    let start = try checked { () throws(ReplayError) in try q.takeEvent() }
    guard start.head.kind == .start, start.head.number == UInt32(BIS_START_FORK.rawValue) else {
      throw .replay("tape \(feed.tape) does not begin with a fork", "the trace is damaged", nil)
    }
    for effect in start.effects {
      switch effect {
      case .memory(let address, let payload): try guest.write(address, payload.bytes)
      case .registers(let values): q.control.gpr[4] = values.general[4]
      case .bases(let fs, let gs):
        q.control.block.pointee.fs_base = fs
        q.control.block.pointee.gs_base = gs
        try kernel("set FS") { () throws(Errno) in
          var r = try Ptrace.getRegisters(tid)
          r.fs_base = fs
          try Ptrace.setRegisters(tid, r)
        }
      default: break
      }
    }
    processes[tid] = q
    focus?.begin(q)
    report.processes += 1
    resume(q)
    parked.append(p)
    try fillPlaces()
  }

  // MARK: Events for the supervisor

  private func takeEvent(_ p: ReplayedProcess) throws(GuestError) -> Bool {
    guard let head = try checked({ () throws(ReplayError) in try p.head() }) else {
      throw divergence(p, "the tape ends before the program does")
    }
    switch head.kind {
    case .checksum:
      let event = try checked { () throws(ReplayError) in try p.takeEvent() }
      try compareChecksums(p, event)
      return true
    case .signal:
      if holdsSignal(p, head, .runtime(BIS_REASON_EVENT)) { return false }
      try applySignal(p)
      return true
    case .exit:
      if head.number == 0, head.registers != 0, head.registers != p.control.registerHash() {
        throw divergence(p, "registers differ at the end of the process")
      }
      return try end(p, head.number == 0 ? Int32(head.value) : 128 + Int32(head.value))
    case .threadSwitch:
      throw divergence(p, "a thread switch at another place than in the recording")
    case .exec:
      return try end(p, nil)
    case .lost:
      report.isIncomplete = true
      return try end(p, nil)
    default:
      throw divergence(p, "the recording has \(head.kind) here")
    }
  }

  /// The event is a signal: checks that the program is where it was, then applies what the delivery did.
  func applySignal(_ p: ReplayedProcess) throws(GuestError) {
    let event = try checked { () throws(ReplayError) in try p.takeEvent() }
    let head = event.head
    if head.rip != p.control.rip {
      throw divergence(p, "signal \(head.number) came at \(hex(head.rip)); the replay is at \(hex(p.control.rip))")
    }
    if head.ticks != p.control.ticks {
      throw divergence(p, "signal \(head.number) came at tick \(head.ticks); the replay is at \(p.control.ticks)")
    }
    if head.registers != 0, head.registers != p.control.registerHash() {
      throw divergence(p, "registers differ where signal \(head.number) came (\(hex(head.rip)))")
    }
    for effect in event.effects {
      switch effect {
      case .memory(let address, let payload):
        noteWritten(p, address, payload.bytes)
        if head.number == 0 {
          try applyPoke(p, address, payload.bytes)
        } else {
          try p.guest.write(address, payload.bytes)
        }
      case .registers(let values): setRegisters(p, values)
      case .extendedState(let image): try codec.write(p.guest.tid, image.bytes)
      default: break
      }
    }
  }

  /// A tick ran out where the tape has an asynchronous event.
  func expired(_ p: ReplayedProcess) throws(GuestError) -> Bool {
    guard let guest = region.translator.guestAddress(ofBody: p.control.block.pointee.resume_host) else {
      throw .unsupported("a tick ran out at an unknown place")
    }
    p.control.rip = guest
    guard p.control.ticks >= p.control.block.pointee.tick_target else { return true }
    guard let head = try checked({ () throws(ReplayError) in try p.head() }) else { return true }
    guard head.isReachedByTicks else {
      guard p.control.ticks < head.limit else {
        throw divergence(p, "\(head.kind) came at tick \(head.ticks); the replay is at \(p.control.ticks) without it")
      }
      p.control.setTicks(target: head.limit)
      return true
    }
    if head.kind == .exit { return try end(p, 128 + Int32(head.value)) }
    if head.kind == .signal, head.number == 0, head.rip != guest { return try walkToChange(p) }
    if holdsSignal(p, head, .runtime(BIS_REASON_EXPIRED)) { return false }
    try applySignal(p)
    return try settle(p, restarts: false)
  }

  /// After an event that the supervisor applied outside the runtime's own loop: what comes next at once, and the next
  /// tick to stop at. (The runtime's bis_replay_settle, for the supervisor.)
  ///
  /// - Returns: false when the process is not to go on now.
  func settle(_ p: ReplayedProcess, restarts: Bool) throws(GuestError) -> Bool {
    while let head = try checked({ () throws(ReplayError) in try p.head() }) {
      let immediate =
        head.kind == .checksum || head.kind == .lost
        || (head.kind == .exit && head.value2 == UInt64(BIS_EXIT_IMMEDIATE.rawValue)
          && !head.flags.contains(.asynchronous))
        || (head.kind == .signal && head.flags.isDisjoint(with: [.asynchronous, .atEntry])
          && head.value != UInt64(BIS_SIGNAL_FAULT.rawValue))
      if head.kind == .page, !head.flags.contains(.atEntry) {
        guard p.control.ticks >= head.ticks, head.flags.contains(.asynchronous) else {
          let isLater = p.control.ticks < head.ticks
          if !isLater { try awaitAccess(p) }
          p.control.setTicks(target: isLater ? head.ticks : head.limit)
          if restarts { try p.guest.restart() }
          return true
        }
        try applyPage(p)
        continue
      }
      if head.kind == .signal, head.number == 0, head.flags.contains(.asynchronous), head.ticks <= p.control.ticks {
        if restarts { try p.guest.restart() }
        return try walkToChange(p)
      }
      if !immediate {
        p.control.setTicks(target: head.limit)
        if restarts { try p.guest.restart() }
        return true
      }
      if head.kind == .signal, holdsSignal(p, head, .settle(restarts: restarts)) { return false }
      if try !takeEvent(p) { return false }
    }
    p.control.setTicks(target: .max)
    if restarts { try p.guest.restart() }
    return true
  }

  // MARK: Signals and faults

  func signalStop(_ p: ReplayedProcess, _ tid: ThreadID, _ signal: Int32) throws(GuestError) {
    let info = try kernel("read signal information") { () throws(Errno) in try Ptrace.signalInfo(tid) }
    guard info.tellsFault else {  // from outside: not the program's
      try? Ptrace.cont(tid, 0)
      return
    }
    p.guest.tid = tid
    let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    if signal == 5, try debugTrap(p, info, r) { return }
    if try p.guest.dropTrapFlag(info, r) { return resume(p) }
    if try awaitedAccess(p, info, r) { return }
    let watched = try p.guest.handleGuardedWrite(info, r) { () throws(GuestError) in
      guard let focus, focus.process === p else { return false }
      return try focus.onHiddenStep?() ?? false
    }
    if watched { return resume(p) }
    switch p.guest.place(r.rip) {
    case .runtime:
      if try p.guest.handleGuestAccessFault(r) { return resume(p) }
      guard p.guest.isGuestCopy(r.rip) else {
        throw divergence(p, "memory that the recording wrote cannot be written (\(hex(info.address)))")
      }
      p.control.rip -= p.guest.descriptorLength()
    case .translated:
      var at = r
      if signal == 5, info.code == 0x80 { at.rip -= 1 }
      guard case .state = p.guest.capture(at) else { throw divergence(p, "a fault at an unknown place") }
      if signal == 5, info.code == 0x80 { p.control.rip += 1 }
    case .outside:
      throw divergence(p, "the replay left translated code at \(hex(r.rip))")
    }
    if try fault(p, signal) { resume(p) }
  }

  /// The program faults at rip: the tape must say the same.
  func fault(_ p: ReplayedProcess, _ signal: Int32 = 0) throws(GuestError) -> Bool {
    if let focus, focus.isLive, focus.process === p {
      focus.stop = .signal(signal == 0 ? 11 : signal)
      return false
    }
    guard let head = try checked({ () throws(ReplayError) in try p.head() }) else {
      throw divergence(p, "a fault after the end of the tape")
    }
    if head.kind == .exit, head.flags.contains(.asynchronous) {  // killed before it came as far as this
      return try end(p, 128 + Int32(head.value))
    }
    let isFault = head.kind == .signal && head.value == UInt64(BIS_SIGNAL_FAULT.rawValue)
    let isEnd = head.kind == .exit && head.value2 == UInt64(BIS_EXIT_FAULT.rawValue)
    guard isFault || isEnd else {
      throw divergence(p, "signal \(signal) at \(hex(p.control.rip)), not in the recording")
    }
    if isEnd {
      if head.rip != p.control.rip {
        throw divergence(p, "it died at \(hex(head.rip)), the replay at \(hex(p.control.rip))")
      }
      return try end(p, 128 + Int32(head.value))
    }
    if holdsSignal(p, head, .fault(signal)) { return false }
    try applySignal(p)
    return try settle(p, restarts: true)
  }

  // MARK: The end of a tape

  /// The replay of this tape is done: its process goes, others get its place. Always false.
  private func end(_ p: ReplayedProcess, _ status: Int32?) throws(GuestError) -> Bool {
    if try holdsEnd(p) { return false }
    takeEcho(p)
    report.events += p.control.block.pointee.event_count
    if let status { exitStatus[p.feed.tape] = status }
    beginEnd(of: p)
    return false
  }

  // MARK: Output

  /// Takes what a process has written to bis's standard streams so far (the runtime's echo buffer).
  func takeEcho(_ p: ReplayedProcess) {
    let block = p.control.block
    let start = UnsafeRawPointer(p.control.base + Int(BIS_CONTROL_SIZE) + Int(BIS_SEGMENT_SIZE))
    let header = MemoryLayout<bis_echo>.size
    let used = min(Int(block.pointee.echo_used), (Int(BIS_SEGMENT_COUNT) - 1) * Int(BIS_SEGMENT_SIZE))
    var at = 0
    while at + header <= used {
      let e = start.loadUnaligned(fromByteOffset: at, as: bis_echo.self)
      let length = min(Int(e.length), used - at - header)
      let bytes = UnsafeRawBufferPointer(start: start + at + header, count: length)
      if heard.contains(p.feed.tape) { echo.add(stamp: e.stamp, fd: e.stream == 1 ? 1 : 2, bytes: bytes) }
      at += header + (length + 7) & ~7
    }
    block.pointee.echo_used = 0
  }
}

extension EventHead {
  /// Nothing that the program does leads to it: only its tick says when it is due.
  fileprivate var isReachedByTicks: Bool {
    flags.contains(.asynchronous) && (kind == .signal || kind == .exit || kind == .threadSwitch)
  }

  /// The tick at which it is due, or at which a program that has not come to it has strayed from the tape.
  fileprivate var limit: UInt64 { isReachedByTicks ? ticks : ticks + UInt64(BIS_STRAY_TICKS) }
}
