// Watchpoints two ways: with the processor's debug registers, and with code that asks. Both must stop at the same moments,
// and every stop must be at a position with one state.
//
// bis-walk --watch TRACE [COUNT [SEED [TAPE]]]: watches random places that the program uses, over random stretches.

import Glibc
import Guest
import Replay

/// Behind a store with an AVX-512 mask: code that asks tells only of those that change something (SDM vol. 2A, 2.7.1).
func isMasked(before position: Position, _ engine: TranslateEngine) -> Bool {
  let bytes = engine.read(position.address &- 12, 12)
  return bytes.count == 12 && (0...6).contains { bytes[$0] == 0x62 && bytes[$0 + 3] & 7 != 0 }
}

func compareWatchpoints(_ arguments: [String]) throws -> Int32 {
  var options = ReplayOptions()
  options.trace = arguments.first ?? ""
  options.quiet = true
  let count = arguments.count > 1 ? Int(arguments[1])! : 30
  var random = Random(state: (arguments.count > 2 ? UInt64(arguments[2])! : 1) &* 0x9E37_79B9_7F4A_7C15 | 1)
  let engine = try TranslateEngine(options, tape: arguments.count > 3 ? UInt64(arguments[3]) : nil)
  let first = try engine.checkpoint()
  _ = try engine.run(to: .end, stops: StopSet(), collecting: false, interrupted: { false })
  let last = engine.position
  try engine.restore(first)
  var touches = 0
  var reverse = 0

  /// Where watchpoints stop from the checkpoint on, at most `limit` stops; and the last one on a way to the past.
  func stops(_ from: CheckpointID, _ set: StopSet, registers: Int, to end: RunLimit) throws
    -> (list: [Position], sums: [Position: UInt64], last: Position?)
  {
    engine.watchRegisterLimit = registers
    try engine.restore(from)
    var list: [Position] = []
    var sums: [Position: UInt64] = [:]
    while list.count < 300 {
      let outcome = try engine.run(to: end, stops: set, collecting: false, interrupted: { false })
      guard case .watchpoint = outcome.stop else { break }
      list.append(engine.position)
      if list.count < 4 { sums[engine.position] = try engine.checksum() }
    }
    sums[engine.position] = try engine.checksum()
    try engine.restore(from)
    let here = engine.position
    let collected = try engine.run(to: end, stops: set, collecting: true, interrupted: { false })
    var latest = collected.last?.position
    if case .watchpoint = collected.stop { latest = engine.position }
    return (list, sums, latest == here ? nil : latest)
  }

  for n in 0..<count {
    try engine.restore(first)
    let ticks = random.below(last.ticks)
    _ = try engine.run(to: .ticks(ticks), stops: StopSet(), collecting: false, interrupted: { false })
    for _ in 0..<random.below(20) where !engine.isAtEnd { _ = try engine.step(stops: StopSet()) }
    if engine.isAtEnd { continue }
    let here = try engine.checkpoint()
    defer { engine.discard(here) }
    let r = try engine.registers(of: engine.currentThread)
    // What registers point to, or the stack around.
    var address = r.general[Int(random.below(16))]
    if random.below(3) == 0 || engine.read(address, 8).count < 8 {
      address = r.general[4] &- 64 &+ random.below(16) * 8
    }
    let size = UInt64(1) << random.below(4)
    var set = StopSet()
    let kind: Watchpoint.Kind = random.below(3) == 0 ? .access : .write
    set.watchpoints = [Watchpoint(address: address & ~(size - 1), length: size, kind: kind)]
    let end = RunLimit.ticks(engine.position.ticks + 1 + random.below(last.ticks / 16 + 50))
    let hardware = try stops(here, set, registers: 3, to: end)
    let software = try stops(here, set, registers: 0, to: end)
    touches += hardware.list.count
    if hardware.last != nil { reverse += 1 }
    let missing = hardware.list.filter { !software.list.contains($0) && !isMasked(before: $0, engine) }
    let isLast = hardware.last == software.last || isMasked(before: hardware.last ?? engine.position, engine)
    let sums = hardware.sums.merging(software.sums) { $0 == $1 ? $0 : 0 }
    if !missing.isEmpty || !software.list.allSatisfy(hardware.list.contains) || !isLast || sums.values.contains(0) {
      print("FAILED: \(n): \(set.watchpoints[0]) from tick \(ticks) to \(end):")
      print("  registers: \(hardware.list.count) \(hardware.last.map { "\($0)" } ?? "-") \(hardware.sums)")
      print("  code:      \(software.list.count) \(software.last.map { "\($0)" } ?? "-") \(software.sums)")
      for p in hardware.list where !software.list.contains(p) { print("  only registers: \(p)") }
      for p in software.list where !hardware.list.contains(p) { print("  only code: \(p)") }
      return 1
    }
  }
  print("\(count) watchpoints, \(touches) touches, \(reverse) last ones: all equal")
  return 0
}
