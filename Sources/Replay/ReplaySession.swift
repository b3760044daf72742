import CABI
import CPUModel
import Guest
import Linux
import Tape
import Trace
import Translate

/// A replay under way.
///
/// One thread owns it (ptrace). A process born by exec starts from its START event in an empty address space; one born
/// by fork from its parent's replay at the fork. Several run at the same time (`Places.swift`).
final class ReplaySession {
  let options: ReplayOptions
  let trace: TraceDirectory
  let manifest: Manifest
  let region: Region
  let rings: Rings
  let code: CodeSpace
  let codec: XStateCodec
  let injector: Injector
  var processes: [ThreadID: ReplayedProcess] = [:]
  var report = ReplayReport()
  let echo = Echo()
  /// Tapes whose output is echoed.
  var heard: Set<UInt64> = []
  /// Tapes to replay; the others are not followed.
  var wanted: Set<UInt64> = []
  var exitStatus: [UInt64: Int32] = [:]
  /// Tapes born by exec that are still to be replayed; the next one last.
  var roots: [Manifest.TapeInfo] = []
  /// How many processes run at the same time.
  var places = 1
  var memory = MemoryGauge()
  /// Parents that stand in fork until there is room for them.
  var parked: [ReplayedProcess] = []
  /// Killed at the end of their tapes; their ends are reported later.
  var ending: [ThreadID: ReplayedProcess] = [:]
  /// What exec-born processes begin as copies of, when there are many.
  var template: ReplayTemplate?
  /// First stops of children whose parent has not reported them yet.
  var early: Set<ThreadID> = []
  /// Reports that came while translations were given back, and who is stopped for that.
  var stashed: [WaitStatus] = []
  var halted: [ThreadID] = []
  let sharedCPU = SharedCPU()
  let attention: Attention
  /// Reads tapes ahead, where there is a CPU for it.
  private lazy var tapeWorker = sharedCPU.hasOthers ? try? Worker(cpus: sharedCPU.allowed) : nil
  /// What a debugger wants of one process.
  var focus: Focus?

  /// - Parameter pairsCalls: see `Region`.
  init(_ options: ReplayOptions, pairsCalls: Bool = true) throws(ReplayError) {
    self.options = options
    do throws(TraceError) {
      trace = try TraceStore.standard().resolve(options.trace.isEmpty ? nil : options.trace)
      _ = try? trace.recover()
      manifest = try Manifest.read(trace)
    } catch { throw ReplayError(error) }
    let profile: CPUProfile
    do throws(CPUProfileTextError) { profile = try CPUProfile(text: manifest.recording.cpuProfile) } catch {
      throw ReplayError("the trace's CPU profile is damaged: \(error)")
    }
    let differences = profile.differences(from: Region.hostProfile())
    if !differences.replaysHere {
      throw ReplayError(
        "this CPU lacks what the recorded program was shown: \(differences.description)",
        hint: "record with --cpu x86-64-v2 or another profile that both machines have (bis cpu check)")
    }
    do throws(Errno) {
      region = try Region(profile: profile, pairsCalls: pairsCalls)
      rings = try Rings(path: nil)
    } catch { throw ReplayError("cannot set up shared memory: \(error)") }
    attention = Attention(sharedCPU)
    code = region.makeCodeSpace()
    codec = XStateCodec(profile: profile)
    injector = Injector(region: region, rings: rings)
    code.users = self
  }

  // MARK: Which tapes

  func run() throws(ReplayError) -> (status: Int32, report: ReplayReport) {
    let chosen = try chosenTapes()
    wanted = Set(options.all ? manifest.tapes.map(\.number) : closure(of: chosen))
    heard = options.all ? wanted : Set(chosen.map(\.number))
    echo.isOn = !options.quiet
    echo.isDirect = Set(manifest.tapes.filter { heard.contains($0.number) }.map(\.pid)).count == 1
    roots = manifest.tapes.filter { wanted.contains($0.number) && $0.origin == .exec }.reversed()
    places = echo.isDirect ? 1 : Machine.cpuCount + 1
    defer { killAll() }
    do throws(GuestError) {
      if roots.count > 2 { template = try makeTemplate() }
      try fillPlaces()
      try loop()
    } catch {
      for p in processes.values { takeEcho(p) }
      echo.flush()
      throw Self.error(error)
    }
    echo.flush()
    code.saveCache()
    let last = chosen.last.map(\.number) ?? 0
    return (exitStatus[last] ?? 0, report)
  }

  static func error(_ error: GuestError) -> ReplayError {
    if case .replay(let message, let hint, let divergence) = error {
      return ReplayError(message, hint: hint, divergence: divergence)
    }
    return ReplayError(error)
  }

  /// The tapes of the process asked for, in order.
  func chosenTapes() throws(ReplayError) -> [Manifest.TapeInfo] {
    guard let first = manifest.tapes.first else { throw ReplayError("the trace holds no tape") }
    guard let name = options.process else { return manifest.tapes.filter { $0.pid == first.pid } }
    let matches = manifest.tapes.filter {
      String($0.pid) == name || $0.executable.split(separator: "/").last.map(String.init) == name
    }
    guard let pid = matches.first?.pid else {
      throw ReplayError("there is no process \(name) in the trace", hint: "bis ps lists them")
    }
    return manifest.tapes.filter { $0.pid == pid }
  }

  /// A fork child needs its parents' tapes up to the fork.
  func closure(of tapes: [Manifest.TapeInfo]) -> [UInt64] {
    var result = tapes.map(\.number)
    var queue = tapes
    while let t = queue.popLast() {
      if t.origin == .fork, let parent = t.parent.flatMap({ manifest.tape($0) }), !result.contains(parent.number) {
        result.append(parent.number)
        queue.append(parent)
      }
    }
    return result
  }

  // MARK: The loop

  /// Until all processes are at their ends, or the one that a debugger looks at has stopped for it.
  func loop() throws(GuestError) {
    defer { attention.end() }
    while !processes.isEmpty || !ending.isEmpty, focus?.stop == nil {
      let status: WaitStatus
      do throws(Errno) {
        guard let s = try next() else { continue }
        status = s
      } catch {
        if error == .interrupted { continue }
        throw .kernel("wait for the replay", error)
      }
      guard let p = processes[status.tid] else {
        if try goOnEnding(status) { continue }
        if case .stopped = status.kind { early.insert(status.tid) }
        continue
      }
      try serve(p, status)
    }
  }

  /// The next report; nil: none yet.
  private func next() throws(Errno) -> WaitStatus? {
    if !stashed.isEmpty { return stashed.removeFirst() }
    return try attention.isActive ? attention.attend() : waitAny()
  }

  func serve(_ p: ReplayedProcess, _ status: WaitStatus) throws(GuestError) {
    attention.noticed(status)
    switch status.kind {
    case .exited, .signaled:
      processes[status.tid] = nil
      throw divergence(p, "the replay process ended by itself")
    case .stopped(.signal(5)) where p.control.reason != BIS_REASON_NONE:
      let why = p.control.reason
      p.guest.tid = status.tid
      p.control.block.pointee.reason = 0
      if focus != nil || !attention.stopped(p.guest, asks: Attention.isQuestion(why), mayAsk: true) {
        sharedCPU.served(status.tid, of: p.guest.pid)
      }
      if try serveRuntime(p, why) { resume(p) }
    case .stopped(.signal(let signal)):
      try signalStop(p, status.tid, signal)
    case .stopped(.event(.fork)), .stopped(.event(.vfork)):
      p.guest.tid = status.tid
      try forked(p)
    default:
      try? Ptrace.cont(status.tid, 0)
    }
  }

  func resume(_ p: ReplayedProcess) { try? Ptrace.cont(p.guest.tid, 0) }

  func serveRuntime(_ p: ReplayedProcess, _ why: bis_reason) throws(GuestError) -> Bool {
    let control = p.control
    switch why {
    case BIS_REASON_MISS, BIS_REASON_MISS_INDIRECT, BIS_REASON_EXIT_DIRECT:
      if try p.guest.serveTranslation(why) { return true }
      return try fault(p)
    case BIS_REASON_RING:
      try checkedTape { () throws(TraceError) in try p.feed.fill(control) }
      return true
    case BIS_REASON_EVENT:
      return try event(p)
    case BIS_REASON_EXPIRED:
      return try expired(p)
    case BIS_REASON_STEP:
      try stepToSwitch(p)
      return true
    case BIS_REASON_ECHO:
      takeEcho(p)
      return true
    case BIS_REASON_DEBUG where p.walk != nil && control.arguments[0] == UInt64(BIS_DEBUG_AT_LEAVE.rawValue):
      return try walkOn(p)
    case BIS_REASON_DEBUG:
      return try debugStop(p)
    case BIS_REASON_SPECIAL:
      return try fault(p)
    case BIS_REASON_DIVERGED:
      throw diverged(p)
    case BIS_REASON_FATAL:
      throw .runtime(line: control.arguments[0])
    default:
      throw .unsupported("the runtime asked for \(why.rawValue), which is no question in a replay")
    }
  }

  /// (A debugger goes back and forth.)
  func feed(of tape: UInt64) throws(TraceError) -> TapeFeed {
    try TapeFeed(trace, tape: tape) { focus == nil ? tapeWorker : nil }
  }

  func checkedTape<T>(_ body: () throws(TraceError) -> T) throws(GuestError) -> T {
    do throws(TraceError) { return try body() } catch { throw .replay("\(error)", "", nil) }
  }
  func checked<T>(_ body: () throws(ReplayError) -> T) throws(GuestError) -> T {
    do throws(ReplayError) { return try body() } catch { throw .replay(error.message, error.hint, error.divergence) }
  }

  func killAll() {
    while let p = processes.first?.value { endProcess(p) }
    for p in ending.values { endProcess(p) }
    ending = [:]
    if let t = template { end(t.tid) }
    template = nil
  }

  /// Kills a process and waits until it is gone.
  func endProcess(_ p: ReplayedProcess) {
    attention.leave(p.guest)
    end(ThreadID(p.guest.pid))
    processes[ThreadID(p.guest.pid)] = nil
  }

  func end(_ tid: ThreadID) {
    try? Ptrace.kill(process: tid)
    while let status = try? wait(for: tid) {
      if case .stopped = status.kind { try? Ptrace.cont(tid, 0) } else { break }
    }
  }
}
