import CABI
import Glibc
import Guest
import Linux
import Tape
import Translate

/// A stopped thread that waits for pages which another process holds.
struct SharedRequest {
  enum What {
    /// It faulted there.
    case access(UInt64, writes: Bool, Registers)
    /// A call needs all of these; `pin` is what `bis_control.pinned` becomes.
    case ranges([(low: UInt64, high: UInt64, writes: Bool)], pin: UInt32)
    /// It is about to execute what is there.
    case code(low: UInt64, high: UInt64, RecordSession.SharedPosition)
    /// A call changes a file: nobody has its pages (before), and nobody has had them (after).
    case change(SharedObject, pages: Range<UInt64>, phase: bis_file_phase)
  }
  let process: RecordedProcess
  let tid: ThreadID
  let what: What
  /// Time stamp counter.
  let since: UInt64
}

/// Pages go from process to process.
extension RecordSession {
  /// How long a process keeps a page that it was given, in cycles (about 0.2 ms): two that spin on one page each get
  /// something done.
  static let holdCycles: UInt64 = 600_000
  /// How long a page stays with a process whose call reads it (about 20 ms).
  static let pinCycles: UInt64 = 60_000_000
  static let longestRun: UInt64 = 64

  /// A fault at an address that the program may access, but not before its page is brought in. True when it was that; the
  /// thread goes on when it has the page.
  func sharedFault(_ p: RecordedProcess, _ info: SignalInfo, _ r: Registers) throws(GuestError) -> Bool {
    guard info.signo == 11, !p.views.isEmpty, let view = p.view(at: info.address), view.object.isContested else {
      return false
    }
    let rights = view.rights(view.page(at: info.address))
    guard rights != view.protection, view.protection & 3 != 0 else { return false }
    var writes = true
    if p.guest.place(r.rip) == .translated, let at = region.translator.locate(host: r.rip) {
      writes = p.guest.writesMemory(at.guest)
    }
    if rights != 0 { writes = true }  // it may read
    writes = writes && view.protection & 2 != 0
    if rights != 0, !writes { return false }
    ask(
      SharedRequest(process: p, tid: p.guest.tid, what: .access(info.address, writes: writes, r), since: Machine.tsc()))
    return true
  }

  /// REASON_PAGES: a call is about to use shared memory.
  func bringPages(_ p: RecordedProcess) throws(GuestError) {
    let a = (0..<6).map { p.control.arguments[$0] }
    let number = UInt32(truncatingIfNeeded: p.control.answers[0])
    let whole = p.control.answers[1] != 0
    let ranges =
      whole
      ? p.views.map { ($0.low, $0.high, $0.protection & 2 != 0) } : sharedArguments(p, number, a)
    ask(
      SharedRequest(
        process: p, tid: p.guest.tid,
        what: .ranges(ranges, pin: UInt32(truncatingIfNeeded: p.control.answers[2])), since: Machine.tsc()))
  }

  func ask(_ request: SharedRequest) { sharedRequests.append(request) }

  /// Serves who waits, as far as it can be done now.
  func serveSharedRequests() throws(GuestError) {
    var i = 0
    while i < sharedRequests.count {
      let request = sharedRequests[i]
      guard isTurn(of: request) else {
        i += 1
        continue
      }
      let before = sharedRequests.count
      let done: Bool
      do throws(GuestError) { done = try serve(request) } catch {
        guard case .gone = error else { throw error }
        done = false
      }
      if done {
        sharedRequests.removeAll { $0.tid == request.tid }
        resume(request.tid)
      } else if sharedRequests.count == before {
        i += 1
      }
    }
  }

  /// Brings in what a stopped thread waits for. False: not now.
  func serve(_ request: SharedRequest) throws(GuestError) -> Bool {
    defer { lostCode = [] }
    let isDone = try bring(request)
    try forgetLostCode(request)  // (what was lost is lost, even if the rest has to wait)
    return isDone
  }

  private func bring(_ request: SharedRequest) throws(GuestError) -> Bool {
    let p = request.process
    guard isStillStopped(request.tid) else { return false }
    switch request.what {
    case .access(let address, let writes, let r):
      guard let view = p.view(at: address) else { return true }
      let position = try position(p, r)
      let page = view.page(at: address)
      let isGuess = !writes && willWrite(view, page)
      return try take(view, page, isAhead: true, writes: writes || isGuess, isGuess: isGuess, request, position)
    case .ranges(let ranges, let pin):
      for range in ranges {
        for view in p.views where view.low < range.high && view.high > range.low {
          var page = view.page(at: max(view.low, range.low))
          let end = view.page(at: min(view.high, range.high) - 1) + 1
          while page < end {
            let wanted = range.writes ? view.protection : view.protection & ~2
            if view.rights(page) & wanted != wanted {
              guard try take(view, page, end: end, writes: range.writes, request, .call) else { return false }
            }
            page += 1
          }
        }
      }
      p.control.block.pointee.pinned = pin
      if pin != 0 { p.pinnedSince = Machine.tsc() }
      return true
    case .code(let low, let high, let position): return try takeCode(request, low, high, position)
    case .change(let object, let pages, let phase):
      guard try revoke(object, pages, request) else { return false }
      if phase == BIS_FILE_AFTER { object.changes.removeAll { $0.tid == request.tid } }
      return true
    }
  }

  // MARK: Positions

  /// Where a process gets a page.
  enum SharedPosition {
    /// Inside a system call: in a replay, at its entry.
    case call
    /// At an instruction.
    case instruction(rip: UInt64, hash: UInt64)
    /// Where the instruction at `rip` is about to be executed, the tick count being `ticks` then.
    case fetch(rip: UInt64, ticks: UInt64)
  }

  func position(_ p: RecordedProcess, _ r: Registers) throws(GuestError) -> SharedPosition {
    let control = p.control
    switch p.guest.place(r.rip) {
    case .translated:
      guard case .state = p.guest.capture(r) else { throw .unsupported("shared memory is used inside a template") }
      return .instruction(rip: control.rip, hash: control.registerHash())
    case .runtime:
      if control.block.pointee.in_syscall != 0 { return .call }
      return .instruction(rip: control.rip &- p.guest.descriptorLength(), hash: control.registerHash())
    case .outside: throw .unsupported("the program left translated code at \(String(r.rip, radix: 16))")
    }
  }

  // MARK: Taking

  /// Gives a page to a view, with neighbours: with `isAhead` as many as seem useful, else up to `end`. False: not now.
  func take(
    _ view: SharedView, _ page: UInt64, end: UInt64 = 0, isAhead: Bool = false, writes: Bool, isGuess: Bool = false,
    _ request: SharedRequest, _ position: SharedPosition
  ) throws(GuestError) -> Bool {
    let object = view.object
    guard object.changes.allSatisfy({ $0.allows(request.tid) }) else { return false }
    let first = object.page(page)
    var limit = min(end, page + RecordSession.longestRun)
    if isAhead {
      view.run = page == view.nextPage ? min(view.run * 2, RecordSession.longestRun) : 1
      limit = page + view.run
    }
    limit = max(page + 1, min(limit, view.firstPage + view.pageCount))
    var last = page + 1
    while last < limit, isSame(first, object.page(last)) { last += 1 }
    for holder in first.readers + [first.writer].compactMap({ $0 }) where holder !== view {
      if holder === first.writer || writes {
        let rights = writes ? 0 : holder.protection & ~2
        guard try release(holder, page, last - page, rights, request) else { return false }
      }
    }
    if writes, first.readers.count <= 2, first.readers.contains(where: { $0 === view }) {
      object.pages[page, default: first].habit.note(true)
      object.habit.note(true)
    }
    try give(view, page, last - page, writes: writes, isGuess: isGuess, request, position)
    if isAhead { view.nextPage = last }
    return true
  }

  /// A view asks to read what another one writes: will it write it, too?
  private func willWrite(_ view: SharedView, _ page: UInt64) -> Bool {
    let state = view.object.page(page)
    guard view.protection & 2 != 0, state.readers.isEmpty, state.writer != nil else { return false }
    return state.habit.score > 0 || (state.habit.score == 0 && view.object.habit.score > 0)
  }

  func isSame(_ a: SharedObject.Page, _ b: SharedObject.Page) -> Bool {
    a.writer === b.writer && a.readers.count == b.readers.count
      && zip(a.readers, b.readers).allSatisfy { $0 === $1 }
  }

  /// Takes pages from a view, or (rights not 0) only the right to write them. False: not now.
  func release(
    _ holder: SharedView, _ page: UInt64, _ count: UInt64, _ rights: UInt64, _ request: SharedRequest?
  ) throws(GuestError) -> Bool {
    let q = holder.process
    if let request, q === request.process {
      try protect(holder, page, count, rights, in: request.tid)
      if rights == 0 { try loseCode(holder, page, count, request) }
      note(holder, page, count, rights, SharedView.Loss(events: q.placedEvents, ticks: q.control.ticks))
      return true
    }
    if q.endWritten {  // its tape has ended: what it still does is not seen
      note(holder, page, count, rights, SharedView.Loss(events: q.placedEvents, ticks: nil))
      return true
    }
    if claim(holder, page, count, rights) { return true }
    let now = Machine.tsc()
    let isWaiting = sharedRequests.contains { $0.process === q }
    if !isWaiting, !(request.map { hasTurn($0.process) } ?? false),
      now &- holder.object.page(page).since < RecordSession.holdCycles
    {
      return false
    }
    if let request { bringTogether(q, request.process) }
    return try whileStopped(q) { (tid, r) throws(GuestError) -> Bool in
      guard self.mayTake(holder, page, tid, r) else { return false }
      if rights == 0 { try self.loseCode(holder, page, count, request) }
      try self.protect(holder, page, count, rights, in: tid)
      q.noteDisturbance()
      let isExact = q.guest.place(r.rip) == .translated && q.control.isCurrent(UInt64(tid.rawValue))
      self.note(
        holder, page, count, rights,
        SharedView.Loss(events: q.placedEvents, ticks: isExact ? q.control.ticks : nil))
      return true
    }
  }

  /// Processes that take pages from each other all the time run on one CPU.
  private func bringTogether(_ q: RecordedProcess, _ p: RecordedProcess) {
    let both = [q, p].map { process in
      let isAlone =
        process.control.block.pointee.turn.cpu == 0 && process.threads.count <= 1 && process.vforkParents.isEmpty
      return (process: process.guest.pid, thread: isAlone ? process.guest.tid : nil)
    }
    let moved = sharedCPU.exchanged(both)
    for process in [q, p] where moved.contains(process.guest.pid) { process.control.block.pointee.turn.companion = 1 }
  }

  /// The holder has no right, or no right to write, from here on.
  func note(_ holder: SharedView, _ page: UInt64, _ count: UInt64, _ rights: UInt64, _ loss: SharedView.Loss) {
    for index in page..<page + count {
      var state = holder.object.page(index)
      if state.writer === holder { state.writer = nil }
      state.readers.removeAll { $0 === holder }
      if rights != 0 {
        state.readers.append(holder)
      } else {
        holder.losses[index] = loss
        holder.seen[index] = RecordSession.isLost
      }
      holder.object.pages[index] = state
    }
  }
  /// In `seen` between the loss and the look at what was in the page.
  static let isLost: UInt64 = 1

  /// Whether a stopped process can do without a page: its calls are not using it, and it has got on since it had it.
  private func mayTake(_ holder: SharedView, _ page: UInt64, _ tid: ThreadID, _ r: Registers) -> Bool {
    let q = holder.process
    let block = q.control.block
    let isWaiting = sharedRequests.contains { $0.process === q }
    let pin = block.pointee.pinned
    if pin == BIS_PIN_OUTPUT.rawValue, !isWaiting { return false }
    if pin == BIS_PIN_INPUT.rawValue, !isWaiting, Machine.tsc() &- q.pinnedSince < RecordSession.pinCycles {
      return false
    }
    if isWaiting { return true }
    if let grant = q.lastGrant, grant.rip == r.rip, grant.ticks == q.control.ticks, grant.counter == r.rcx {
      return false  // it has not even executed the instruction that it got a page for
    }
    // A call that began before anybody else had this memory was not looked at.
    if block.pointee.in_syscall == 1 {
      let gpr = q.control.gpr
      let used = [7, 6, 2, 10, 8, 9].contains { q.view(at: gpr[$0]) != nil }
      if used, gpr[0] != 202 { return false }
    }
    return true
  }

  /// Runs `body` while a process is stopped somewhere; then it goes on as before. False: not now.
  private func whileStopped(
    _ q: RecordedProcess, _ body: (ThreadID, Registers) throws(GuestError) -> Bool
  ) throws(GuestError) -> Bool {
    func registers(_ tid: ThreadID) throws(GuestError) -> Registers {
      try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    }
    if let waiting = sharedRequests.first(where: { $0.process === q }) {
      guard isStillStopped(waiting.tid) else { return false }
      return try body(waiting.tid, try registers(waiting.tid))
    }
    if let status = stashed.first(where: { processes[$0.tid] === q }) {
      guard status.isPlainStop, isStillStopped(status.tid) else { return false }
      return try body(status.tid, try registers(status.tid))
    }
    if let tid = heldThread(q) {
      guard isStillStopped(tid) else { return false }
      return try body(tid, try registers(tid))
    }
    for tid in [q.guest.tid] + q.threads.filter({ $0 != q.guest.tid }) {
      guard (try? Ptrace.interrupt(tid)) != nil, let status = report(of: tid) else { continue }
      switch status.kind {
      case .stopped(.event(.stop)), .stopped(.groupStop):
        let r = try registers(tid)
        if hasFaulted(tid) {  // or asks (int3): that is still to be reported, and comes before any remote call
          resume(tid)
          guard let question = report(of: tid) else { return false }
          stashed.append(question)
          return question.isPlainStop ? try body(tid, try registers(tid)) : false
        }
        let done = try body(tid, r)
        if case .stopped(.groupStop) = status.kind {
          try? Ptrace.listen(tid)
        } else {
          try restartInterrupted(tid, r)
          resume(tid)
        }
        return done
      default:
        stashed.append(status)
        return status.isPlainStop ? try body(tid, try registers(tid)) : false
      }
    }
    return false
  }

  /// A thread that was stopped may have been killed since; it must not be touched until that is reported.
  private func isStillStopped(_ tid: ThreadID) -> Bool { (try? peek(for: tid, nohang: true)) == nil }

  /// The view holds the pages from here on; its tape learns what is in them.
  private func give(
    _ view: SharedView, _ page: UInt64, _ count: UInt64, writes: Bool, isGuess: Bool, _ request: SharedRequest,
    _ position: SharedPosition
  ) throws(GuestError) {
    let p = request.process, object = view.object
    try protect(view, page, count, writes ? view.protection : view.protection & ~2, in: request.tid)
    let held = view.rights(page) != 0
    var bytes = [UInt8](repeating: 0, count: Int(count) << 12)
    let there = bytes.withUnsafeMutableBytes { (try? readMemory(request.tid, view.address(of: page), into: $0)) ?? 0 }
    var effects = try presenceEffects(view, page, count, readable: UInt64(max(there, 0)) >> 12)
    var changed: (start: Int, end: Int)?
    func flush() {
      guard let c = changed else { return }
      effects += memoryEffects(view.address(of: page) + UInt64(c.start), Array(bytes[c.start..<c.end]))
      changed = nil
    }
    for i in 0..<Int(count) where (i + 1) << 12 <= there {
      let index = page + UInt64(i)
      let sum = bytes[i << 12..<(i + 1) << 12].withUnsafeBytes { xxHash64($0) } | 2
      for other in object.views where other.seen[index] == RecordSession.isLost { other.seen[index] = sum }
      var state = object.page(index)
      if state.given != 0 {
        state.habit.note(state.given != sum)
        object.habit.note(state.given != sum)
      }
      state.given = isGuess ? sum : 0
      object.pages[index] = state
      if held || view.seen[index, default: view.base] == sum {
        flush()
      } else {
        changed = (changed?.start ?? i << 12, (i + 1) << 12)
      }
    }
    flush()
    if !effects.isEmpty { try log(p, view, page, count, effects, position) }
    let now = Machine.tsc()
    for index in page..<page + count {
      var state = object.page(index)
      state.readers.removeAll { $0 === view }
      if writes { state.writer = view } else { state.readers.append(view) }
      state.since = now
      object.pages[index] = state
    }
    if case .access(_, _, let r) = request.what {
      p.lastGrant = (r.rip, p.control.ticks, r.rcx)
    }
    takeovers += 1
    giveTurn(to: p, for: view.address(of: page))
  }

  func log(
    _ p: RecordedProcess, _ view: SharedView, _ page: UInt64, _ count: UInt64, _ effects: [Effect],
    _ position: SharedPosition
  ) throws(GuestError) {
    var head = EventHead(.page, number: UInt32(count), value: view.address(of: page), value2: view.protection)
    var ticks = p.control.ticks
    switch position {
    case .call:
      head.flags = .atEntry
      head.rip = p.control.rip
    case .instruction(let rip, let hash):
      head.rip = rip
      if isEarly(p, view, page, count) { head.flags = .asynchronous } else { head.registers = hash }
    case .fetch(let rip, let at):
      guard at > ticks || isEarly(p, view, page, count) else {
        throw .unsupported("code in shared memory that is changed right before it is executed")
      }
      head.rip = rip
      head.flags = .asynchronous
      ticks = at
    }
    try append(p, head, effects, ticks: ticks)
    p.pageEvents += 1
  }

  /// Since the tick count became what it is, or the last event with a place of its own, the program has not touched these
  /// pages: they were lost before that.
  private func isEarly(_ p: RecordedProcess, _ view: SharedView, _ page: UInt64, _ count: UInt64) -> Bool {
    let events = p.placedEvents, ticks = p.control.ticks
    return (page..<page + count).allSatisfy { index in
      guard let loss = view.losses[index] else { return true }
      return loss.events < events || loss.ticks.map { $0 < ticks } ?? false
    }
  }
}

extension WaitStatus {
  /// A stop at which remote calls work.
  fileprivate var isPlainStop: Bool {
    switch kind {
    case .stopped(.signal), .stopped(.event(.stop)): true
    default: false
    }
  }
}
