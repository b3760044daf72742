import CABI
import CPUModel
import Glibc
import Guest
import Linux
import Tape
import Trace
import Translate

/// A recording under way: all its processes, and the loop that serves their stops.
///
/// One thread owns it (ptrace). The files beside this one hold the parts: start and exec, system calls, signals.
final class RecordSession {
  let options: RecordOptions
  let trace: TraceDirectory
  let manifest: ManifestWriter
  let files: FileStore
  let region: Region
  let rings: Rings
  let code: CodeSpace
  let codec: XStateCodec
  let injector: Injector
  let chunkMaker: ChunkMaker
  /// By thread: processes whose thread is known.
  var processes: [ThreadID: RecordedProcess] = [:]
  /// What threads and processes reported last that their maker has not reported yet.
  var early: [ThreadID: WaitStatus] = [:]
  var nextTape: UInt64 = 0
  var root = ThreadID(0)
  /// What is left of the program is being killed.
  var isEnding = false
  var outcome: RecordOutcome?
  /// What bis gets for the program; nil: nothing has been started.
  var relay: SignalRelay?
  /// Addresses given to library files, so that they are the same in all processes.
  var libraryBases: [UInt64: UInt64] = [:]
  /// Whether stored files are ELF files.
  var libraryFiles: [UInt64: Bool] = [:]
  var takenLibraries: [(low: UInt64, high: UInt64)] = []
  var warned: Set<String> = []
  /// Memory that processes share, and who waits for parts of it.
  var sharedObjects: [SharedObject.Key: SharedObject] = [:]
  var sharedRequests: [SharedRequest] = []
  var sharedTurn: SharedTurn?
  /// Executable memory that the process of the request being served has lost by it.
  var lostCode: [(low: UInt64, high: UInt64)] = []
  /// Files that are mapped MAP_SHARED, as all processes know them.
  var publishedFiles: Set<SharedObject.FileID> = []
  /// Files that are mapped, watched for changes from outside.
  var watches = FileWatches()
  /// What processes outside of the recording have mapped, and when that was looked up.
  var foreign = ForeignMappings()
  /// A stored file without a byte, for pages beyond the end of files.
  var emptyFile: UInt64?
  /// Pages (runs of them) that went from process to process.
  var takeovers: UInt64 = 0
  /// Reports of threads that were stopped for a page and said something else first.
  var stashed: [WaitStatus] = []
  /// Threads that are stopped while translations are given back.
  var halted: [HaltedProcess] = []
  /// Processes of the recording that trace others.
  var ptrace = PtraceState()
  /// Sums of the processes' counters (enum bis_stat).
  var statistics = [UInt64](repeating: 0, count: 16)
  /// Stops of the runtime by enum bis_reason, and all stops.
  var questions = [UInt64](repeating: 0, count: 32)
  var stopCount: UInt64 = 0
  let sharedCPU = SharedCPU()
  let attention: Attention
  let began = timePoint()

  init(_ options: RecordOptions) throws(RecordError) {
    self.options = options
    guard let name = options.program.first else { throw RecordError("no program to record") }
    let path: String
    do throws(ExecutableError) { path = try resolveExecutable(name) } catch { throw RecordError("\(error)") }
    try RecordSession.checkExecutable(path)
    let profile = try RecordSession.profile(options.cpu)
    do throws(TraceError) {
      if let output = options.output {
        trace = try TraceStore.create(at: output)
      } else {
        let store = TraceStore.standard()
        trace = try store.create(program: name)
        try store.setLatest(trace)
      }
      manifest = try ManifestWriter(trace, recording: RecordSession.describe(options, profile, began))
      files = FileStore(manifest, sharedIn: options.output == nil ? TraceStore.standard() : nil)
    } catch { throw RecordError(error) }
    do throws(Errno) {
      region = try Region(profile: profile)
      rings = try Rings(path: trace.ringsPath)
    } catch {
      throw RecordError(
        "cannot set up shared memory: \(error)",
        hint: error == .noSpace
          ? "the disk is full: make room, or record elsewhere with -o"
          : error == .noMemory ? "is there a limit on address space (ulimit -v)? bis needs 1 GiB of it" : "")
    }
    attention = Attention(sharedCPU)
    chunkMaker = ChunkMaker(cpus: sharedCPU.allowed)
    code = region.makeCodeSpace()
    codec = XStateCodec(profile: profile)
    injector = Injector(region: region, rings: rings)
    code.users = self
    try start(path)
  }

  // MARK: The loop

  func run() throws(RecordError) -> (outcome: RecordOutcome, trace: String) {
    do throws(GuestError) {
      while !processes.isEmpty {
        if isTimeToEnd {
          relay?.finish()
          try endOthers()
          break
        }
        if let status = try next() { try serve(status) } else if !isTimeToEnd { break }
      }
    } catch {
      abandon()
      let text = "\(error)"
      let room = text.contains("No space left") ? "make room on the disk, or record elsewhere with -o; " : ""
      throw RecordError(text, hint: room + "what was recorded until then is in \(trace.path)")
    }
    relay?.finish()
    let result = outcome ?? .exited(0)
    do throws(TraceError) {
      try manifest.add(counters: counters())
      switch result {
      case .exited(let status): try manifest.finish(.exited(status))
      case .signaled(let signal): try manifest.finish(.signalled(signal))
      }
    } catch { throw RecordError(error) }
    removeRings()
    code.saveCache()
    return (result, trace.path)
  }

  /// The program has ended, and nobody waits for what it has left.
  private var isTimeToEnd: Bool {
    outcome != nil && (!options.waitForAll || relay?.isEndWanted == true) && process(root.rawValue) == nil
  }

  /// The next report; nil: there is nobody left to wait for, or no time.
  private func next() throws(GuestError) -> WaitStatus? {
    while true {
      try noticeOutsiders()
      try serveSharedRequests()
      if stopCount % 64 == 0 { takeAll() }
      if !stashed.isEmpty { return stashed.removeFirst() }
      do throws(Errno) {
        if attention.isActive {
          if let status = try attention.attend() { return status }
          if isTimeToEnd { return nil }
          if attention.isActive { continue }
        }
        if sharedRequests.isEmpty && watches.changed.isEmpty { return try waitAny() }
        if let status = try waitAny(nohang: true) { return status }
        usleep(50)
      } catch {
        if error == .noChild { return nil }
        if error != .interrupted { throw .kernel("wait for the program", error) }
        if isTimeToEnd { return nil }
      }
    }
  }

  /// Takes what all have to report: the kernel names the same one first each time, so who stops again at once (a signal every
  /// few microseconds) would keep the others waiting.
  private func takeAll() {
    while let status = (try? waitAny(nohang: true)) ?? nil {  // (an error comes again when there is nothing to serve)
      if processes[status.tid] == nil { reportedEarly(status) } else { stashed.append(status) }
    }
  }

  private func serve(_ status: WaitStatus) throws(GuestError) {
    stopCount += 1
    sharedRequests.removeAll { $0.tid == status.tid }  // (killed while it waited)
    attention.noticed(status)
    guard let process = processes[status.tid] else { return reportedEarly(status) }
    do throws(GuestError) {
      switch status.kind {
      case .exited(let code):
        endFileChanges(of: status.tid)
        try ended(process, status.tid, .exited(code))
      case .signaled(let signal, _):
        endFileChanges(of: status.tid)
        try ended(process, status.tid, .signaled(signal))
      case .stopped(let reason): try stopped(process, status.tid, reason)
      }
    } catch {
      if case .gone = error { return }  // killed under our hands: its end is reported next
      throw error
    }
  }

  func stopped(_ p: RecordedProcess, _ tid: ThreadID, _ reason: StopReason) throws(GuestError) {
    switch reason {
    case .signal(5) where p.control.reason != BIS_REASON_NONE && p.control.block.pointee.tid == UInt64(tid.rawValue):
      let why = p.control.reason
      p.guest.tid = tid
      try serveRuntime(p, why)
    case .signal(let signal):
      try signalStop(p, tid, signal)
    case .event(.exec):
      try executed(p, tid)
    case .event(.fork), .event(.vfork), .event(.clone):
      try forked(p, tid)
    case .event(.exit):
      try exiting(p, tid)
    case .event(.stop):
      if try interrupted(p, tid) { return }
      if !p.views.isEmpty, let r = try? Ptrace.getRegisters(tid) { try restartInterrupted(tid, r) }
      resume(tid)
    case .event(.vforkDone), .event(.seccomp), .event(.other), .syscall:
      resume(tid)
    case .groupStop(let signal):
      if groupStopped(p, tid, signal) { return }
      try? kernel("listen") { () throws(Errno) in try Ptrace.listen(tid) }
      if tid == root { JobControl.stopped(tid.rawValue, by: signal) }
    }
  }

  func resume(_ tid: ThreadID, _ signal: Int32 = 0) {
    do throws(Errno) { try Ptrace.cont(tid, signal) } catch { /* gone: its end is reported next */  }
  }

  /// The runtime asks (int3). The process goes on unless a handler says otherwise.
  private func serveRuntime(_ p: RecordedProcess, _ why: bis_reason) throws(GuestError) {
    let block = p.control.block
    block.pointee.reason = 0
    questions[Int(why.rawValue) % questions.count] += 1
    attendOrJoin(p, why)
    switch why {
    case BIS_REASON_MISS, BIS_REASON_MISS_INDIRECT, BIS_REASON_EXIT_DIRECT:
      try bringCode(p, why)
      if try !p.guest.serveTranslation(why) {
        guard try faultAtTarget(p) else { return }
      }
    case BIS_REASON_RING:
      try tape { () throws(TraceError) in try p.sink.flush() }
    case BIS_REASON_SYSCALL:
      if holdsExit(p) { return }
      try systemCall(p)
    case BIS_REASON_AFTER:
      try afterCall(p)
    case BIS_REASON_PAGES:
      return try bringPages(p)
    case BIS_REASON_CLAIMED:
      try settleClaims(p)
    case BIS_REASON_FILE:
      return try fileChanges(p)
    case BIS_REASON_SIGNALS:
      guard try deliverSignals(p, atExpiry: false) else { return }
    case BIS_REASON_TRACED:
      return try traced(p)
    case BIS_REASON_DEBUG:
      return try leaving(p)
    case BIS_REASON_EXPIRED:
      guard try expired(p) else { return }
    case BIS_REASON_STEP:
      try stepThenSwitch(p)
    case BIS_REASON_CHECKSUM:
      try checksum(p)
    case BIS_REASON_SECCOMP:
      guard try seccompSignal(p) else { return }
    case BIS_REASON_WATCHED:
      block.pointee.answer = try p.guest.unguardAll() ? 1 : 0
    case BIS_REASON_SPECIAL:
      guard try specialFault(p) else { return }
    case BIS_REASON_FATAL:
      throw .runtime(line: p.control.arguments[0])
    default:
      throw .unsupported("the runtime asked for \(why.rawValue), which is no question")
    }
    resume(p.guest.tid)
  }

  /// On which CPU the process goes on: alone, while its questions are looked for, or beside bis if it stops all the time.
  private func attendOrJoin(_ p: RecordedProcess, _ why: bis_reason) {
    let mayAsk = !p.views.contains { $0.protection & 4 != 0 }
    if attention.stopped(p.guest, asks: Attention.isQuestion(why), mayAsk: mayAsk) { return }
    let cpu = p.control.block.pointee.turn.cpu
    // (a program with threads that are kept nowhere has placed them itself)
    if cpu != 0 || p.threads.count <= 1,
      sharedCPU.served(p.guest.tid, of: p.guest.pid, keptOn: cpu == 0 ? nil : Int(cpu) - 1)
    {
      p.control.block.pointee.turn.companion = 1
    }
  }

  private func expired(_ p: RecordedProcess) throws(GuestError) -> Bool {
    let block = p.control.block
    guard let guest = region.translator.guestAddress(ofBody: block.pointee.resume_host) else {
      throw .unsupported("a tick ran out at an unknown place")
    }
    block.pointee.rip = guest
    if block.pointee.pending_signals != 0 { return try deliverSignals(p, atExpiry: true) }
    return true
  }

  /// What `bis stats` shows of the recording's own work.
  private func counters() -> [(name: String, count: UInt64)] {
    func asked(_ reason: bis_reason) -> UInt64 { questions[Int(reason.rawValue)] }
    let t = region.translator.statistics
    return [
      ("stops", stopCount),
      (
        "stops.translation",
        asked(BIS_REASON_MISS) + asked(BIS_REASON_MISS_INDIRECT)
          + asked(BIS_REASON_EXIT_DIRECT)
      ),
      ("translations.unstopped", attention.answered),
      ("stops.calls", asked(BIS_REASON_SYSCALL) + asked(BIS_REASON_AFTER)), ("stops.pages", asked(BIS_REASON_PAGES)),
      ("stops.ring", asked(BIS_REASON_RING)),
      ("stops.signals", asked(BIS_REASON_SIGNALS)), ("stops.ticks", asked(BIS_REASON_EXPIRED)),
      ("stops.checksums", asked(BIS_REASON_CHECKSUM)), ("calls", statistics[Int(BIS_STAT_SYSCALLS.rawValue)]),
      ("specials", statistics[Int(BIS_STAT_SPECIALS.rawValue)]),
      ("indirect.misses", statistics[Int(BIS_STAT_INDIRECT_MISSES.rawValue)]),
      ("pages.taken", takeovers),
      ("tick.expiries", statistics[Int(BIS_STAT_EXPIRIES.rawValue)]), ("units", UInt64(t.units)),
      ("units.instructions", UInt64(t.instructions)), ("units.guest-bytes", UInt64(t.guestBytes)),
      ("units.hot-bytes", UInt64(t.hotBytes)), ("units.cold-bytes", UInt64(t.coldBytes)),
      ("units.forgotten", UInt64(t.forgotten)), ("cache.freed-bytes", UInt64(t.freedBytes)),
      ("cache.flushes", UInt64(t.flushes)), ("links", UInt64(t.links)),
    ]
  }

  // MARK: Checks

  private func checksum(_ p: RecordedProcess) throws(GuestError) {
    let registers = try p.guest.registerChecksum(codec)
    let ranges = try p.guest.memoryChecksums()
    var total: UInt64 = 0
    for r in ranges { total = (total << 7 | total >> 57) ^ r.checksum }
    try append(
      p,
      EventHead(
        .checksum, number: UInt32(BIS_CHECKSUM_CONTENT), rip: p.control.rip, value: registers, value2: total),
      ranges.map { .checksumRange(address: $0.address, length: $0.length, checksum: $0.checksum) })
  }

  // MARK: Helpers

  func append(
    _ p: RecordedProcess, _ event: EventHead, _ effects: [Effect] = [], ticks: UInt64? = nil
  ) throws(GuestError) {
    try tape { () throws(TraceError) in try p.sink.append(event, effects, ticks: ticks) }
  }

  func tape<T>(_ body: () throws(TraceError) -> T) throws(GuestError) -> T {
    do throws(TraceError) { return try body() } catch { throw .unsupported("\(error)") }
  }

  func warn(_ text: String) {
    guard warned.insert(text).inserted else { return }
    printError("bis: \(text)\n")
  }
}
