// A replay seen as something that gdb debugs: one process, which runs forwards and backwards and cannot be changed. What
// gdb changes it changes in a diversion.

public import CPUModel
import Guest
public import RSP
public import Replay
public import Tape
public import Trace

/// What a target needs to know besides the engine.
public struct ReplayTargetOptions {
  public var trace: TraceDirectory
  public var manifest: Manifest
  public var profile: CPUProfile
  /// What diversions may do.
  public var policy = DiversionPolicy()
  /// An event as a line for a person.
  public var describe: (Event, Manifest.TapeInfo) -> String
  /// The process of a tape, at that tape's first moment.
  public var open: (Manifest.TapeInfo) throws(GuestError) -> ProcessHistory

  public init(
    trace: TraceDirectory, manifest: Manifest, profile: CPUProfile,
    describe: @escaping (Event, Manifest.TapeInfo) -> String,
    open: @escaping (Manifest.TapeInfo) throws(GuestError) -> ProcessHistory
  ) {
    self.trace = trace
    self.manifest = manifest
    self.profile = profile
    self.describe = describe
    self.open = open
  }
}

/// One process of a trace. Belongs to the thread of its engine.
public final class ReplayTarget: Target {
  /// The present process: the one that gdb asked about last.
  public internal(set) var history: ProcessHistory
  /// Others that gdb keeps (`set detach-on-fork off`), by number.
  var others: [Int: ProcessHistory] = [:]
  let options: ReplayTargetOptions
  let layout: RegisterLayout
  public internal(set) var lastStop: StopReply = .nothingLeft

  /// What gdb wants to stop at.
  var breakpointLists: [Int: [RSP.Breakpoint]] = [:]
  var passedSignals: Set<Int> = []
  var caughtSystemCalls: Set<Int>?
  var processEventSet: ProcessEvents = []
  /// What gdb changes, while it does.
  var diverted: DivertedState?
  /// `monitor forks off`: they are not reported, which makes ways back over many of them faster.
  var reportsForks = true
  /// `monitor direction`: a debugger without commands for it goes backwards with those that it has.
  var goesBackwards = false
  /// What the next resumption does instead: gdb forgets what it knew only when it resumes.
  var pendingMove: ((() -> Bool) throws -> Stop)?
  /// What the next resumption is answered with, at once: gdb goes on by itself where a process becomes another program.
  var pendingReply: StopReply?
  /// The child that gdb was told of last.
  var newborn: Birth?
  /// What a person should know; `monitor notices` gives it.
  var notices: [String] = []
  /// gdb left to come back and look at another process.
  public internal(set) var expectsClient = false
  /// By tape.
  var auxiliary: [UInt64: [UInt8]] = [:]
  var knownFiles: [UInt64: TraceFiles] = [:]
  var engineFailure: GuestError?
  private var lastReport = ""
  /// The present program is another one: before the debugger looks for its files.
  public var onProgram: () -> Void = {}
  /// Errors by number are all that gdb before 14 shows: where the words go.
  public var onFailure: (String) -> Void = { _ in }

  /// - Parameter history: where the session shall begin.
  public init(_ history: ProcessHistory, _ options: ReplayTargetOptions) {
    self.history = history
    self.options = options
    layout = RegisterLayout(profile: options.profile)
    lastStop = .stopped(currentID, signal: 5, nil)
  }

  var timeline: Timeline { history.timeline }
  var engine: any Engine { timeline.engine }
  /// The tape that is replayed now.
  var tape: Manifest.TapeInfo { history.part }
  var pid: Int { Int(tape.pid) }
  var breakpointList: [RSP.Breakpoint] {
    get { breakpointLists[pid] ?? [] }
    set { breakpointLists[pid] = newValue }
  }
  var currentID: RSP.ThreadID { RSP.ThreadID(process: pid, thread: Int(engine.currentThread)) }

  public var targetDescription: TargetDescription { layout.description }
  public var threads: any ThreadAccess { self }
  public var registers: (any RegisterAccess)? { self }
  public var memory: (any MemoryAccess)? { self }
  public var resumption: (any ResumeAccess)? { self }
  public var reverse: (any ReverseAccess)? { self }
  public var breakpoints: (any BreakpointAccess)? { self }
  public var systemCallCatching: (any SystemCallCatching)? { self }
  public var signalPassing: (any SignalPassing)? { self }
  public var processEvents: (any ProcessEventReporting)? { self }
  public var auxiliaryVector: (any AuxiliaryVectorAccess)? { self }
  public var signalInfo: (any SignalInfoAccess)? { self }
  public var executable: (any ExecutableAccess)? { self }
  public var files: (any FileAccess)? { self }
  public var monitor: (any MonitorAccess)? { self }
  public var restarting: (any RestartAccess)? { self }

  public func kill(process: Int?) { leave(process) }
  public func detach(process: Int?) {
    // Right after a fork it is the child that gdb wants to stay with.
    if process == pid, let newborn { try? use(Int(newborn.child)) }
    leave(process)
  }

  /// An engine's failure as gdb sees it. A replay that differs is of no use any more: everything after says so.
  func checked<T>(_ body: () throws(GuestError) -> T) throws(TargetError) -> T {
    if let engineFailure { throw TargetError(Self.text(engineFailure)) }
    do throws(GuestError) { return try body() } catch {
      if case .replay = error { engineFailure = error }
      let text = Self.text(error)
      notify(text)
      report(text)
      throw TargetError(text)
    }
  }

  static func text(_ error: GuestError) -> String {
    if case .replay(let message, _, let divergence) = error { return divergence.map { "\(message); \($0)" } ?? message }
    return "\(error)"
  }

  func report(_ text: String) {
    if text == lastReport { return }
    lastReport = text
    onFailure(text)
  }

  func notify(_ text: String) {
    if notices.last != text, notices.count < 100 { notices.append(text) }
  }
}

extension ReplayTarget: ThreadAccess {
  public var allThreads: [RSP.ThreadID] {
    ([history] + others.values).flatMap { history in
      history.timeline.engine.threads.map { RSP.ThreadID(process: Int(history.part.pid), thread: Int($0.tid)) }
    }.sorted()
  }
  public var currentThread: RSP.ThreadID? { currentID }
  public func isAlive(_ thread: RSP.ThreadID) -> Bool {
    allThreads.contains(thread)
      || newborn.map { Int($0.child) == thread.process && thread.process == thread.thread } ?? false
  }
  public func name(of thread: RSP.ThreadID) -> String? {
    let history = thread.process == pid ? history : others[thread.process]
    return history?.timeline.engine.threads.first { Int($0.tid) == thread.thread }?.name
  }
  public func details(of thread: RSP.ThreadID) -> String? {
    thread == currentID ? "has the turn" : nil
  }
}

extension ReplayTarget: MemoryAccess {
  public func readMemory(at address: UInt64, count: Int, of process: Int) throws(TargetError) -> [UInt8] {
    try use(process)
    let bytes = diverted?.diversion.read(address, count) ?? engine.read(address, count)
    guard !bytes.isEmpty || count == 0 else { throw .badAddress }
    return bytes
  }

  public func writeMemory(at address: UInt64, _ bytes: [UInt8], of process: Int) throws(TargetError) {
    try use(process)
    // gdb writes back what it read now and then.
    if diverted == nil, engine.read(address, bytes.count) == bytes { return }
    let state = try divert()
    state.wroteMemory = true
    try checked { () throws(GuestError) in try state.diversion.write(address, bytes) }
  }
}

extension ReplayTarget: SignalInfoAccess {
  public func signalInfo(of thread: RSP.ThreadID) throws(TargetError) -> [UInt8] {
    try use(thread.process)
    guard let bytes = engine.signalInformation() else { throw TargetError(code: 1, "no signal here") }
    return bytes
  }
}

extension ReplayTarget: AuxiliaryVectorAccess, ExecutableAccess {
  public func executablePath(of process: Int) throws(TargetError) -> String {
    try use(process)
    return tape.executable
  }

  /// From where the kernel put it: above the arguments and the environment at the program's first stack pointer.
  public func auxiliaryVector(of process: Int) throws(TargetError) -> [UInt8] {
    try use(process)
    if let known = auxiliary[tape.number] { return known }
    guard let stack = firstStackPointer() else { throw TargetError("the tape does not say where the stack began") }
    var address = stack + 8
    for _ in 0..<2 {
      while word(at: address) != 0 {
        guard word(at: address) != nil, address < stack + (1 << 24) else { throw .badAddress }
        address += 8
      }
      address += 8
    }
    var bytes: [UInt8] = []
    while bytes.count < 4096 {
      let pair = engine.read(address, 16)
      guard pair.count == 16 else { throw .badAddress }
      bytes += pair
      if pair[..<8].allSatisfy({ $0 == 0 }) { break }
      address += 16
    }
    auxiliary[tape.number] = bytes
    return bytes
  }

  private func word(at address: UInt64) -> UInt64? {
    let bytes = engine.read(address, 8)
    return bytes.count == 8 ? bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } : nil
  }

  /// rsp when the program began: of this tape, or of the one that its process was forked from.
  private func firstStackPointer() -> UInt64? {
    for case .registers(let values) in firstEvent()?.effects ?? [] { return values.general[4] }
    return nil
  }

  /// The START event of the program: a tape born by fork has its parents' one.
  func firstEvent() -> Event? {
    var tape = tape
    for _ in 0..<10_000 {
      if tape.origin == .exec {
        let reader = try? TapeFileReader(options.trace, tape: tape.number)
        return (try? reader?.event(0)) ?? nil
      }
      guard let parent = tape.parent.flatMap({ options.manifest.tape($0) }) else { return nil }
      tape = parent
    }
    return nil
  }
}
