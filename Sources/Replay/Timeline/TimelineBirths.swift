// New processes: no stop of the engine, the manifest says at which event each was made.

public import Guest

/// A process that this one makes.
public struct Birth: Equatable, Sendable {
  /// The moment with this event index is the first one after it.
  public let event: UInt64
  public let child: Int32
  /// The child used its parent's memory until it was another program, or gone; the event is the parent's return.
  public let isVfork: Bool

  public init(event: UInt64, child: Int32, isVfork: Bool) {
    self.event = event
    self.child = child
    self.isVfork = isVfork
  }

  public var stop: Stop { isVfork ? .vfork(child) : .fork(child) }
}

extension Timeline {
  /// The first birth after an event index.
  func birth(after event: UInt64) -> Birth? { births.first { $0.event > event } }

  /// The last birth before a position that the replay was at, with its moment; nil: none, or interrupted.
  func lastBirth(
    before position: Position, interrupted: () -> Bool
  ) throws(GuestError) -> (birth: Birth, moment: Position)? {
    for birth in births.reversed() where birth.event <= position.event {
      if known[birth.event] == nil {
        try restoreNearest { $0.event < birth.event }
        guard try approach(.event(birth.event), interrupted: interrupted) == .limit else { return nil }
        known[birth.event] = self.position
      }
      if let moment = known[birth.event], moment < position { return (birth, moment) }
    }
    return nil
  }

  /// Runs forwards, at most to the next birth when those count.
  func advanceToBirth(
    before limit: RunLimit, stops: StopSet, interrupted: () -> Bool
  ) throws(GuestError) -> Stop {
    guard stops.forks, let next = birth(after: position.event), limit.event.map({ next.event <= $0 }) ?? true else {
      return try advance(to: limit, stops: stops, collecting: false, interrupted: interrupted).stop
    }
    let stop = try advance(to: .event(next.event), stops: stops, collecting: false, interrupted: interrupted).stop
    return stop == .limit ? born(since: next.event - 1) ?? .limit : stop
  }

  /// The birth that a step or a run to an event has just come by.
  func born(since event: UInt64) -> Stop? {
    guard position.event > event, let birth = births.first(where: { $0.event == position.event }) else { return nil }
    known[birth.event] = position
    return birth.stop
  }
}
