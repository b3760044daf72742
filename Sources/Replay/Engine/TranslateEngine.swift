import CABI
import Guest
import Linux
import Tape
import Trace
import Translate

/// The engine that replays with translated code, in a process of the host.
///
/// The process stops in one of three ways: in a question of the runtime (it goes on by itself), in translated code at an
/// exact place (so does that), or where the tape has something that the stop set wants to see first (`Focus.Pending`).
public final class TranslateEngine: Engine {
  let session: ReplaySession
  var focus: Focus
  let reader: TapeFileReader
  /// Where a signal was reported that comes without the process standing in its delivery yet.
  var reportedSignal: Position?
  /// Copies of the process, stopped; by number.
  var checkpoints: [CheckpointID: SavedProcess] = [:]
  var nextCheckpoint = 1
  /// The process is on the way back to program code: nothing happens before the next instruction.
  var isAtLeave = false
  /// Why it stopped last, while that is the tape's end.
  var endStop: Stop?
  var armed = Armed()
  /// A watchpoint was touched by the instruction under way.
  var touched: (watchpoint: Watchpoint, address: UInt64)?
  /// What the instruction under way is about to touch, as code that asks has told.
  var ahead: [Ahead] = []
  /// A touch that was not reported yet when the last run stopped for something else.
  var untold: (position: Position, watchpoint: Watchpoint, address: UInt64)?
  /// Debug registers that watchpoints may take (at most 3); without them code asks before it touches memory.
  public var watchRegisterLimit = 3
  /// A system call that was reported at its entry.
  var callUnderWay: (number: UInt32, thread: Int32)?
  /// Ticks to run before looking up.
  var chunkTicks: UInt64 = 1 << 20

  var process: ReplayedProcess { focus.process! }
  var tid: ThreadID { process.guest.tid }
  var control: Control { process.control }

  /// Replays up to the first instruction of tape `tape` (nil: the first one of the process that the options name).
  public init(_ options: ReplayOptions, tape: UInt64? = nil) throws(ReplayError) {
    session = try ReplaySession(options, pairsCalls: false)
    let chosen = try session.chosenTapes()
    // The program that was meant: scripts that start others by exec are on tapes before it.
    let number = tape ?? chosen[chosen.count - 1].number
    guard let info = session.manifest.tape(number) else { throw ReplayError("the trace holds no tape \(number)") }
    do throws(TraceError) { reader = try TapeFileReader(session.trace, tape: number) } catch {
      throw ReplayError(error)
    }
    focus = Focus(tape: number)
    session.focus = focus
    session.wanted = Set(session.closure(of: [info]))
    session.heard = [number]
    session.echo.isOn = !options.quiet
    session.echo.isDirect = true
    session.echo.tellsOnce = true
    var root = info
    while root.origin == .fork, let parent = root.parent.flatMap({ session.manifest.tape($0) }) { root = parent }
    do throws(GuestError) {
      try session.startExec(root)
      try session.loop()
    } catch {
      session.killAll()
      throw ReplaySession.error(error)
    }
    guard focus.process != nil, focus.stop == .limit else {
      session.killAll()
      throw ReplayError("the recording of tape \(number) ends before its first instruction")
    }
    isAtLeave = true
    focus.onTrap = { [unowned self] (p, info, r) throws(GuestError) in try self.trapped(p, info, r) }
    focus.onHiddenStep = { [unowned self] () throws(GuestError) in try self.steppedBehind() }
  }

  deinit { close() }

  /// Ends all processes of the replay.
  public func close() {
    for c in checkpoints.values { session.endProcess(c.process) }
    checkpoints = [:]
    session.killAll()
    focus.process = nil
  }

  // MARK: Where it is

  public var position: Position { process.position }
  public var isAtEnd: Bool { if case .end = focus.pending { true } else { false } }
  public var eventCount: UInt64 { reader.eventCount }
  /// The tape that this engine replays.
  public var tape: UInt64 { focus.tape }

  public func ticks(atEvent event: UInt64) -> UInt64? {
    guard let found = try? reader.event(event) else { return nil }
    return found.head.ticks
  }

  // MARK: What is there

  public var currentThread: Int32 { Int32(truncatingIfNeeded: control.block.pointee.tid) }

  public var threads: [EngineThread] {
    let program = session.manifest.tape(focus.tape)?.executable.split(separator: "/").last.map(String.init) ?? ""
    return ([currentThread] + control.otherThreads()).sorted().map {
      EngineThread(tid: $0, name: control.name(of: $0) ?? program)
    }
  }

  public func registers(of thread: Int32) throws(GuestError) -> RegisterFile {
    let block = control.block
    if thread == currentThread {
      let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
      return RegisterFile(
        general: (0..<16).map { control.gpr[$0] }, rip: control.rip, rflags: block.pointee.rflags, fsBase: r.fs_base,
        gsBase: block.pointee.gs_base, extended: try session.codec.read(tid))
    }
    guard let index = control.threadIndex(UInt64(UInt32(bitPattern: thread))) else {
      throw .unsupported("there is no thread \(thread)")
    }
    let t = control.threads[index]
    let general = withUnsafeBytes(of: t.gpr) { Array($0.bindMemory(to: UInt64.self)) }
    let state = UInt64(BIS_THREADS_BASE) + UInt64(index) * UInt64(BIS_THREAD_SPACE)
    // (one that was preempted left its address to the translated code)
    let rip = session.region.translator.guestAddress(ofBody: t.resume_host) ?? t.rip
    return RegisterFile(
      general: general, rip: rip, rflags: t.rflags, fsBase: t.fs_base, gsBase: t.gs_base,
      extended: try process.guest.read(state, session.codec.size))
  }

  public func read(_ address: UInt64, _ count: Int) -> [UInt8] { process.guest.readable(address, count) }

  public func signalInformation() -> [UInt8]? {
    guard let event = try? reader.event(position.event), event.head.kind == .signal else { return nil }
    for case .signalInfo(let payload) in event.effects { return payload.bytes }
    return nil
  }

  /// Registers of all threads and all writable memory, as one number.
  public func checksum() throws(GuestError) -> UInt64 {
    var h = try process.guest.registerChecksum(session.codec)
    for t in threads where t.tid != currentThread {
      let r = try registers(of: t.tid)
      h = (r.general + [r.rip, r.rflags & 0xCD5, r.fsBase, r.gsBase]).withUnsafeBytes { xxHash64($0, seed: h) }
      h = r.extended.withUnsafeBytes { xxHash64($0, seed: h) }
    }
    return try process.guest.memoryChecksum(seed: h)
  }
}
