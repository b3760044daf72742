// An engine whose program is a list of moments made from a seed: what a timeline does can be compared with what the list
// says.

import Guest

@testable import Replay

/// SplitMix64.
struct Random: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// What leads from one moment to the next.
enum Transition: Equatable {
  case instruction
  case tick
  case systemCall(UInt32)
  case signal(Int32)
  case threadSwitch
}

struct Moment {
  var position: Position
  /// To the next moment.
  var transition: Transition
  /// The word that this transition writes, 0..<16, at `0x1000 + 8 * word`.
  var write: Int?
}

/// A recorded program.
struct FakeProgram {
  var moments: [Moment] = []
  /// Ticks at each event.
  var eventTicks: [UInt64] = []
  /// Index of a position.
  var indices: [Position: Int] = [:]

  init(seed: UInt64, count: Int) {
    var random = Random(state: seed)
    var position = Position(event: 1, ticks: 0, address: 0x40_0000)
    eventTicks = [0]  // the start
    for index in 0..<count {
      var transition = Transition.instruction
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<30: transition = .tick
      case 30..<33: transition = .systemCall(UInt32.random(in: 0..<4, using: &random))
      case 33: transition = .signal(10)
      case 34: transition = .threadSwitch
      default: break
      }
      // Long stretches without events, and some with nothing but them.
      if index / 1000 % 3 == 1, transition != .instruction { transition = .tick }
      if index / 500 % 7 == 5 { transition = .systemCall(1) }
      let isWrite = Int.random(in: 0..<12, using: &random) == 0
      let write = isWrite ? Int.random(in: 0..<16, using: &random) : nil
      moments.append(Moment(position: position, transition: transition, write: write))
      switch transition {
      case .instruction: position.address += UInt64.random(in: 1..<8, using: &random)
      case .tick:
        position.ticks += 1
        position.address = 0x40_0000 + 16 * UInt64.random(in: 0..<8, using: &random)
      case .systemCall:
        eventTicks.append(position.ticks)
        position.event += 1
        position.address += 2
      case .signal, .threadSwitch:
        eventTicks.append(position.ticks)
        position.event += 1
        position.address = 0x40_0000 + 16 * UInt64.random(in: 0..<8, using: &random)
      }
    }
    moments.append(Moment(position: position, transition: .instruction, write: nil))
    eventTicks.append(position.ticks)  // the end
    for (index, moment) in moments.enumerated() { indices[moment.position] = index }
  }

  var last: Int { moments.count - 1 }

  /// The watchpoint that the transition to a moment touches.
  func touched(at index: Int, _ stops: StopSet) -> Stop? {
    guard index > 0, let word = moments[index - 1].write else { return nil }
    let address = 0x1000 + 8 * UInt64(word)
    let watchpoint = stops.watchpoints.first { $0.address < address + 8 && address < $0.address + $0.length }
    return watchpoint.map { .watchpoint($0, address: address) }
  }

  /// What stops at a moment besides watchpoints.
  func others(at index: Int, _ stops: StopSet) -> [Stop] {
    var found: [Stop] = []
    let moment = moments[index]
    for breakpoint in stops.breakpoints where breakpoint.address == moment.position.address {
      // A condition is a number here: the breakpoint holds at every n-th moment.
      if breakpoint.conditions.isEmpty || breakpoint.conditions.contains(where: { index % Int($0[0]) == 0 }) {
        found.append(.breakpoint(breakpoint.address))
      }
    }
    if case .signal(let signal) = moment.transition, index < last, stops.signals >> UInt64(signal) & 1 != 0 {
      found.append(.signal(signal))
    }
    if let numbers = stops.systemCalls {
      if case .systemCall(let number) = moment.transition, index < last, numbers.isEmpty || numbers.contains(number) {
        found.append(.systemCallEntry(number))
      }
      if index > 0, case .systemCall(let number) = moments[index - 1].transition,
        numbers.isEmpty || numbers.contains(number)
      {
        found.append(.systemCallReturn(number))
      }
    }
    return found
  }

  func stop(at index: Int, _ stops: StopSet) -> Stop? { touched(at: index, stops) ?? others(at: index, stops).first }
}

final class FakeEngine: Engine {
  struct State: Equatable {
    var index = 0
    var memory = [UInt64](repeating: 0, count: 16)
  }

  let program: FakeProgram
  var state = State()
  var checkpoints: [CheckpointID: State] = [:]
  var nextCheckpoint = 0
  /// Moments replayed: a measure of time.
  var work = 0
  var restores = 0
  /// How the program ends.
  let end: Stop

  init(_ program: FakeProgram, end: Stop = .exited(0)) {
    self.program = program
    self.end = end
  }

  var position: Position { program.moments[state.index].position }
  var isAtEnd: Bool { state.index == program.last }
  var eventCount: UInt64 { UInt64(program.eventTicks.count) }
  func ticks(atEvent event: UInt64) -> UInt64? { event < eventCount ? program.eventTicks[Int(event)] : nil }

  var currentThread: Int32 { 100 }
  var threads: [EngineThread] { [EngineThread(tid: 100, name: "fake")] }
  func registers(of thread: Int32) throws(GuestError) -> RegisterFile { throw .gone }
  func read(_ address: UInt64, _ count: Int) -> [UInt8] { [] }
  func mappings() throws(GuestError) -> [EngineMapping] { [] }
  func signalInformation() -> [UInt8]? { nil }

  func run(
    to limit: RunLimit, stops: StopSet, collecting: Bool, interrupted: () -> Bool
  ) throws(GuestError) -> RunOutcome {
    var last: (Position, Stop)?
    if try isReached(limit) { return outcome(.limit, last) }
    while state.index < program.last {
      advance()
      let hit = program.stop(at: state.index, stops)
      if isAtEnd { break }
      if try isReached(limit) { return outcome(hit ?? .limit, last) }
      if let hit {
        guard collecting else { return outcome(hit, last) }
        last = (position, hit)
      }
      if work % 32 == 0, interrupted() { return outcome(.interrupted, last) }
    }
    if case .position(let target) = limit, target == position {
      return outcome(program.touched(at: state.index, stops) ?? end, last)
    }
    if case .position = limit { throw .replay("never there", "", nil) }
    return outcome(program.touched(at: state.index, stops) ?? end, last)
  }

  func step(stops: StopSet) throws(GuestError) -> Stop {
    guard !isAtEnd else { return end }
    advance()
    return program.stop(at: state.index, stops) ?? (isAtEnd ? end : .limit)
  }

  private func advance() {
    let moment = program.moments[state.index]
    if let word = moment.write {
      state.memory[word] = state.memory[word] &* 31 &+ UInt64(state.index) &+ 1
    }
    state.index += 1
    work += 1
  }

  private func isReached(_ limit: RunLimit) throws(GuestError) -> Bool {
    switch limit {
    case .end: return false
    case .ticks(let ticks): return position.ticks >= ticks
    case .event(let event): return position.event >= event
    case .position(let target):
      guard position <= target else { throw .replay("past \(target)", "", nil) }
      return position == target
    }
  }

  private func outcome(_ stop: Stop, _ last: (Position, Stop)?) -> RunOutcome {
    RunOutcome(stop: stop, last: last.map { (position: $0.0, stop: $0.1) })
  }

  func checkpoint() throws(GuestError) -> CheckpointID {
    let id = CheckpointID(number: nextCheckpoint)
    nextCheckpoint += 1
    checkpoints[id] = state
    return id
  }

  func restore(_ checkpoint: CheckpointID) throws(GuestError) {
    guard let saved = checkpoints[checkpoint] else { throw .gone }
    state = saved
    restores += 1
  }

  func discard(_ checkpoint: CheckpointID) {
    precondition(checkpoints.removeValue(forKey: checkpoint) != nil, "a checkpoint is discarded once")
  }

  /// A page for each word that is another one at the next checkpoint.
  func cost(of checkpoint: CheckpointID) -> Int {
    guard let saved = checkpoints[checkpoint] else { return 0 }
    let following = checkpoints.values.filter { $0.index > saved.index }.min { $0.index < $1.index }
    let next = following ?? (state.index > saved.index ? state : saved)
    return zip(saved.memory, next.memory).count { $0 != $1 } * 4096
  }

  func checksum() throws(GuestError) -> UInt64 {
    var sum = UInt64(state.index)
    for word in state.memory { sum = sum &* 0x100_0000_01B3 ^ word }
    return sum
  }

  func divert(_ policy: DiversionPolicy) throws(GuestError) -> any Diversion { throw .unsupported("a fake") }
}
