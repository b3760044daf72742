import CABI
import CPUModel
import Glibc
import Guest
import Linux
import Tape
import Trace

/// Writes to standard error, whole or not at all.
func printError(_ text: String) {
  var text = text
  text.withUTF8 { _ = Glibc.write(2, $0.baseAddress, $0.count) }
}

/// How a recording and each of its processes begin.
extension RecordSession {
  static func checkExecutable(_ path: String) throws(RecordError) {
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try Descriptor.open(path, flags: O_RDONLY | O_NONBLOCK).pread(count: 64, offset: 0)
    } catch {
      if error == .accessDenied { return }  // execute-only: exec will tell
      throw RecordError("cannot read \(path): \(error)")
    }
    guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]), bytes.count > 18 else { return }
    if bytes[4] == 1 {
      throw RecordError("\(path) is a 32-bit program", hint: "bis records 64-bit x86-64 programs only")
    }
    if bytes[18] != 62 { throw RecordError("\(path) is for another machine than x86-64") }
  }

  static func profile(_ spec: String) throws(RecordError) -> CPUProfile {
    do throws(CPUSpec.Failure) { return try CPUSpec(spec).profile(host: Region.hostProfile()) } catch {
      throw RecordError("CPU \(spec): \(error)", hint: "bis cpu list shows what can be asked for")
    }
  }

  static func describe(_ options: RecordOptions, _ profile: CPUProfile, _ begin: TimePoint) -> Manifest.Recording {
    var r = Manifest.Recording()
    r.bisVersion = bisVersion
    var name = utsname()
    uname(&name)
    r.kernel = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    // (The TSC's frequency is measured over the recording: the manifest's clock lines.)
    r.startNanoseconds = Int64(begin.realtimeNanoseconds)
    r.startTSC = begin.tsc
    r.arguments = options.program
    var buffer = [CChar](repeating: 0, count: 4096)
    if getcwd(&buffer, buffer.count) != nil {
      r.workingDirectory = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    r.cpuProfile = profile.encode()
    r.options = ["checksum": String(options.checksumEvery), "aslr": options.keepASLR ? "1" : "0", "cpu": options.cpu]
    if let seed = options.chaosSeed { r.options["chaos"] = String(seed) }
    return r
  }

  /// Starts the program; it stands before its first instruction, with the region in it.
  func start(_ path: String) throws(RecordError) {
    var environment: [String] = []
    var at = environ
    while let entry = at.pointee {
      environment.append(String(cString: entry))
      at += 1
    }
    for (name, value) in options.environment {
      environment.removeAll { $0.hasPrefix(name + "=") }
      environment.append("\(name)=\(value)")
    }
    let inherited = Inherited.capture()
    let tid: ThreadID
    do throws(SpawnError) {
      let stopped = try spawnTraced(
        path: path, arguments: options.program, environment: environment, disableASLR: !options.keepASLR,
        inherited: inherited)
      tid = stopped.tid
    } catch {
      throw RecordError("cannot start \(options.program[0]): \(error)")
    }
    root = tid
    warnOfPrivileges(path, name: path)
    do throws(GuestError) {
      JobControl.begin()
      relay = SignalRelay(program: tid.rawValue)
      try kernel("start a thread") { () throws(Errno) in try relay?.begin() }
      let slot = try kernel("make a ring (is the disk full?)") { () throws(Errno) in try rings.allocate() }
      let block = slot.control.block
      slot.control.standardStreams[1] = 1
      slot.control.standardStreams[2] = 2
      block.pointee.signal_mask = inherited.blockedSignals
      for signal in 1...64 where inherited.ignoredSignals >> UInt64(signal - 1) & 1 != 0 {
        slot.control.actions[signal].handler = 1
      }
      try begin(prepare(tid, slot, parent: nil, parentEvent: nil))
    } catch {
      Stopped(assuming: tid).kill()
      throw RecordError(error)
    }
  }

  /// A program that exec has just built gets a tape. If it is killed meanwhile there is none.
  ///
  /// - Parameter slot: its control block already holds what survives exec (signal state, standard streams).
  func prepare(
    _ tid: ThreadID, _ slot: Slot, parent: UInt64?, parentEvent: UInt64?, before: ProgramState? = nil
  ) throws(GuestError) -> RecordedProcess {
    let started = try injector.inject(into: tid, slot: slot)
    let guest = GuestProcess(code: code, slot: slot, tid: tid, pid: tid.rawValue)
    let p = try makeProcess(guest, programOf: nil, arguments: started.arguments)
    do throws(GuestError) {
      try setUp(p, started, before)
      try announce(p, origin: .exec, parent: parent, parentEvent: parentEvent)
    } catch {
      unlink(trace.tapePath(p.sink.number))
      nextTape = p.sink.number
      throw error
    }
    return p
  }

  /// The first state of a program, as the first event of its tape.
  private func setUp(_ p: RecordedProcess, _ started: ProgramStart, _ before: ProgramState?) throws(GuestError) {
    let control = p.control
    let block = control.block
    for i in 0..<16 { control.gpr[i] = 0 }
    control.gpr[4] = started.rsp
    block.pointee.rip = started.rip
    block.pointee.rflags = started.rflags
    block.pointee.xcr0 = region.profile.xcr0
    initialise(p)
    try takeOver(p, before)
    let effects = try startEffects(p, started)
    try p.guest.publishRanges()
    try append(p, EventHead(.start, number: UInt32(BIS_START_EXEC.rawValue), rip: started.rip), effects)
  }

  /// A program that exec has just built, and that has a tape, goes on.
  func begin(_ p: RecordedProcess) throws(GuestError) {
    processes[p.guest.tid] = p
    updateTracing(p)
    if try !tracedExec(p, p.guest.tid) { resume(p.guest.tid) }
  }

  /// What a control block needs whatever the process's origin.
  func initialise(_ p: RecordedProcess) {
    let control = p.control
    let block = control.block
    block.pointee.self_address = UInt64(BIS_WINDOW_BASE)
    block.pointee.stack_top = UInt64(BIS_STACK_TOP) - 64
    block.pointee.mode = UInt32(BIS_MODE_RECORD.rawValue)
    block.pointee.stamp_address = UInt64(BIS_SHARED_BASE)
    block.pointee.checksum_every = UInt64(options.checksumEvery)
    block.pointee.checksum_next = UInt64(options.checksumEvery)
    block.pointee.pending_signals = 0
    block.pointee.resume_host = 0
    block.pointee.reason = 0
    block.pointee.in_syscall = 0
    block.pointee.pinned = 0
    block.pointee.seccomp = 0
    block.pointee.plain_changes = 0
    block.pointee.traced = 0
    block.pointee.debug = bis_debug()
    p.publishViews()
    block.pointee.tick_done = 0
    for i in 0..<Int(BIS_TICK_WORDS) {
      control.tick[i] = 0
      control.tickStart[i] = 0
    }
    control.setTicks(target: .max)
    for i in 0..<16 { control.stats[i] = 0 }
    control.resetThreads(tid: UInt64(p.guest.tid.rawValue))
    if let seed = options.chaosSeed {
      block.pointee.turn.chaos = RecordSession.chaosState(seed: seed, tape: p.sink.number)
    }
    block.pointee.pid = UInt64(p.guest.pid)
    block.pointee.own_slot_offset = p.guest.slot.offset
  }

  /// A process with a new tape. A fork child runs its parent's program.
  func makeProcess(
    _ guest: GuestProcess, programOf forked: RecordedProcess?, arguments: [String]
  ) throws(GuestError) -> RecordedProcess {
    let number = nextTape
    let sink = try tape { () throws(TraceError) in
      try TapeSink(number: number, slot: guest.slot, rings: rings, trace: trace, maker: chunkMaker)
    }
    nextTape += 1
    let p = RecordedProcess(guest: guest, sink: sink)
    p.executable = forked?.executable ?? readLink("/proc/\(guest.pid)/exe") ?? "?"
    p.arguments = arguments
    return p
  }

  /// Notes a process's tape in the manifest.
  func announce(
    _ p: RecordedProcess, origin: Manifest.TapeInfo.Origin, parent: UInt64?, parentEvent: UInt64?
  ) throws(GuestError) {
    p.writesMemoryFiles = processes.values.contains { $0.sink.number == parent && $0.writesMemoryFiles }
    try tape { () throws(TraceError) in
      try manifest.add(
        Manifest.TapeInfo(
          number: p.sink.number, pid: p.guest.pid, origin: origin, parent: parent, parentEvent: parentEvent,
          executable: p.executable, arguments: p.arguments))
    }
  }

  /// Everything that makes the first state: mappings, memory the kernel wrote, registers.
  private func startEffects(_ p: RecordedProcess, _ started: ProgramStart) throws(GuestError) -> [Effect] {
    var effects: [Effect] = []
    var numbers: [String: UInt64] = [:]
    for m in started.maps {
      let protection = (m.read ? 1 : 0) | (m.write ? 2 : 0) | (m.execute ? 4 : 0)
      var file: UInt64?
      if m.isFile {
        file = numbers[m.path]
        if file == nil { file = try store(path: m.path, inode: m.inode, tid: p.guest.tid) }
        numbers[m.path] = file
      }
      let stack = m.path == "[stack]"
      effects.append(
        .map(
          Tape.Mapping(
            address: m.start, length: m.byteCount, protection: UInt32(protection),
            flags: UInt32(m.shared ? 1 : 2) | (stack ? 0x100 : 0), file: file, offset: m.offset)))
      if m.execute { try addCode(p, m.start, m.end, protection, file, m.offset) }
      if m.write, m.isFile {  // the kernel clears the rest of the last page (bss)
        let page = m.end - 4096
        effects += memoryEffects(page, try p.guest.read(page, 4096))
      }
      if stack { effects += memoryEffects(started.rsp, started.stack) }
    }
    if let limit = Machine.stackLimit(of: p.guest.tid) { effects.append(.limit(resource: 3, soft: limit)) }
    p.control.block.pointee.brk_start = started.brk
    p.control.block.pointee.brk_current = started.brk
    effects.append(
      .registers(
        RegisterValues(
          general: (0..<16).map { p.control.gpr[$0] }, rip: started.rip, rflags: started.rflags, fsBase: 0, gsBase: 0)))
    effects.append(.extendedState(Payload(try codec.read(p.guest.tid))))
    return effects
  }

  /// Adds executable memory to a process.
  func addCode(
    _ p: RecordedProcess, _ low: UInt64, _ high: UInt64, _ protection: Int, _ file: UInt64?, _ offset: UInt64
  ) throws(GuestError) {
    if let file, protection & 2 == 0 {
      let range = try code.fileRange(low: low, high: high, file: Int(file), offset: offset) {
        storedPath(file)
      }
      p.guest.add(range)
    } else {
      try p.guest.addPrivate(low: low, high: high)
      if protection & 2 != 0 { p.guest.writableCode.append((low, high, Int32(protection))) }
    }
  }

  func storedPath(_ file: UInt64) -> String { files.path(ofFile: file) ?? "" }

  /// Copies a mapped file into the trace (once) and returns its number.
  func store(path: String, inode: UInt64, tid: ThreadID) throws(GuestError) -> UInt64 {
    let number = try tape { () throws(TraceError) -> UInt64? in
      if let number = try files.store(path: path, inode: inode) { return number }
      return try files.store(path: "/proc/\(tid)/exe", inode: inode)
    }
    guard let number else {
      throw .unsupported("\(path) is mapped, but not to be found there: it cannot be copied into the trace")
    }
    return number
  }

  func readLink(_ path: String) -> String? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let n = buffer.withUnsafeMutableBytes { readlink(path, $0.baseAddress!, $0.count) }
    return n > 0 ? String(decoding: buffer[0..<n], as: UTF8.self) : nil
  }

  func removeRings() { unlink(trace.ringsPath) }
}
