import Guest
import Testing
import Trace

@testable import Replay

/// A process that was three programs, on tapes 2, 5 and 6.
private final class Bench {
  let programs: [UInt64: FakeProgram]
  let history: ProcessHistory
  /// How often a replay of a tape was begun.
  private(set) var opened: [UInt64: Int] = [:]

  init(seed: UInt64, start: UInt64 = 2, births: [Birth] = []) throws {
    let tapes: [UInt64] = [2, 5, 6]
    let programs = Dictionary(
      uniqueKeysWithValues: tapes.map { ($0, FakeProgram(seed: seed &* 31 &+ $0, count: 1_000)) })
    self.programs = programs
    var count: (UInt64) -> Void = { _ in }
    let parts = tapes.map {
      Manifest.TapeInfo(number: $0, pid: 7, origin: .exec, executable: "/bin/p\($0)", arguments: [])
    }
    history = try ProcessHistory(parts, tape: start, memoryBudget: 60 * 4096) { (part) throws(GuestError) in
      count(part.number)
      let next = tapes.first { $0 > part.number }
      let engine = FakeEngine(programs[part.number]!, end: next.map { .exec(tape: $0) } ?? .exited(0))
      return (engine, part.number == 2 ? births : [])
    }
    opened[start] = 1
    count = { [unowned self] in opened[$0, default: 0] += 1 }
  }

  /// Moments of all programs, in order.
  var all: [HistoryPosition] {
    [2, 5, 6].flatMap { tape in programs[tape]!.moments.map { HistoryPosition(tape: tape, position: $0.position) } }
  }
}

@Suite struct HistoryTests {
  @Test(arguments: 1...6) func overExecBothWays(seed: Int) throws {
    let bench = try Bench(seed: UInt64(seed))
    var stops = StopSet()
    stops.signals = 1 << 10
    var seen: [HistoryPosition] = []
    var crossed = 0
    while true {
      let stop = try bench.history.continue(stops: stops) { false }
      if case .exited = stop { break }
      if case .exec(let tape) = stop {
        crossed += 1
        #expect(bench.history.part.number == tape)
        continue
      }
      seen.append(bench.history.position)
    }
    #expect(crossed == 2)
    var back: [HistoryPosition] = []
    while case .stop(let stop) = try bench.history.reverseContinue(stops: stops, interrupted: { false }) {
      if case .exec = stop { crossed -= 1 } else { back.append(bench.history.position) }
    }
    #expect(crossed == 0)
    // Where a program ends a run forwards stops for the end.
    let ends = bench.programs.map { HistoryPosition(tape: $0.key, position: $0.value.moments[$0.value.last].position) }
    #expect(back.reversed().filter { !ends.contains($0) } == seen)
    #expect(bench.opened.values.allSatisfy { $0 == 1 })
  }

  /// What stops at the call that leads to the next program counts when one comes back to it.
  @Test func stopsAtTheCall() throws {
    let bench = try Bench(seed: 3, start: 5)
    let program = try #require(bench.programs[2])
    let call = program.moments[program.last - 1].position
    var stops = StopSet()
    stops.breakpoints = [Breakpoint(address: call.address)]
    let crossing = try bench.history.reverseContinue(stops: StopSet()) { false }
    #expect(crossing == .stop(.exec(tape: 2)))
    #expect(bench.history.position == HistoryPosition(tape: 2, position: call))
    #expect(try bench.history.reverseContinue(stops: stops) { false } == .stop(.breakpoint(call.address)))
    #expect(bench.history.position.position == call)
  }

  @Test func backAndForward() throws {
    let bench = try Bench(seed: 3)
    var stops = StopSet()
    stops.signals = 1 << 10
    var seen = [bench.history.position]
    while bench.history.index < 2 || seen.count < 8 {
      let stop = try bench.history.continue(stops: stops) { false }
      if seen.last == bench.history.position { break }
      seen.append(bench.history.position)
      if case .exited = stop { break }
    }
    for position in seen.dropLast().reversed() {
      #expect(try bench.history.back() != nil)
      #expect(bench.history.position == position)
    }
    #expect(try bench.history.back() == nil)
    for position in seen.dropFirst() {
      #expect(try bench.history.forward() != nil)
      #expect(bench.history.position == position)
    }
    #expect(try bench.history.forward() == nil)
  }

  @Test func marksInSeveralPrograms() throws {
    let bench = try Bench(seed: 4)
    let places = [HistoryPlace("5:30%"), HistoryPlace("2:end"), HistoryPlace("6:start")].compactMap { $0 }
    var numbers: [Int] = []
    var positions: [HistoryPosition] = []
    for place in places {
      _ = try bench.history.seek(to: place) { false }
      #expect(bench.history.part.number == place.tape)
      numbers.append(try bench.history.mark("here"))
      positions.append(bench.history.position)
    }
    for (number, position) in zip(numbers, positions) {
      #expect(try bench.history.restart(mark: number) != nil)
      #expect(bench.history.position == position)
    }
    #expect(bench.history.deleteMark(numbers[0]))
    #expect(try bench.history.restart(mark: numbers[0]) == nil)
    #expect(throws: PlaceError.self) {
      _ = try bench.history.seek(to: HistoryPlace(tape: 3, .start)) { false }
    }
  }

  /// Births stop runs forwards and backwards at the same moments.
  @Test(arguments: 1...6) func births(seed: Int) throws {
    let program = FakeProgram(seed: UInt64(seed) &* 31 &+ 2, count: 1_000)
    let events = [3, 4, 7].map { UInt64($0) }.filter { $0 < program.eventTicks.count }
    let bench = try Bench(
      seed: UInt64(seed), births: events.map { Birth(event: $0, child: Int32($0), isVfork: $0 == 4) })
    var stops = StopSet()
    stops.forks = true
    let moments = events.map { event in program.moments.first { $0.position.event == event }!.position }
    for (event, moment) in zip(events, moments) {
      #expect(try bench.history.continue(stops: stops) { false } == (event == 4 ? .vfork(4) : .fork(Int32(event))))
      #expect(bench.history.position.position == moment)
    }
    _ = try bench.history.seek(to: HistoryPlace(.end)) { false }
    for (event, moment) in zip(events, moments).reversed() {
      let arrival = try bench.history.reverseContinue(stops: stops) { false }
      #expect(arrival == .stop(event == 4 ? .vfork(4) : .fork(Int32(event))))
      #expect(bench.history.position.position == moment)
    }
    #expect(try bench.history.reverseContinue(stops: stops) { false } == .historyBegin)
  }
}

@Suite struct HistoryPlaceTests {
  @Test(arguments: ["0:17", "3:17+5@0x401000", "12:50.0%", "2:start", "17+5", "end"])
  func roundTrip(text: String) { #expect(HistoryPlace(text)?.description == text) }

  @Test(arguments: [":", "1:", ":5", "x:5", "1:2:3", "-1:5", "1:101%"])
  func refused(text: String) { #expect(HistoryPlace(text) == nil) }
}
