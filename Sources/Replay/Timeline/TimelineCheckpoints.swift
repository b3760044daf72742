// Which checkpoints a timeline keeps.

/// Checkpoints by position, under limits of memory and number: dense near the present, sparse far away. Decides; the timeline
/// makes and discards them. The first one, the start, is never given up.
struct CheckpointLadder {
  struct Entry {
    let id: CheckpointID
    let position: Position
    /// Bytes of memory, when last asked.
    var cost: Int
    /// Not to be given up for now.
    var isHeld = false
  }

  /// Ascending, each position once.
  private(set) var entries: [Entry] = []
  /// Bytes.
  var budget: Int
  /// A checkpoint is a process: there cannot be any number of them.
  var maximumCount: Int

  init(budget: Int, maximumCount: Int) {
    self.budget = budget
    self.maximumCount = max(maximumCount, 2)
  }

  var cost: Int { entries.reduce(0) { $0 + $1.cost } }
  var isOverLimit: Bool { entries.count > maximumCount || (entries.count > 1 && cost > budget) }

  /// The last entry of those that `isBefore` holds for. It must hold for a first part of them.
  func last(where isBefore: (Position) -> Bool) -> Entry? {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if isBefore(entries[middle].position) { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? entries[low - 1] : nil
  }

  func contains(_ position: Position) -> Bool { last { $0 <= position }?.position == position }

  mutating func insert(_ entry: Entry) {
    let index = entries.firstIndex { $0.position > entry.position } ?? entries.count
    entries.insert(entry, at: index)
  }

  mutating func remove(_ id: CheckpointID) { entries.removeAll { $0.id == id } }

  mutating func hold(_ id: CheckpointID, _ isHeld: Bool) {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
    entries[index].isHeld = isHeld
  }

  /// Asks for the costs again: all, or those of the neighbours of a position.
  mutating func updateCosts(near position: Position, all: Bool, _ cost: (CheckpointID) -> Int) {
    let middle = entries.firstIndex { $0.position >= position } ?? entries.count
    let range = all ? entries.indices : max(middle - 2, 0)..<min(middle + 2, entries.count)
    for index in range { entries[index].cost = cost(entries[index].id) }
  }

  /// What to give up first: the entry whose absence makes the smallest gap, compared with how far away it is.
  /// - Parameters:
  ///   - time: how long a replay takes to a position, in any unit.
  ///   - unit: the time between two checkpoints in the present.
  func victim(present: Position, time: (Position) -> Double, unit: Double) -> Entry? {
    let now = time(present)
    var best: (score: Double, entry: Entry)?
    for index in entries.indices.dropFirst() where !entries[index].isHeld {
      let here = time(entries[index].position)
      let after = index + 1 < entries.count ? time(entries[index + 1].position) : max(now, here + unit)
      let gap = after - time(entries[index - 1].position)
      let score = gap / (abs(now - here) + unit)
      if best.map({ score < $0.score }) ?? true { best = (score, entries[index]) }
    }
    return best?.entry
  }
}

/// How much replay is done at once: about so long that a person does not notice, measured in ticks and events.
struct Pace {
  /// Nanoseconds of a chunk.
  var target: Double = 250_000_000
  private(set) var ticks: UInt64 = 1_000_000
  private(set) var events: UInt64 = 1_000

  /// How long a replay takes to a position, in ticks.
  func time(_ position: Position) -> Double {
    Double(position.ticks) + Double(position.event) * Double(ticks) / Double(events)
  }

  /// `time` between two checkpoints of a run.
  var unit: Double { Double(ticks) }

  /// What took `nanoseconds`: the next chunk is shorter or longer.
  mutating func note(from: Position, to: Position, nanoseconds: UInt64) {
    let share = max(time(to) - time(from), 1) / unit
    guard share > 0.01 || nanoseconds > UInt64(target) else { return }  // too short to tell
    let factor = min(max(target * share / max(Double(nanoseconds), 1), 0.25), 4)
    let isEvents = Double(to.event &- from.event) * Double(ticks) / Double(events) > Double(to.ticks &- from.ticks)
    if isEvents { events = scaled(events, factor) } else { ticks = scaled(ticks, factor) }
  }

  private func scaled(_ number: UInt64, _ factor: Double) -> UInt64 {
    UInt64(min(max(Double(number) * factor, 16), 1e12))
  }
}
