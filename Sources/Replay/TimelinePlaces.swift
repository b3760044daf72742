// Positions to come back to: visited ones, and those that a person marked.

public import Guest

/// A position that a person wants to come back to (`checkpoint` in gdb).
public struct Mark: Equatable, Sendable {
  public let position: Position
  public let note: String
}

extension Timeline {
  private static let mostVisited = 1000

  /// Notes that the replay is here because somebody wanted to see it.
  public func visit() {
    guard visited.isEmpty || visited[visitedIndex] != position else { return }
    visited.removeSubrange(min(visitedIndex + 1, visited.count)...)
    visited.append(position)
    if visited.count > Self.mostVisited { visited.removeFirst() }
    visitedIndex = visited.count - 1
  }

  /// Goes to the position visited before; false: there is none.
  public func back(interrupted: () -> Bool = { false }) throws(GuestError) -> Bool {
    // A step away from where one stopped: back goes there.
    if visited[visitedIndex] != position {
      let target = visited[visitedIndex]
      visit()
      visitedIndex -= 1
      _ = try go(to: target, interrupted: interrupted)
      return true
    }
    guard visitedIndex > 0 else { return false }
    visitedIndex -= 1
    _ = try go(to: visited[visitedIndex], interrupted: interrupted)
    return true
  }

  /// Undoes `back`; false: there is nothing to undo.
  public func forward(interrupted: () -> Bool = { false }) throws(GuestError) -> Bool {
    guard visitedIndex + 1 < visited.count else { return false }
    visitedIndex += 1
    _ = try go(to: visited[visitedIndex], interrupted: interrupted)
    return true
  }

  /// Marks this position, and makes coming back to it fast.
  public func mark(_ note: String = "") throws(GuestError) -> Int {
    try addCheckpoint()
    defer { nextMark += 1 }
    marks[nextMark] = Mark(position: position, note: note)
    return nextMark
  }

  /// Goes to a mark; false: there is none with that number.
  public func restart(mark number: Int, interrupted: () -> Bool = { false }) throws(GuestError) -> Bool {
    guard let mark = marks[number] else { return false }
    _ = try go(to: mark.position, interrupted: interrupted)
    visit()
    return true
  }

  /// False: there is none with that number.
  public func deleteMark(_ number: Int) -> Bool { marks.removeValue(forKey: number) != nil }
}
