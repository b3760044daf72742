// Random walks over a recording: at equal positions registers and memory must be equal, however the engine came there.
//
// EngineWalk TRACE [COUNT [SEED [TAPE]]]: prints what it did; exit status 1 when a position had two states.

import Glibc
import Replay

struct Random {
  var state: UInt64
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
  mutating func below(_ n: UInt64) -> UInt64 { n == 0 ? 0 : next() % n }
}

func walk() throws -> Int32 {
  let arguments = CommandLine.arguments
  var options = ReplayOptions()
  options.trace = arguments.count > 1 ? arguments[1] : ""
  options.quiet = true
  let count = arguments.count > 2 ? Int(arguments[2])! : 200
  var random = Random(state: (arguments.count > 3 ? UInt64(arguments[3])! : 1) &* 0x9E37_79B9_7F4A_7C15 | 1)
  let tape = arguments.count > 4 ? UInt64(arguments[4]) : nil
  let verbose = getenv("WALK_VERBOSE") != nil
  let engine = try TranslateEngine(options, tape: tape)
  var seen: [Position: UInt64] = [:]
  var places: [Position] = []
  var checkpoints: [(id: CheckpointID, position: Position)] = []
  var repeated = 0
  var stops = StopSet()
  if random.below(2) == 0 { stops.signals = ~0 }

  func look(_ what: String) throws -> Bool {
    let p = engine.position
    let sum = try engine.checksum()
    if verbose {
      let r = try engine.registers(of: engine.currentThread)
      print(what, p, sum, String(r.rflags, radix: 16), engine.read(r.general[4], 8))
    }
    if let before = seen[p] {
      repeated += 1
      if before != sum {
        print("FAILED: \(what): two states at \(p)")
        return false
      }
    } else {
      seen[p] = sum
      places.append(p)
    }
    return true
  }

  let first = try engine.checkpoint()
  checkpoints.append((first, engine.position))
  guard try look("start") else { return 1 }
  // Once to the end, for the length.
  var outcome = try engine.run(to: .end, stops: StopSet(), collecting: false, interrupted: { false })
  let last = engine.position
  print("end \(outcome.stop) at event \(last.event), tick \(last.ticks)")
  guard try look("end") else { return 1 }
  try engine.restore(first)
  for n in 0..<count {
    let move = random.below(10)
    if verbose { print("move \(n): \(move) from \(engine.position)") }
    switch move {
    case 0, 1:
      for _ in 0...random.below(30) {
        let stop = try engine.step(stops: stops)
        guard try look("step \(stop)") else { return 1 }
        if engine.isAtEnd { break }
      }
    case 2:
      outcome = try engine.run(
        to: .ticks(engine.position.ticks + random.below(last.ticks / 4 + 2)), stops: stops, collecting: false,
        interrupted: { false })
    case 3:
      outcome = try engine.run(
        to: .event(engine.position.event + random.below(last.event / 4 + 2)), stops: stops, collecting: false,
        interrupted: { false })
    case 4:
      checkpoints.append((try engine.checkpoint(), engine.position))
      if checkpoints.count > 8 { engine.discard(checkpoints.remove(at: 1 + Int(random.below(7))).id) }
    case 5:
      var s = stops
      let address = places[Int(random.below(UInt64(places.count)))].address
      s.breakpoints = [Breakpoint(address: address)]
      if random.below(2) == 0 { s.breakpoints.append(Breakpoint(address: places[0].address)) }
      outcome = try engine.run(
        to: .ticks(engine.position.ticks + last.ticks / 4), stops: s, collecting: random.below(3) == 0,
        interrupted: { false })
      if let l = outcome.last, !places.contains(l.position) { places.append(l.position) }
    default:
      let target = places[Int(random.below(UInt64(places.count)))]
      let from = checkpoints.filter { $0.position <= target }.max { $0.position < $1.position }!
      try engine.restore(from.id)
      guard try look("restore") else { return 1 }
      outcome = try engine.run(to: .position(target), stops: StopSet(), collecting: false, interrupted: { false })
      if engine.position != target {
        print("FAILED: wanted \(target), is at \(engine.position) after \(outcome.stop)")
        return 1
      }
    }
    guard try look("\(n)") else { return 1 }
  }
  print("\(count) moves, \(seen.count) positions, \(repeated) visited again: all equal")
  return 0
}

do {
  let isComparison = CommandLine.arguments.count > 1 && CommandLine.arguments[1] == "--watch"
  exit(isComparison ? try compareWatchpoints(Array(CommandLine.arguments.dropFirst(2))) : try walk())
} catch {
  print("FAILED: \(String(reflecting: error)) \(error)")
  dump(error)
  exit(1)
}
