// Positions to come back to: visited ones, and those that a person marked.

/// A position of a process that may be several programs: which of them, and where in it.
public struct HistoryPosition: Hashable, Sendable {
  /// The tape of the program.
  public let tape: UInt64
  public let position: Position

  public init(tape: UInt64, position: Position) {
    self.tape = tape
    self.position = position
  }
}

/// A position that a person wants to come back to (`checkpoint` in gdb).
public struct Mark: Equatable, Sendable {
  public let position: HistoryPosition
  public let note: String
}

/// Positions gone to, for `back` and `forward`.
struct Visits {
  private static let most = 1000
  private var list: [HistoryPosition]
  private var index = 0

  init(_ first: HistoryPosition) { list = [first] }

  /// Notes that somebody wanted to see this.
  mutating func note(_ position: HistoryPosition) {
    guard list[index] != position else { return }
    list.removeSubrange((index + 1)...)
    list.append(position)
    if list.count > Self.most { list.removeFirst() }
    index = list.count - 1
  }

  /// Where `back` leads from a position; nil: nowhere.
  mutating func back(from position: HistoryPosition) -> HistoryPosition? {
    // A step away from where one stopped: back goes there.
    if list[index] != position { note(position) }
    guard index > 0 else { return nil }
    index -= 1
    return list[index]
  }

  /// Where `forward` leads; nil: there is nothing to undo.
  mutating func forward() -> HistoryPosition? {
    guard index + 1 < list.count else { return nil }
    index += 1
    return list[index]
  }
}
