import Guest
import Testing

@testable import Replay

/// A timeline over a fake program, small chunks, and the checksum of each moment.
private final class Bench {
  let program: FakeProgram
  let engine: FakeEngine
  let timeline: Timeline
  let sums: [UInt64]
  static let budget = 60 * 4096

  init(seed: UInt64, count: Int = 12_000, budget: Int = Bench.budget) throws {
    program = FakeProgram(seed: seed, count: count)
    let reference = FakeEngine(program)
    var sums = [try reference.checksum()]
    while !reference.isAtEnd {
      _ = try reference.step(stops: StopSet())
      sums.append(try reference.checksum())
    }
    self.sums = sums
    let engine = FakeEngine(program)
    self.engine = engine
    // One moment takes a millisecond: 250 of them are a chunk.
    timeline = try Timeline(engine, memoryBudget: budget, maximumCheckpoints: 40) { UInt64(engine.work) * 1_000_000 }
    timeline.pace = Pace(ticks: 60, events: 30)
  }

  /// The index of the position, after comparing what is there.
  func index() throws -> Int {
    let index = try #require(program.indices[timeline.position])
    #expect(index == engine.state.index)
    #expect(try engine.checksum() == sums[index])
    return index
  }

  /// Where a run forwards from `index` stops.
  func next(after index: Int, _ stops: StopSet) -> Int {
    guard index < program.last else { return index }
    return (index + 1...program.last).first { program.stop(at: $0, stops) != nil } ?? program.last
  }

  /// Where a run backwards stops, and for what; no stops: the beginning.
  func previous(before index: Int, _ stops: StopSet) -> (index: Int, stops: [Stop]) {
    for candidate in stride(from: index - 1, through: 0, by: -1) {
      var found = candidate > 0 ? program.others(at: candidate, stops) : []
      if let touched = program.touched(at: candidate + 1, stops) { found.append(touched) }
      if !found.isEmpty { return (candidate, found) }
    }
    return (0, [])
  }

  func randomStops(_ random: inout Random) -> StopSet {
    var stops = StopSet()
    for _ in 0..<Int.random(in: 0..<3, using: &random) {
      let address = program.moments.randomElement(using: &random)?.position.address ?? 0
      let every = UInt8.random(in: 1..<200, using: &random)
      let conditions: [[UInt8]] = Bool.random(using: &random) ? [] : [[every]]
      stops.breakpoints.append(Breakpoint(address: address, conditions: conditions))
    }
    if Int.random(in: 0..<3, using: &random) == 0 {
      let word = UInt64.random(in: 0..<16, using: &random)
      stops.watchpoints = [Watchpoint(address: 0x1000 + 8 * word, length: 8, kind: .write)]
    }
    if Int.random(in: 0..<6, using: &random) == 0 { stops.signals = 1 << 10 }
    if Int.random(in: 0..<6, using: &random) == 0 { stops.systemCalls = Bool.random(using: &random) ? [] : [2] }
    return stops
  }
}

@Suite struct TimelineTests {
  @Test(arguments: 1...8) func randomWalk(seed: UInt64) throws {
    let bench = try Bench(seed: seed)
    var random = Random(state: seed ^ 0xABCD)
    for _ in 0..<600 {
      let here = try bench.index()
      let stops = bench.randomStops(&random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0, 1:
        _ = try bench.timeline.continue(stops: stops) { false }
        #expect(try bench.index() == bench.next(after: here, stops))
      case 2, 3, 4:
        let arrival = try bench.timeline.reverseContinue(stops: stops) { false }
        let expected = bench.previous(before: here, stops)
        #expect(try bench.index() == expected.index)
        if case .stop(let stop) = arrival {
          #expect(expected.stops.contains(stop))
        } else {
          #expect(expected.stops.isEmpty)
        }
      case 5:
        for back in 1...Int.random(in: 1..<30, using: &random) {
          let arrival = try bench.timeline.reverseStepInstruction { false }
          #expect(try bench.index() == max(here - back, 0))
          #expect((arrival == .historyBegin) == (here - back < 0))
        }
      case 6:
        for on in 1...Int.random(in: 1..<30, using: &random) {
          _ = try bench.timeline.stepInstruction(stops: StopSet())
          #expect(try bench.index() == min(here + on, bench.program.last))
        }
      case 7:
        let target = bench.program.moments.indices.randomElement(using: &random) ?? 0
        _ = try bench.timeline.go(to: bench.program.moments[target].position)
        #expect(try bench.index() == target)
      case 8: try seekSomewhere(bench, &random)
      default:
        // An interruption leaves a position of the recording.
        var left = Int.random(in: 1..<40, using: &random)
        let interrupt = {
          left -= 1
          return left <= 0
        }
        if Bool.random(using: &random) {
          _ = try bench.timeline.reverseContinue(stops: stops, interrupted: interrupt)
        } else {
          _ = try bench.timeline.continue(stops: stops, interrupted: interrupt)
        }
        _ = try bench.index()
      }
      expectBudget(bench)
    }
  }

  private func expectBudget(_ bench: Bench) {
    #expect(bench.timeline.checkpointCount <= 41)
    #expect(bench.timeline.checkpointCount == bench.engine.checkpoints.count)
    // What was replayed since the last checkpoint is added to the last one's cost.
    #expect(bench.timeline.checkpointCost <= Bench.budget + 16 * 4096)
  }

  private func seekSomewhere(_ bench: Bench, _ random: inout Random) throws {
    let moment = bench.program.moments.randomElement(using: &random) ?? bench.program.moments[0]
    let exact = Place(moment.position, of: bench.engine)
    let event = moment.position.event
    switch Int.random(in: 0..<4, using: &random) {
    case 0:
      _ = try bench.timeline.seek(to: exact) { false }
      #expect(bench.timeline.position == moment.position)
    case 1:
      _ = try bench.timeline.seek(to: .event(event)) { false }
      let first = bench.program.moments.firstIndex { $0.position.event >= event }
      #expect(try bench.index() == first)
    case 2:
      _ = try bench.timeline.seek(to: .percent(Double.random(in: 0...100, using: &random))) { false }
    default:
      _ = try bench.timeline.seek(to: Bool.random(using: &random) ? .start : .end) { false }
    }
    _ = try bench.index()
  }

  @Test func smallBudgetStillWorks() throws {
    let bench = try Bench(seed: 77, budget: 0)
    var stops = StopSet()
    stops.watchpoints = [Watchpoint(address: 0x1000, length: 8, kind: .write)]
    _ = try bench.timeline.seek(to: .end) { false }
    var here = try bench.index()
    for _ in 0..<5 {
      _ = try bench.timeline.reverseContinue(stops: stops) { false }
      let expected = bench.previous(before: here, stops).index
      here = try bench.index()
      #expect(here == expected)
    }
  }

  @Test func reverseContinueCostsLittleMoreThanForwards() throws {
    let bench = try Bench(seed: 5, count: 40_000, budget: .max)
    _ = try bench.timeline.seek(to: .end) { false }
    let before = bench.engine.work
    _ = try bench.timeline.reverseContinue(stops: StopSet()) { false }
    // Nothing stops: everything once.
    #expect(bench.engine.work - before < 40_000 * 12 / 10)
    #expect(try bench.index() == 0)
  }

  @Test func fiftyStepsBackCostLittle() throws {
    let bench = try Bench(seed: 6, count: 40_000)
    _ = try bench.timeline.seek(to: .percent(60)) { false }
    _ = try bench.timeline.reverseStepInstruction { false }
    let before = bench.engine.work
    for _ in 0..<50 { _ = try bench.timeline.reverseStepInstruction { false } }
    #expect(bench.engine.work - before < 50 * 300)
  }

  @Test func nearPositionsNeedNoLongReplay() throws {
    let bench = try Bench(seed: 9, count: 60_000)
    _ = try bench.timeline.seek(to: .end) { false }
    let last = try bench.index()
    for distance in [10, 100, 1_000, 5_000] {
      let before = bench.engine.work
      _ = try bench.timeline.go(to: bench.program.moments[last - distance].position)
      #expect(bench.engine.work - before < 4 * distance + 2_000)
    }
  }

  @Test func progressOfLongRuns() throws {
    let bench = try Bench(seed: 4)
    var told: [Double] = []
    bench.timeline.onProgress = { told.append($0) }
    _ = try bench.timeline.seek(to: .end) { false }
    #expect(told.count > 5)
    #expect(told.allSatisfy { (0...1).contains($0) })
    #expect(told == told.sorted() || told.count > 5)
  }
}

@Suite struct PlaceTests {
  @Test(arguments: ["0", "17", "17+5", "17+5@0x401000", "17+0@0x1", "50.0%", "start", "end"])
  func roundTrip(text: String) {
    #expect(Place(text)?.description == text)
  }

  @Test(arguments: [
    "", "x", "+5", "5+", "5@", "5@12", "5@0x", "-1", "101%", "%", "1e3", "5++5", " 5", "99999999999999999999",
  ])
  func refused(text: String) {
    #expect(Place(text) == nil)
  }

  @Test func beyondTheTape() throws {
    let bench = try Bench(seed: 1)
    let count = bench.engine.eventCount
    for place in [Place.event(count + 1), .ticks(5, after: count, address: nil), .ticks(.max, after: 3, address: nil)] {
      #expect(throws: PlaceError.self) { _ = try bench.timeline.seek(to: place) { false } }
      _ = try bench.index()
    }
    #expect(throws: PlaceError.self) {
      _ = try bench.timeline.seek(to: .ticks(0, after: 5, address: 0x3F_FFFF)) { false }
    }
    _ = try bench.index()
  }
}
