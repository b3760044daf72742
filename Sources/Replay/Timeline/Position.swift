/// A moment in the life of a recorded process: before the instruction at `address`, after `event` events of its tape,
/// and `ticks` ticks (see DESIGN.md, "Why ticks are what they are") since the tape began.
///
/// Between two ticks, or from one event to the next, addresses only grow: the order is total and every moment of a
/// recording has one position. (A `rep` instruction counts as one moment.)
public struct Position: Comparable, Hashable, Sendable {
  /// Events applied so far: the index of the next one.
  public var event: UInt64
  /// Ticks since the tape began.
  public var ticks: UInt64
  /// Guest address of the instruction that comes next.
  public var address: UInt64

  public init(event: UInt64, ticks: UInt64, address: UInt64) {
    self.event = event
    self.ticks = ticks
    self.address = address
  }

  public static func < (a: Position, b: Position) -> Bool {
    (a.event, a.ticks, a.address) < (b.event, b.ticks, b.address)
  }
}
