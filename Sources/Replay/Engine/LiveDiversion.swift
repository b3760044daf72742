import BisRuntime
import CABI
import Guest
import Linux
import Translate

/// A copy of the replayed process that runs for real: its system calls reach the kernel as far as the policy lets them
/// (LiveCalls.swift). Only the thread that has the turn runs; the others are not there.
final class LiveDiversion: Diversion {
  let engine: TranslateEngine
  let process: ReplayedProcess
  let policy: DiversionPolicy
  private let focus: Focus
  private var isOver = false
  /// Descriptors that the diversion opened itself.
  var opened: Set<Int32> = []
  /// The call under way is to be tried again: it waits for something that nobody will do.
  var isWaiting = false

  var control: Control { process.control }
  var tid: ThreadID { process.guest.tid }

  init(_ engine: TranslateEngine, _ policy: DiversionPolicy) throws(GuestError) {
    self.engine = engine
    self.policy = policy
    process = try engine.copy(engine.process)
    focus = Focus(tape: engine.focus.tape)
    focus.process = process
    focus.isLive = true
    control.block.pointee.debug.flags = UInt64(BIS_DEBUG_LIVE.rawValue)
    control.setTicks(target: .max)
    engine.session.processes[tid] = process
  }

  deinit { end() }

  func end() {
    if isOver { return }
    isOver = true
    engine.session.endProcess(process)
    engine.session.rings.release(process.guest.slot)
    engine.armed.process = nil
  }

  // MARK: State

  var currentThread: Int32 { Int32(truncatingIfNeeded: control.block.pointee.tid) }

  func registers() throws(GuestError) -> RegisterFile {
    let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    return RegisterFile(
      general: (0..<16).map { control.gpr[$0] }, rip: control.rip, rflags: control.block.pointee.rflags,
      fsBase: r.fs_base, gsBase: control.block.pointee.gs_base, extended: try engine.session.codec.read(tid))
  }

  func setRegisters(_ registers: RegisterFile) throws(GuestError) {
    for i in 0..<16 { control.gpr[i] = registers.general[i] }
    control.rip = registers.rip
    control.block.pointee.rflags = registers.rflags & 0x40CD5 | 0x202
    control.block.pointee.gs_base = registers.gsBase
    try engine.session.codec.write(tid, registers.extended)
    try kernel("set FS") { () throws(Errno) in
      var r = try Ptrace.getRegisters(tid)
      r.fs_base = registers.fsBase
      try Ptrace.setRegisters(tid, r)
    }
    control.block.pointee.fs_base = registers.fsBase
  }

  func read(_ address: UInt64, _ count: Int) -> [UInt8] { process.guest.readable(address, count) }

  func write(_ address: UInt64, _ bytes: [UInt8]) throws(GuestError) {
    let end = address &+ UInt64(bytes.count)
    guard end <= UInt64(BIS_REGION_BASE) || address >= UInt64(BIS_REGION_END), end >= address else {
      throw .unsupported("there is no memory of the program at 0x" + String(address, radix: 16))
    }
    try process.guest.write(address, bytes)
    // Code may have been written: translations of memory of the process's own are made afresh.
    let touched = process.guest.hasOwnCode(low: address, high: end)
    if touched { try process.guest.renewCode() }
  }

  // MARK: Running

  func run(breakpoints: [Breakpoint], interrupted: () -> Bool) throws(GuestError) -> Stop {
    var stops = StopSet()
    stops.breakpoints = breakpoints
    return try live(stops) { () throws(GuestError) in
      let start = control.rip
      var isFirst = true
      while true {
        if isFirst { try process.guest.restart() }
        control.block.pointee.debug.ticks = control.ticks + (1 << 20)
        control.block.pointee.debug.flags = UInt64(BIS_DEBUG_LIVE.rawValue | BIS_DEBUG_TICKS.rawValue)
        control.setTicks(target: .max)
        try engine.session.goOn(focus, process)
        let stop = focus.stop!
        switch stop {
        case .limit: break
        case .breakpoint(let at):
          if isFirst, at == start { break }
          return stop
        case .systemCallEntry(let number):
          if let stop = try call(number) { return stop }
        case .signal where breakpoints.contains(where: { $0.address == control.rip }):
          return .breakpoint(control.rip)  // a breakpoint where no code is, as debuggers put on the stack for calls
        default: return stop
        }
        isFirst = false
        if interrupted() { return .interrupted }
      }
    }
  }

  func step() throws(GuestError) -> Stop {
    try live(StopSet()) { () throws(GuestError) in
      try process.guest.restart()
      let before = process.position
      control.block.pointee.debug.flags = UInt64(BIS_DEBUG_LIVE.rawValue)
      while true {
        let stop = try engine.stepOnce(from: before)
        guard case .systemCallEntry(let number) = stop else { return stop }
        if let stop = try call(number) { return stop }
        control.block.pointee.debug.flags |= UInt64(BIS_DEBUG_STEP.rawValue)
        try engine.session.goOn(focus, process)
        return focus.stop!
      }
    }
  }

  /// Puts the diversion's process in the engine's place for as long as it runs.
  private func live(_ stops: StopSet, _ body: () throws(GuestError) -> Stop) throws(GuestError) -> Stop {
    guard !isOver else { throw .gone }
    let session = engine.session
    let saved = engine.enterDiversion(focus)
    defer { engine.leaveDiversion(saved) }
    try engine.arm(stops)
    focus.pending = .none
    session.echo.isDirect = true
    return try body()
  }
}
