import CABI
import CPUModel
import Guest
import Linux
import Syscalls
import Tape

/// ptrace(2) as a process of the recording calls it for another one.
extension RecordSession {
  /// What a request leaves in its caller.
  struct TraceAnswer {
    var result: Int64 = 0
    var effects: [Effect] = []
    static func error(_ number: Int64) -> TraceAnswer { TraceAnswer(result: -number) }
  }

  func ptraceCall(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    let answer: TraceAnswer
    do throws(GuestError) { answer = try serve(p, Request(call.arguments)) } catch {
      if case .gone = error {
        return try finish(p, call, -3)
      }
      throw error
    }
    try finish(p, call, answer.result, answer.effects)
  }

  struct Request {
    let number: Int64
    let tid: ThreadID
    let address: UInt64
    let data: UInt64
    init(_ a: [UInt64]) {
      number = Int64(bitPattern: a[0])
      tid = ThreadID(Int32(truncatingIfNeeded: a[1]))
      address = a[2]
      data = a[3]
    }
  }

  private func serve(_ p: RecordedProcess, _ r: Request) throws(GuestError) -> TraceAnswer {
    switch r.number {
    case 0: return TraceAnswer(result: traceMe(p))
    case 16: return TraceAnswer(result: traceOther(p, r.tid, isSeized: false, options: 0))
    case 0x4206:
      guard r.address == 0 else { return .error(5) }
      return TraceAnswer(result: traceOther(p, r.tid, isSeized: true, options: r.data))
    default: break
    }
    guard let t = ptrace.tracees[r.tid], t.tracer == p.guest.pid, let q = processes[r.tid] else { return .error(3) }
    if r.number == 8 {
      try? Ptrace.kill(process: r.tid)
      return TraceAnswer()
    }
    if r.number == 0x4207 { return interrupt(t) }
    guard let stop = t.stop else { return .error(3) }
    if let answer = try resuming(t, stop, r) { return answer }
    if let answer = try memory(p, q, t, r) { return answer }
    if let answer = try state(p, q, t, stop, r) { return answer }
    warn("ptrace request \(r.number) is not supported in this version: it fails with EIO")
    return .error(5)
  }

  private func interrupt(_ t: Tracee) -> TraceAnswer {
    guard t.isSeized else { return .error(5) }
    if t.stop != nil, !t.isListening { return TraceAnswer() }
    t.wantsInterrupt = true
    try? Ptrace.interrupt(t.tid)
    return TraceAnswer()
  }

  // MARK: Going on

  private func resuming(_ t: Tracee, _ stop: VirtualStop, _ r: Request) throws(GuestError) -> TraceAnswer? {
    let modes: [Int64: Tracee.Mode] = [7: .go, 9: .step, 24: .calls, 17: .go]
    if r.number == 0x4208 {  // LISTEN
      guard t.isSeized, case .group = stop.what else { return .error(5) }
      t.isListening = true
      t.stop?.isCollected = true
      try kernel("listen") { () throws(Errno) in try Ptrace.listen(t.tid) }
      return TraceAnswer()
    }
    guard let mode = modes[r.number] else { return nil }
    guard r.data <= 64 else { return .error(5) }
    if r.number == 17 { ptrace.tracees[t.tid] = nil }
    do throws(GuestError) { try goOn(t, mode, signal: Int32(r.data)) } catch {
      guard case .gone = error else { throw error }
    }
    if r.number == 17 {
      if let q = processes[t.tid] { updateTracing(q) }
      for p in processes.values where p.guest.pid == t.tracer { updateTracing(p) }
    }
    return TraceAnswer()
  }

  // MARK: Memory

  private func memory(
    _ p: RecordedProcess, _ q: RecordedProcess, _ t: Tracee, _ r: Request
  ) throws(GuestError) -> TraceAnswer? {
    switch r.number {
    case 1, 2:
      guard let bytes = programBytes(q, t.tid, r.address, 8) else { return .error(5) }
      return try give(p, r.data, bytes)
    case 4, 5:
      let bytes = withUnsafeBytes(of: r.data) { Array($0) }
      return TraceAnswer(result: try pokeChecked(q, t, r.address, bytes) ? 0 : -5)
    case 3:
      guard let stop = t.stop else { return .error(3) }
      guard r.address & 7 == 0, r.address < 912 else { return .error(5) }
      let all = bytes(of: stop.registers)
      let at = Int(r.address)
      if at < all.count { return try give(p, r.data, Array(all[at..<at + 8])) }
      let word = r.address < Ptrace.debugRegisterOffset ? 0 : debugRegister(t, offset: r.address)
      return try give(p, r.data, withUnsafeBytes(of: word) { Array($0) })
    case 6:
      guard r.address & 7 == 0, r.address < 912 else { return .error(5) }
      if r.address >= Ptrace.debugRegisterOffset {
        return TraceAnswer(result: setDebugRegister(t, offset: r.address, r.data))
      }
      return set(t, withUnsafeBytes(of: r.data) { Array($0) }, at: Int(r.address))
    default: return nil
    }
  }

  // MARK: Registers and the rest

  private func state(
    _ p: RecordedProcess, _ q: RecordedProcess, _ t: Tracee, _ stop: VirtualStop, _ r: Request
  ) throws(GuestError) -> TraceAnswer? {
    switch r.number {
    case 12: return try give(p, r.data, bytes(of: stop.registers))
    case 13:
      guard let b = try? readBytes(p.guest.tid, r.data, count: MemoryLayout<Registers>.size) else { return .error(14) }
      return set(t, b, at: 0)
    case 14: return try give(p, r.data, Array(try extendedState(t).prefix(512)))
    case 15:
      guard let b = try? readBytes(p.guest.tid, r.data, count: 512) else { return .error(14) }
      return try setExtended(t, b)
    case 0x4200:
      guard r.data & ~Tracee.knownOptions == 0 else { return TraceAnswer(result: unknownOptions(r.data)) }
      t.options = r.data
      return TraceAnswer()
    case 0x4201: return try give(p, r.data, withUnsafeBytes(of: t.message) { Array($0) })
    case 0x4202:
      if case .group = stop.what { return .error(22) }
      return try give(p, r.data, stop.information.withBytes { Array($0) })
    case 0x4203:
      guard let b = try? readBytes(p.guest.tid, r.data, count: 128) else { return .error(14) }
      t.stop?.information = b.withUnsafeBytes { SignalInfo(bytes: $0) }
      return TraceAnswer()
    case 0x4204, 0x4205: return try registerSet(p, t, stop, r)
    case 0x420A:
      guard r.address == 8 else { return .error(22) }
      let index = q.control.threadIndex(UInt64(t.tid.rawValue))
      let isCurrent = q.control.block.pointee.tid == UInt64(t.tid.rawValue)
      let mask = isCurrent ? q.control.block.pointee.signal_mask : index.map { q.control.threads[$0].signal_mask } ?? 0
      return try give(p, r.data, withUnsafeBytes(of: mask) { Array($0) })
    case 0x420E: return try callInformation(p, t, stop, r)
    default: return nil
    }
  }

  private func set(_ t: Tracee, _ bytes: [UInt8], at offset: Int) -> TraceAnswer {
    guard let stop = t.stop, let new = registers(stop.registers, replacing: bytes, at: offset) else { return .error(5) }
    guard stop.canChange || new == stop.registers else {
      warn("registers of a traced thread cannot be set where it stands (not in an exact state): it fails with EIO")
      return .error(5)
    }
    t.stop?.registers = new
    return TraceAnswer()
  }

  private func setExtended(_ t: Tracee, _ bytes: [UInt8]) throws(GuestError) -> TraceAnswer {
    guard let stop = t.stop else { return .error(3) }
    switch stop.place {
    case .kernel, .exit, .call: return .error(5)
    default: break
    }
    try setExtendedState(t, bytes)
    return TraceAnswer()
  }

  /// PTRACE_GETREGSET, PTRACE_SETREGSET: NT_PRSTATUS, NT_PRFPREG, NT_X86_XSTATE.
  private func registerSet(
    _ p: RecordedProcess, _ t: Tracee, _ stop: VirtualStop, _ r: Request
  ) throws(GuestError) -> TraceAnswer {
    guard let vector = try? readBytes(p.guest.tid, r.data, count: 16) else { return .error(14) }
    let (base, room) = vector.withUnsafeBytes {
      ($0.load(as: UInt64.self), $0.load(fromByteOffset: 8, as: UInt64.self))
    }
    let whole: [UInt8]
    switch r.address {
    case 1: whole = bytes(of: stop.registers)
    case 2: whole = Array(try extendedState(t).prefix(512))
    case 0x202 where region.profile.hasXSAVE: whole = try extendedState(t)
    default: return .error(22)
    }
    let count = Int(min(room, UInt64(whole.count)))
    let length = withUnsafeBytes(of: UInt64(count)) { Array($0) }
    var answer = TraceAnswer()
    if r.number == 0x4204 {
      answer = try give(p, base, Array(whole.prefix(count)))
    } else {
      guard let b = try? readBytes(p.guest.tid, base, count: count) else { return .error(14) }
      answer = r.address == 1 ? set(t, b, at: 0) : try setExtended(t, b)
    }
    guard answer.result == 0 else { return answer }
    answer.effects += try give(p, r.data + 8, length).effects
    return answer
  }

  /// PTRACE_GET_SYSCALL_INFO: `struct ptrace_syscall_info`.
  private func callInformation(
    _ p: RecordedProcess, _ t: Tracee, _ stop: VirtualStop, _ r: Request
  ) throws(GuestError) -> TraceAnswer {
    let v = stop.registers
    var words: [UInt64] = [0xC000_003E << 32, v.rip, v.rsp]
    var size = 24
    switch stop.what {
    case .entry:
      words[0] |= 1
      words.append(v.orig_rax)
      words += (0..<6).map { v.argument($0) }
      size = 80
    case .exit:
      words[0] |= 2
      words += [v.rax, Int64(bitPattern: v.rax) < 0 && Int64(bitPattern: v.rax) >= -4095 ? 1 : 0]
      size = 33
    default: break
    }
    let bytes = Array(words.withUnsafeBytes { Array($0) }.prefix(min(size, Int(min(r.address, 128)))))
    var answer = bytes.isEmpty ? TraceAnswer() : try give(p, r.data, bytes)
    if answer.result == 0 { answer.result = Int64(size) }
    return answer
  }

  /// Writes to the caller's memory.
  private func give(_ p: RecordedProcess, _ address: UInt64, _ bytes: [UInt8]) throws(GuestError) -> TraceAnswer {
    do throws(GuestError) { try p.guest.write(address, bytes) } catch {
      if case .gone = error { throw error }
      return .error(14)
    }
    return TraceAnswer(effects: memoryEffects(address, bytes))
  }
}
