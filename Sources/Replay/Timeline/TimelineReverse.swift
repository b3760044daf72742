// Backwards.

public import Guest

/// The moments between a landing and a position, one instruction after the other: what a way back instruction by
/// instruction needs again and again.
struct Trail {
  /// Each is the next one's predecessor.
  var positions: [Position] = []
  /// Checkpoints on the way, held.
  var checkpoints: [CheckpointID] = []

  /// The moment before, when this trail knows it.
  func predecessor(of position: Position) -> Position? {
    guard let first = positions.first, first < position, position <= positions[positions.count - 1] else { return nil }
    var low = 0
    var high = positions.count
    while low < high {
      let middle = (low + high) / 2
      if positions[middle] < position { low = middle + 1 } else { high = middle }
    }
    return positions[low] == position ? positions[low - 1] : nil
  }
}

extension Timeline {
  /// Steps with a checkpoint after each, on a trail.
  private static let trailSpacing = 256
  /// So many instructions without a tick or an event are no program.
  private static let longestTrail = 4_000_000

  /// Runs backwards to the last moment before this one at which a run forwards would have stopped. For a touched watchpoint
  /// that is before the instruction that touches.
  /// - Parameter here: what would stop in this very moment counts, too: the run began after it.
  public func reverseContinue(
    stops: StopSet, here: Bool = false, interrupted: () -> Bool
  ) throws(GuestError) -> Arrival {
    let present = position
    var upper = present
    // Nothing before the last birth matters: it is a stop itself.
    let floor = stops.forks ? try lastBirth(before: present, interrupted: interrupted) : nil
    if stops.forks, floor == nil, interrupted() { return .stop(.interrupted) }
    while let base = segmentStart(before: upper) {
      try engine.restore(base.id)
      if let floor, position < floor.moment {
        if try go(to: floor.moment, interrupted: interrupted) == .interrupted { return .stop(.interrupted) }
        guard floor.moment < upper else { return .stop(floor.birth.stop) }
        try addCheckpoint()
      }
      let bottom = position
      let outcome = try advance(to: .position(upper), stops: stops, collecting: true, interrupted: interrupted)
      if outcome.stop == .interrupted, position < upper { return .stop(.interrupted) }
      if outcome.stop.counts(isPresent: upper == present && !here) {
        return try arrive(at: upper, outcome.stop, before: present, stops: stops, interrupted: interrupted)
      }
      if upper == present, outcome.stop != .limit, !outcome.stop.endsRun,
        let before = try predecessor(of: present, interrupted: interrupted)
      {
        // What stops in the present may hide what stopped before it.
        upper = before
        continue
      }
      if let hit = outcome.last {
        return try arrive(at: hit.position, hit.stop, before: present, stops: stops, interrupted: interrupted)
      }
      if let floor, bottom == floor.moment {
        return try go(to: bottom, interrupted: interrupted) == .interrupted
          ? .stop(.interrupted) : .stop(floor.birth.stop)
      }
      upper = bottom
    }
    try engine.restore(ladder.entries[0].id)
    return .historyBegin
  }

  /// Goes back by one instruction.
  public func reverseStepInstruction(interrupted: () -> Bool) throws(GuestError) -> Arrival {
    let here = position
    guard let target = try predecessor(of: here, interrupted: interrupted) else {
      if position < here, interrupted() { return .stop(.interrupted) }
      _ = try go(to: start)
      return .historyBegin
    }
    return .stop(try go(to: target, interrupted: interrupted))
  }

  /// Goes back to the first moment that has the same event index, or, there, the one before.
  public func reverseToEvent(interrupted: () -> Bool) throws(GuestError) -> Arrival {
    let here = position
    guard here != start else { return .historyBegin }
    for event in [here.event, here.event == 0 ? 0 : here.event - 1] {
      try restoreNearest { $0.event < event }
      let stop = try approach(.event(event), interrupted: interrupted)
      if stop == .interrupted || position < here { return .stop(stop) }
    }
    _ = try go(to: start)
    return .historyBegin
  }

  /// Where to begin to look for what comes before `upper`: not so near that it is not worth the restoring.
  private func segmentStart(before upper: Position) -> CheckpointLadder.Entry? {
    let time = pace.time(upper) - pace.unit / 32
    return ladder.last { pace.time($0) < time && $0 < upper } ?? ladder.last { $0 < upper }
  }

  /// Goes to where `stop`, which a run forwards makes at `hit`, is made by a run backwards.
  private func arrive(
    at hit: Position, _ stop: Stop, before present: Position, stops: StopSet, interrupted: () -> Bool
  ) throws(GuestError) -> Arrival {
    guard case .watchpoint = stop else {
      return try go(to: hit, interrupted: interrupted) == .interrupted ? .stop(.interrupted) : .stop(stop)
    }
    guard let target = try predecessor(of: hit, interrupted: interrupted) else { return .stop(.interrupted) }
    if try go(to: target, interrupted: interrupted) == .interrupted { return .stop(.interrupted) }
    var others = stops
    others.watchpoints = []
    others.forks = false
    if hit < present, others != StopSet() {
      // Something else may stop where the access is done already: backwards, that comes first.
      let other = try engine.step(stops: others)
      if other != .limit, !other.endsRun { return .stop(other) }
      _ = try go(to: target)
    }
    return .stop(stop)
  }

  // MARK: The moment before

  /// The moment before a position that the replay was at; nil: there is none, or it was interrupted. The engine is somewhere
  /// before the position then.
  func predecessor(of target: Position, interrupted: () -> Bool) throws(GuestError) -> Position? {
    if let known = trail.predecessor(of: target) { return known }
    guard target > start else { return nil }
    clearTrail()
    for landing in landings(before: target) {
      guard try reach(landing, before: target, interrupted: interrupted) else { return nil }
      guard position < target else { continue }
      try layTrail(to: target)
      return trail.predecessor(of: target)
    }
    return nil
  }

  /// Moments that a run can stop at, from near to far: at least one of them is before the target.
  private func landings(before target: Position) -> [RunLimit] {
    let (event, ticks) = (target.event, target.ticks)
    let before = engine.ticksBefore(event: event)
    var found: [RunLimit] = []
    if before < ticks {
      found = [.ticks(ticks), ticks - 1 > before ? .ticks(ticks - 1) : .event(event)]
    } else if event > 0 {
      let isEvent = event > 1 && engine.ticksBefore(event: event - 1) == ticks
      found = [.event(event), isEvent ? .event(event - 1) : .ticks(ticks)]
    }
    // A landing may be where an event happens: the moment before is one tick earlier then.
    if event > 1 { found.append(.event(event - 1)) }
    if ticks > 0 { found.append(.ticks(ticks - 1)) }
    return found + [.position(start)]
  }

  /// Goes to a landing, or to a checkpoint between it and the target. False: interrupted.
  private func reach(_ landing: RunLimit, before target: Position, interrupted: () -> Bool) throws(GuestError) -> Bool {
    let base = ladder.last { $0 < target } ?? ladder.entries[0]
    try engine.restore(base.id)
    guard landing.isAfter(base.position, last: engine.eventCount), landing != .position(start) else { return true }
    return try approach(landing, interrupted: interrupted) != .interrupted
  }

  /// Steps from here to the target.
  private func layTrail(to target: Position) throws(GuestError) {
    trail.positions = [position]
    while position != target {
      if trail.positions.count % Self.trailSpacing == 1, let id = try addCheckpoint(isHeld: true) {
        trail.checkpoints.append(id)
      }
      let before = position
      _ = try engine.step(stops: StopSet())
      guard position > before, position <= target, trail.positions.count < Self.longestTrail else {
        throw .replay("the way back went past its end: \(target) is not on the way from \(before)", "", nil)
      }
      trail.positions.append(position)
    }
  }

  func clearTrail() {
    for id in trail.checkpoints { drop(id) }
    trail = Trail()
  }
}

extension Stop {
  /// Whether a hit at the end of a stretch is one for a run backwards from there: where it started (the present) only
  /// what the instruction before did.
  fileprivate func counts(isPresent: Bool) -> Bool {
    switch self {
    case .watchpoint: true
    case .limit: false
    default: !isPresent && !endsRun
    }
  }
}
