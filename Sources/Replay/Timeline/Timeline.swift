// A recorded process as something to go forwards and backwards in: an engine, and checkpoints of it.
//
// Going back is: restore the checkpoint before, run forward. Long runs are made of chunks with a checkpoint after each,
// so that the next way back is short.

public import Guest
public import Linux

/// Where a movement ended.
public enum Arrival: Equatable, Sendable {
  case stop(Stop)
  /// Backwards, at the first moment.
  case historyBegin
}

/// Forwards and backwards over an engine. Owns it: nobody else moves it.
public final class Timeline {
  public let engine: any Engine
  /// Told now and then during long runs how much of the way is done, 0 to 1.
  public var onProgress: ((Double) -> Void)?

  var ladder: CheckpointLadder
  var pace = Pace()
  var trail = Trail()
  /// Processes that this one makes, in order: stops of a run when its stop set has forks.
  let births: [Birth]
  /// The first moments after some of them.
  var known: [UInt64: Position] = [:]
  /// Nanoseconds that the last checkpoint took to make.
  var checkpointTime: UInt64 = 0
  let clock: () -> UInt64

  /// - Parameters:
  ///   - engine: at the first moment of its tape.
  ///   - memoryBudget: bytes that checkpoints may take.
  ///   - maximumCheckpoints: processes that checkpoints may be.
  ///   - births: processes that it makes, in order.
  ///   - clock: nanoseconds.
  public init(
    _ engine: any Engine, memoryBudget: Int, maximumCheckpoints: Int = 100, births: [Birth] = [],
    clock: @escaping () -> UInt64 = monotonicNanoseconds
  ) throws(GuestError) {
    self.engine = engine
    self.clock = clock
    self.births = births
    ladder = CheckpointLadder(budget: memoryBudget, maximumCount: maximumCheckpoints)
    ladder.insert(.init(id: try engine.checkpoint(), position: engine.position, cost: 0))
  }

  public var position: Position { engine.position }
  /// The first moment.
  public var start: Position { ladder.entries[0].position }
  /// How many checkpoints there are, and the bytes that they take.
  public var checkpointCount: Int { ladder.entries.count }
  public var checkpointCost: Int { ladder.cost }

  // MARK: Forwards

  /// Runs to the next stop or the end.
  public func `continue`(stops: StopSet, interrupted: () -> Bool) throws(GuestError) -> Stop {
    try advanceToBirth(before: .end, stops: stops, interrupted: interrupted)
  }

  /// Runs to the next stop, at most until the next event was applied.
  public func continueToNextEvent(stops: StopSet, interrupted: () -> Bool) throws(GuestError) -> Stop {
    let limit = RunLimit.event(position.event + 1)
    return try advanceToBirth(before: limit, stops: stops, interrupted: interrupted)
  }

  public func stepInstruction(stops: StopSet) throws(GuestError) -> Stop {
    let event = position.event
    let stop = try engine.step(stops: stops)
    return stop == .limit && stops.forks ? born(since: event) ?? stop : stop
  }

  // MARK: To a place

  /// Goes to an exact position that the replay was at before.
  public func go(to target: Position, interrupted: () -> Bool = { false }) throws(GuestError) -> Stop {
    guard position != target else { return .limit }
    try restoreNearest { $0 <= target }
    guard position != target else { return .limit }
    return try approach(.position(target), interrupted: interrupted)
  }

  /// Goes to a place that somebody named. When it cannot be gone to the position is another one, but a valid one.
  public func seek(to place: Place, interrupted: () -> Bool) throws -> Stop {
    let limit = try engine.limit(for: place)
    try restoreNearest { limit.isAfter($0, last: self.engine.eventCount) }
    if limit == .event(0) { return .limit }
    let stop = try approach(limit, interrupted: interrupted)
    guard stop != .interrupted, case .ticks(let ticks, let event, let address?) = place else { return stop }
    let wanted = Position(event: event, ticks: engine.ticksBefore(event: event) + ticks, address: address)
    while position < wanted, !engine.isAtEnd {
      if interrupted() { return .interrupted }
      _ = try engine.step(stops: StopSet())
    }
    guard position == wanted else { throw PlaceError("the recording does not come by \(place)") }
    return .limit
  }

  /// Goes to the first moment.
  public func restart() throws(GuestError) { try engine.restore(ladder.entries[0].id) }

  /// Restores the last checkpoint that `isBefore` holds for, unless the engine is between it and the target itself.
  func restoreNearest(_ isBefore: (Position) -> Bool) throws(GuestError) {
    let base = ladder.last(where: isBefore) ?? ladder.entries[0]
    let now = position
    if isBefore(now), now >= base.position { return }
    try engine.restore(base.id)
  }

  // MARK: Runs

  /// Runs to the limit in chunks, with a checkpoint after each.
  func advance(
    to limit: RunLimit, stops: StopSet, collecting: Bool, interrupted: () -> Bool
  ) throws(GuestError) -> RunOutcome {
    let first = position
    var last: (position: Position, stop: Stop)?
    while true {
      let chunk = chunk(of: limit)
      var outcome = try timed(chunk ?? limit, stops: stops, collecting: collecting, interrupted: interrupted)
      if let hit = outcome.last {
        // A hit at the limit is one of the limit's moment, whichever way it is told.
        if hit.position == position {
          outcome.stop = outcome.stop == .limit ? hit.stop : outcome.stop
        } else {
          last = hit
        }
      }
      outcome.last = last
      let goesOn = outcome.stop == .limit || (collecting && !outcome.stop.endsRun)
      guard chunk != nil, goesOn else { return outcome }
      if outcome.stop != .limit { last = (position, outcome.stop) }
      try addCheckpoint()
      report(from: first, to: limit)
    }
  }

  /// Runs to the limit without stops. The nearer, the denser the checkpoints: what follows is often a way back.
  func approach(_ limit: RunLimit, interrupted: () -> Bool) throws(GuestError) -> Stop {
    while let ticks = engine.ticks(of: limit), ticks > position.ticks {
      let left = ticks - position.ticks
      let isWorthIt = Double(left) / 8 * pace.target / pace.unit > 4 * Double(checkpointTime)
      guard left > 2048, Double(left) < 8 * pace.unit, isWorthIt else { break }
      let part = RunLimit.ticks(position.ticks + left - left / 8)
      guard part.isBefore(limit, of: engine) else { break }
      let stop = try advance(to: part, stops: StopSet(), collecting: false, interrupted: interrupted).stop
      guard stop == .limit else { return stop }
      try addCheckpoint()
    }
    if let stop = try approachLast(limit, interrupted: interrupted) { return stop }
    // Far away: chunk by chunk, then as above.
    if let ticks = engine.ticks(of: limit), Double(ticks) - Double(position.ticks) >= 8 * pace.unit {
      let stop = try advance(
        to: .ticks(ticks - UInt64(4 * pace.unit)), stops: StopSet(), collecting: false, interrupted: interrupted
      ).stop
      return stop == .limit ? try approach(limit, interrupted: interrupted) : stop
    }
    return try advance(to: limit, stops: StopSet(), collecting: false, interrupted: interrupted).stop
  }

  /// A last checkpoint on the way to a near limit, about so far before it as making one takes: a step back from there is quick.
  /// What stopped it on the way; nil: nothing.
  private func approachLast(_ limit: RunLimit, interrupted: () -> Bool) throws(GuestError) -> Stop? {
    guard let ticks = engine.ticks(of: limit), ticks > position.ticks else { return nil }
    let left = Double(ticks - position.ticks)
    let cost = max(Double(checkpointTime) / pace.target * pace.unit, 1024)
    guard left > 8 * cost, left < 8 * pace.unit else { return nil }
    let part = RunLimit.ticks(ticks - UInt64(cost))
    guard part.isBefore(limit, of: engine) else { return nil }
    let stop = try advance(to: part, stops: StopSet(), collecting: false, interrupted: interrupted).stop
    guard stop == .limit else { return stop }
    try addCheckpoint()
    return nil
  }

  private func timed(
    _ limit: RunLimit, stops: StopSet, collecting: Bool, interrupted: () -> Bool
  ) throws(GuestError) -> RunOutcome {
    let (from, began) = (position, clock())
    let outcome = try engine.run(to: limit, stops: stops, collecting: collecting, interrupted: interrupted)
    // Stops take time of their own: without them it is replay that is measured.
    if stops == StopSet() || outcome.stop == .limit {
      pace.note(from: from, to: position, nanoseconds: clock() &- began)
    }
    return outcome
  }

  /// The first part of a long way, or nil when the limit is near.
  private func chunk(of limit: RunLimit) -> RunLimit? {
    let ticks = position.ticks.addingReportingOverflow(pace.ticks).partialValue
    let event = position.event + pace.events
    let byEvent = engine.ticks(atEvent: event - 1).map { $0 < ticks } ?? false
    let part = byEvent ? RunLimit.event(event) : .ticks(ticks)
    return part.isBefore(limit, of: engine) ? part : nil
  }

  private func report(from first: Position, to limit: RunLimit) {
    guard let onProgress, let ticks = engine.ticks(of: limit) else { return }
    let end = Position(event: limit.event ?? first.event, ticks: ticks, address: 0)
    let whole = pace.time(end) - pace.time(first)
    if whole > 0 { onProgress(min(max((pace.time(position) - pace.time(first)) / whole, 0), 1)) }
  }

  // MARK: Checkpoints

  /// Makes a checkpoint here, and gives others up for it.
  @discardableResult
  func addCheckpoint(isHeld: Bool = false) throws(GuestError) -> CheckpointID? {
    if let there = ladder.last(where: { $0 <= position }), there.position == position { return nil }
    let began = clock()
    let id: CheckpointID
    do throws(GuestError) { id = try engine.checkpoint() } catch {
      // No memory or no process for it: with fewer of them it is slower, no more.
      guard case .kernel = error else { throw error }
      ladder.maximumCount = max(ladder.entries.count / 2, 2)
      try thin()
      return nil
    }
    checkpointTime = clock() &- began
    ladder.insert(.init(id: id, position: position, cost: 0, isHeld: true))
    try thin()
    ladder.hold(id, isHeld)
    return id
  }

  /// Gives up what is over other limits than those it began with.
  func limit(memoryBudget: Int, maximumCheckpoints: Int) throws(GuestError) {
    ladder.budget = memoryBudget
    ladder.maximumCount = max(maximumCheckpoints, 2)
    clearTrail()
    try thin()
  }

  private func thin() throws(GuestError) {
    // A checkpoint's own memory grows as its neighbours move on: the others' stays.
    ladder.updateCosts(near: position, all: ladder.cost > ladder.budget / 2) { engine.cost(of: $0) }
    while ladder.isOverLimit {
      guard let victim = ladder.victim(present: position, time: pace.time, unit: pace.unit) else { return }
      drop(victim.id)
      ladder.updateCosts(near: victim.position, all: false) { engine.cost(of: $0) }
    }
  }

  func drop(_ id: CheckpointID) {
    ladder.remove(id)
    engine.discard(id)
  }
}

extension Stop {
  /// Nothing comes after it, or nobody wants it to.
  var endsRun: Bool {
    switch self {
    case .exited, .killed, .cutOff, .exec, .interrupted: true
    default: false
    }
  }
}

extension RunLimit {
  var event: UInt64? {
    switch self {
    case .event(let event): event
    case .position(let position): position.event
    case .end, .ticks: nil
    }
  }

  /// Whether a run from `position` cannot have passed the limit yet.
  func isAfter(_ position: Position, last eventCount: UInt64) -> Bool {
    switch self {
    case .end: true
    case .ticks(let ticks): position.ticks < ticks
    case .event(let event): position.event < event
    case .position(let target): position <= target
    }
  }

  /// Whether this moment, a tick or an event, comes before another limit for sure.
  func isBefore(_ limit: RunLimit, of engine: any Engine) -> Bool {
    switch (self, limit) {
    case (.event(let event), .event(let end)): event < end
    case (.event(let event), .position(let end)): event < end.event
    case (.event(let event), .end): event < engine.eventCount
    case (.event(let event), .ticks(let end)): engine.ticksBefore(event: event) < end && event < engine.eventCount
    case (.ticks(let ticks), _): engine.ticks(of: limit).map { ticks < $0 } ?? false
    default: false
    }
  }
}

extension Engine {
  /// Ticks at a limit.
  func ticks(of limit: RunLimit) -> UInt64? {
    switch limit {
    case .end: totalTicks
    case .ticks(let ticks): min(ticks, totalTicks)
    case .event(let event): event <= eventCount ? ticksBefore(event: event) : nil
    case .position(let position): position.ticks
    }
  }
}
