// A machine to be debugged: every byte is an instruction that adds 1 to rip and rax, the one at 0x1008 also writes rax to
// 0x1100, the one at 0x1020 is a system call (39), the one at 0x1030 returns to the address on the stack. Its history begins
// at 0x1000 and ends where rip leaves 0x1000..<0x1040. It has nearly every capability.
import RSP

final class Toy: Target {
  struct State {
    var registers: [[UInt8]?]
    var memory: [UInt8]
  }

  let targetDescription: TargetDescription
  let main = ThreadID(process: 10, thread: 10)
  let other = ThreadID(process: 10, thread: 11)
  var state: State
  var history: [State] = []
  var points: [Breakpoint] = []
  var caught: Set<Int>?
  var passed: Set<Int> = []
  var events: ProcessEvents = []
  var reportsThreads = false
  var actions: [ResumeAction] = []
  var isGone = false
  var isFrozen = false
  var nextStop: StopReply?

  static let base: UInt64 = 0x1000
  static let end: UInt64 = 0x1040

  init(_ features: X86Features = [.avx, .avx512, .pkeys]) {
    targetDescription = .x86_64(features)
    var values = targetDescription.registers.enumerated().map { index, register -> [UInt8]? in
      [UInt8](repeating: 0, count: register.byteCount)
    }
    values[targetDescription.index(of: "mxcsr") ?? 0] = nil
    state = State(registers: values, memory: [UInt8](repeating: 0x90, count: 0x2000))
    set("rip", Self.base)
    set("rsp", 0x2000)
    set("rax", 0)
  }

  func get(_ name: String) -> UInt64 {
    let bytes = targetDescription.index(of: name).flatMap { state.registers[$0] } ?? []
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  func set(_ name: String, _ value: UInt64) {
    guard let index = targetDescription.index(of: name) else { return }
    state.registers[index] = (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
  }

  var threads: any ThreadAccess { self }
  var registers: (any RegisterAccess)? { self }
  var memory: (any MemoryAccess)? { self }
  var resumption: (any ResumeAccess)? { self }
  var reverse: (any ReverseAccess)? { self }
  var breakpoints: (any BreakpointAccess)? { self }
  var systemCallCatching: (any SystemCallCatching)? { self }
  var signalPassing: (any SignalPassing)? { self }
  var threadEvents: (any ThreadEventReporting)? { self }
  var processEvents: (any ProcessEventReporting)? { self }
  var auxiliaryVector: (any AuxiliaryVectorAccess)? { self }
  var signalInfo: (any SignalInfoAccess)? { self }
  var libraries: (any LibraryAccess)? { nil }
  var systemInformation: (any SystemInformationAccess)? { self }
  var files: (any FileAccess)? { self }
  var monitor: (any MonitorAccess)? { self }
  var restarting: (any RestartAccess)? { self }

  var lastStop: StopReply { isGone ? .exited(process: 10, status: 0) : .stopped(main, signal: 5, nil) }
  func kill(process: Int?) { isGone = true }
  func detach(process: Int?) { isGone = true }
}

extension Toy: ThreadAccess {
  var allThreads: [ThreadID] { isGone ? [] : [main, other] }
  var currentThread: ThreadID? { isGone ? nil : main }
  func name(of thread: ThreadID) -> String? { thread == main ? "toy" : "<&\">" }
  func details(of thread: ThreadID) -> String? { thread == main ? "tick \(get("rax"))" : nil }
}

extension Toy: RegisterAccess {
  func registerValues(of thread: ThreadID) throws(TargetError) -> [[UInt8]?] { state.registers }
  func setRegisterValue(_ index: Int, of thread: ThreadID, to value: [UInt8]) throws(TargetError) {
    precondition(value.count == targetDescription.registers[index].byteCount)
    if isFrozen { throw TargetError(code: 30, "A replay cannot be changed") }
    state.registers[index] = value
  }
}

extension Toy: MemoryAccess {
  func readMemory(at address: UInt64, count: Int, of process: Int) throws(TargetError) -> [UInt8] {
    guard address >= Self.base, address - Self.base < UInt64(state.memory.count) else { throw .badAddress }
    return Array(state.memory[Int(address - Self.base)...].prefix(count))
  }

  func writeMemory(at address: UInt64, _ bytes: [UInt8], of process: Int) throws(TargetError) {
    let room = UInt64(state.memory.count)
    guard address >= Self.base, address - Self.base < room, UInt64(bytes.count) <= room - (address - Self.base) else {
      throw .badAddress
    }
    state.memory.replaceSubrange(Int(address - Self.base)..<Int(address - Self.base) + bytes.count, with: bytes)
  }
}

extension Toy: AgentEnvironment {
  func register(_ index: Int) -> UInt64? {
    guard state.registers.indices.contains(index), let bytes = state.registers[index] else { return nil }
    return bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  func memory(at address: UInt64, count: Int) -> [UInt8]? {
    guard let bytes = try? readMemory(at: address, count: count, of: 10), bytes.count == count else { return nil }
    return bytes
  }
}

extension Toy: ResumeAccess, ReverseAccess {
  func resume(_ actions: [ResumeAction], interrupted: () -> Bool) throws(TargetError) -> StopReply {
    self.actions = actions
    if let nextStop { return nextStop }
    let step = actions.action(for: main)?.step ?? .run
    while true {
      if interrupted() { return .stopped(main, signal: 2, nil) }
      let rip = get("rip")
      if rip < Self.base || rip >= Self.end { return .stopped(main, signal: 5, .historyEnd) }
      history.append(state)
      let reason = forward(rip)
      if let reason { return .stopped(main, signal: 5, reason) }
      switch step {
      case .instruction: return .stopped(main, signal: 5, nil)
      case .range(let start, let end) where get("rip") < start || get("rip") >= end:
        return .stopped(main, signal: 5, nil)
      default: break
      }
      if let point = points.first(where: { !$0.kind.isWatchpoint && $0.address == get("rip") }), point.holds(in: self) {
        return .stopped(main, signal: 5, point.kind == .software ? .softwareBreakpoint : .hardwareBreakpoint)
      }
    }
  }

  /// One instruction; what it was if that is worth a stop.
  private func forward(_ rip: UInt64) -> StopReason? {
    set("rip", rip &+ 1)
    set("rax", get("rax") &+ 1)
    switch rip {
    case 0x1008:
      state.memory[0x100] = UInt8(truncatingIfNeeded: get("rax"))
      return points.first { $0.kind.isWatchpoint && $0.address == 0x1100 }.map { .watchpoint($0.kind, address: 0x1100) }
    case 0x1020: return caught.map { $0.isEmpty || $0.contains(39) } == true ? .systemCallEntry(39) : nil
    case 0x1030:
      let target = memory(at: get("rsp"), count: 8) ?? []
      set("rip", target.reversed().reduce(0) { $0 << 8 | UInt64($1) })
      set("rsp", get("rsp") &+ 8)
    default: break
    }
    return nil
  }

  func reverse(_ step: ResumeStep, thread: ThreadID, interrupted: () -> Bool) throws(TargetError) -> StopReply {
    while let last = history.popLast() {
      if interrupted() { return .stopped(main, signal: 2, nil) }
      state = last
      if step == .instruction { return .stopped(main, signal: 5, nil) }
      if let point = points.first(where: { $0.kind == .software && $0.address == get("rip") }), point.holds(in: self) {
        return .stopped(main, signal: 5, .softwareBreakpoint)
      }
    }
    return .stopped(main, signal: 5, .historyBegin)
  }
}

extension Toy: BreakpointAccess {
  var breakpointKinds: Set<BreakpointKind> { [.software, .hardware, .write] }
  func insertBreakpoint(_ breakpoint: Breakpoint, process: Int) throws(TargetError) {
    points.removeAll { $0.isSamePlace(as: breakpoint) }
    if points.count < 100 { points.append(breakpoint) }
  }
  func removeBreakpoint(_ breakpoint: Breakpoint, process: Int) throws(TargetError) {
    points.removeAll { $0.isSamePlace(as: breakpoint) }
  }
}

extension Toy: SystemCallCatching, SignalPassing, ThreadEventReporting, ProcessEventReporting {
  func catchSystemCalls(_ numbers: Set<Int>?, process: Int) throws(TargetError) { caught = numbers }
  func passSignals(_ signals: Set<Int>) { passed = signals }
  func reportThreadEvents(_ on: Bool) { reportsThreads = on }
  var possibleProcessEvents: ProcessEvents { [.fork, .exec] }
  func reportProcessEvents(_ events: ProcessEvents) { self.events = events }
}

extension Toy: AuxiliaryVectorAccess, SignalInfoAccess, SystemInformationAccess {
  func auxiliaryVector(of process: Int) throws(TargetError) -> [UInt8] {
    [6, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 16)
  }
  func signalInfo(of thread: ThreadID) throws(TargetError) -> [UInt8] {
    guard thread == main else { throw TargetError(code: 61, "No signal") }
    return [11] + [UInt8](repeating: 0, count: 127)
  }
  func systemInformationXML(_ kind: String) -> String? { kind == "" ? "<osdata type=\"types\"></osdata>" : nil }
}

extension Toy: FileAccess {
  final class File: TargetFile {
    let content = Array("# a file with $, } and *\n".utf8)
    var size: UInt64 { UInt64(content.count) }
    func read(at offset: UInt64, count: Int) throws(TargetError) -> [UInt8] {
      offset < size ? Array(content[Int(offset)...].prefix(count)) : []
    }
  }
  func openFile(_ path: String, process: Int?) throws(TargetError) -> any TargetFile {
    guard path == "/toy" else { throw TargetError(code: 2, "No such file") }
    return File()
  }
  func readLink(_ path: String, process: Int?) throws(TargetError) -> String { "to \(path)" }
}

extension Toy: MonitorAccess, RestartAccess {
  func monitor(_ command: String, thread: ThreadID?, print: (String) -> Void) throws(TargetError) {
    guard command == "hello" else { throw TargetError(code: 22, "No such command #1") }
    print("hello\n")
    print("from the toy\n")
  }
  func restart() throws(TargetError) -> StopReply {
    isGone = false
    if let first = history.first { state = first }
    history = []
    return lastStop
  }
}

/// Keeps what is sent besides replies.
final class TestLine: SessionLine {
  var isInterrupted = false
  var sent: [String] = []
  func send(_ payload: [UInt8]) { sent.append(String(decoding: payload, as: UTF8.self)) }
}

/// A session with a toy; `ask` gives the reply, nil when there is none.
struct ToySession {
  let toy: Toy
  let line = TestLine()
  let session: Session

  init(_ features: X86Features = [.avx, .avx512, .pkeys], client: String? = standardClient) {
    toy = Toy(features)
    session = Session(target: toy, line: line)
    if let client { _ = ask("qSupported:\(client)") }
  }

  static let standardClient =
    "multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vfork-events+;exec-events+;vContSupported+;"
    + "QThreadEvents+;no-resumed+;memory-tagging+;xmlRegisters=i386"

  func ask(_ packet: String) -> String? { ask(bytes: Array(packet.utf8)) }
  func ask(bytes: [UInt8]) -> String? { session.handle(bytes).map { String(decoding: $0, as: UTF8.self) } }
}
