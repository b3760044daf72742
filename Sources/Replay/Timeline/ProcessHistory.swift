// A process over all programs that it was. Each has a tape of its own, and a timeline; exec leads from one to the next.

public import Guest
public import Trace

/// Forwards and backwards in a process, over exec. One program is the present one.
public final class ProcessHistory {
  /// The programs, in order.
  public let parts: [Manifest.TapeInfo]
  /// The present one.
  public private(set) var index: Int
  public private(set) var timeline: Timeline
  /// Those that were gone away from, with their checkpoints; the last one most recently.
  private var resting: [(index: Int, timeline: Timeline)] = []
  private let open: Opener
  private let memoryBudget: Int
  private static let mostCheckpoints = 100
  /// How many programs keep their replays besides the present one.
  private static let mostResting = 4

  private var visits: Visits
  /// Those that a person made, by number.
  public private(set) var marks: [Int: Mark] = [:]
  private var nextMark = 1
  /// It came to the end of this program backwards: what stops there was not told yet.
  private var cameBack = false
  /// Told now and then during long runs how much of the way is done, 0 to 1.
  public var onProgress: ((Double) -> Void)? { didSet { timeline.onProgress = onProgress } }

  /// Gives the replay of a tape, at its first moment, and the processes that it makes.
  public typealias Opener = (Manifest.TapeInfo) throws(GuestError) -> (engine: any Engine, births: [Birth])

  /// - Parameters:
  ///   - parts: the programs, in order; not empty.
  ///   - tape: the one to begin with, at its first moment.
  ///   - memoryBudget: bytes that checkpoints may take.
  public init(
    _ parts: [Manifest.TapeInfo], tape: UInt64, memoryBudget: Int, open: @escaping Opener
  ) throws(GuestError) {
    self.parts = parts
    self.open = open
    self.memoryBudget = memoryBudget
    index = parts.firstIndex { $0.number == tape } ?? 0
    let (engine, births) = try open(parts[index])
    timeline = try Timeline(
      engine, memoryBudget: memoryBudget, maximumCheckpoints: Self.mostCheckpoints, births: births)
    visits = Visits(HistoryPosition(tape: parts[index].number, position: timeline.position))
  }

  /// The present program.
  public var part: Manifest.TapeInfo { parts[index] }
  public var position: HistoryPosition { HistoryPosition(tape: part.number, position: timeline.position) }
  public var hasNext: Bool { index + 1 < parts.count }

  // MARK: Forwards and backwards

  /// Runs to the next stop or the end. Where the process becomes another program it ends at the first moment of that
  /// with `Stop.exec`.
  public func `continue`(stops: StopSet, interrupted: () -> Bool) throws(GuestError) -> Stop {
    cameBack = false
    let stop = try goOn(after: timeline.continue(stops: stops, interrupted: interrupted))
    visit()
    return stop
  }

  /// After a movement of the timeline forwards: from its end into the next program, if there is one.
  public func goOn(after stop: Stop) throws(GuestError) -> Stop {
    cameBack = false
    guard case .exec = stop, hasNext else { return stop }
    try enter(index + 1)
    try timeline.restart()
    return .exec(tape: part.number)
  }

  /// Runs backwards to the last stop. From the first moment of a program it goes to the call in the one before that led
  /// there, with `Stop.exec`; what stops there comes with the next run.
  public func reverseContinue(stops: StopSet, interrupted: () -> Bool) throws(GuestError) -> Arrival {
    let here = cameBack
    cameBack = false
    let arrival = try goBack(
      after: timeline.reverseContinue(stops: stops, here: here, interrupted: interrupted), interrupted: interrupted)
    visit()
    return arrival
  }

  /// After a movement of the timeline backwards: from its beginning to the end of the program before, if there is one.
  public func goBack(after arrival: Arrival, interrupted: () -> Bool) throws(GuestError) -> Arrival {
    cameBack = false
    guard arrival == .historyBegin, index > 0 else { return arrival }
    try enter(index - 1)
    do {
      if try timeline.seek(to: .end, interrupted: interrupted) == .interrupted { return .stop(.interrupted) }
    } catch let error as GuestError {
      throw error
    } catch {
      throw .unsupported("\(error)")
    }
    // The tape's last moment is in the call; the one before is that of its instruction.
    if try timeline.reverseStepInstruction(interrupted: interrupted) == .stop(.interrupted) {
      return .stop(.interrupted)
    }
    cameBack = true
    return .stop(.exec(tape: part.number))
  }

  // MARK: To a place

  /// Goes to a place that somebody named. When it cannot be gone to the position is another one, but a valid one.
  public func seek(to place: HistoryPlace, interrupted: () -> Bool) throws -> Stop {
    cameBack = false
    if let tape = place.tape {
      guard let wanted = parts.firstIndex(where: { $0.number == tape }) else {
        throw PlaceError("tape \(tape) is not one of this process")
      }
      try enter(wanted)
    }
    defer { visit() }
    return try timeline.seek(to: place.place, interrupted: interrupted)
  }

  /// Goes to an exact position that the replay was at before.
  private func go(to target: HistoryPosition, interrupted: () -> Bool) throws(GuestError) -> Stop {
    cameBack = false
    guard let wanted = parts.firstIndex(where: { $0.number == target.tape }) else { return .limit }
    try enter(wanted)
    return try timeline.go(to: target.position, interrupted: interrupted)
  }

  /// Goes to the first moment of this program.
  public func restart() throws(GuestError) {
    cameBack = false
    try timeline.restart()
    visit()
  }

  private func visit() { visits.note(position) }

  /// Goes to the position visited before; nil: there is none.
  public func back(interrupted: () -> Bool = { false }) throws(GuestError) -> Stop? {
    guard let target = visits.back(from: position) else { return nil }
    return try go(to: target, interrupted: interrupted)
  }

  /// Undoes `back`; nil: there is nothing to undo.
  public func forward(interrupted: () -> Bool = { false }) throws(GuestError) -> Stop? {
    guard let target = visits.forward() else { return nil }
    return try go(to: target, interrupted: interrupted)
  }

  // MARK: Marks

  /// Marks this position, and makes coming back to it fast.
  public func mark(_ note: String = "") throws(GuestError) -> Int {
    try timeline.addCheckpoint()
    defer { nextMark += 1 }
    marks[nextMark] = Mark(position: position, note: note)
    return nextMark
  }

  /// Goes to a mark; nil: there is none with that number.
  public func restart(mark number: Int, interrupted: () -> Bool = { false }) throws(GuestError) -> Stop? {
    guard let mark = marks[number] else { return nil }
    defer { visit() }
    return try go(to: mark.position, interrupted: interrupted)
  }

  /// False: there is none with that number.
  public func deleteMark(_ number: Int) -> Bool { marks.removeValue(forKey: number) != nil }

  // MARK: Programs

  /// Makes a program the present one, wherever its replay is.
  private func enter(_ wanted: Int) throws(GuestError) {
    guard wanted != index else { return }
    let next: Timeline
    if let known = resting.firstIndex(where: { $0.index == wanted }) {
      next = resting.remove(at: known).timeline
    } else {
      let (engine, births) = try opened(parts[wanted])
      next = try Timeline(engine, memoryBudget: memoryBudget, maximumCheckpoints: Self.mostCheckpoints, births: births)
    }
    try timeline.limit(
      memoryBudget: memoryBudget / (2 * Self.mostResting), maximumCheckpoints: Self.mostCheckpoints / Self.mostResting)
    resting.append((index, timeline))
    if resting.count > Self.mostResting { resting.removeFirst() }
    timeline.onProgress = nil
    timeline = next
    timeline.onProgress = onProgress
    index = wanted
    let rest = resting.reduce(0) { $0 + $1.timeline.checkpointCost }
    try timeline.limit(memoryBudget: max(memoryBudget - rest, 0), maximumCheckpoints: Self.mostCheckpoints)
  }

  /// One that cannot be opened is no failure of the present one.
  private func opened(_ part: Manifest.TapeInfo) throws(GuestError) -> (any Engine, [Birth]) {
    do throws(GuestError) { return try open(part) } catch {
      guard case .replay(let message, _, let divergence) = error else { throw error }
      throw .unsupported(divergence.map { "\(message); \($0)" } ?? message)
    }
  }

  /// How many checkpoints there are, and the bytes that they take.
  public var checkpointCount: Int { resting.reduce(timeline.checkpointCount) { $0 + $1.timeline.checkpointCount } }
  public var checkpointCost: Int { resting.reduce(timeline.checkpointCost) { $0 + $1.timeline.checkpointCost } }
}

/// Where to go: a place in the present program, or in another one of the process (`TAPE:PLACE`).
public struct HistoryPlace: Hashable, Sendable, CustomStringConvertible {
  public var tape: UInt64?
  public var place: Place

  public init(tape: UInt64? = nil, _ place: Place) {
    self.tape = tape
    self.place = place
  }

  /// nil: not a place.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2 {
      guard parts[0].utf8.allSatisfy({ (48...57).contains($0) }), let tape = UInt64(parts[0]) else { return nil }
      self.tape = tape
    }
    guard let place = Place(parts[parts.count - 1]) else { return nil }
    self.place = place
  }

  public var description: String { tape.map { "\($0):\(place)" } ?? "\(place)" }
}
