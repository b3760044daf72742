// What was given back: bytes of the code cache and of the tables, heads, exits.

/// Runs of numbers that nobody has. In order, and no two of them touch.
struct FreeRanges {
  private(set) var runs: [(start: Int, count: Int)] = []
  private(set) var total = 0

  /// The lowest place for `count` numbers in a row.
  mutating func take(_ count: Int) -> Int? {
    guard count <= total, let i = runs.firstIndex(where: { $0.count >= count }) else { return nil }
    let start = runs[i].start
    if runs[i].count == count {
      runs.remove(at: i)
    } else {
      runs[i] = (start + count, runs[i].count - count)
    }
    total -= count
    return start
  }

  /// Any number.
  mutating func takeOne() -> Int? {
    guard let last = runs.last else { return nil }
    total -= 1
    if last.count == 1 {
      runs.removeLast()
    } else {
      runs[runs.count - 1].count -= 1
    }
    return last.start + last.count - 1
  }

  mutating func give(_ start: Int, _ count: Int) { give([(start, count)]) }

  /// Gives runs back, in any order.
  mutating func give(_ list: [(start: Int, count: Int)]) {
    let sorted = list.sorted { $0.start < $1.start }
    var merged: [(start: Int, count: Int)] = []
    merged.reserveCapacity(runs.count + sorted.count)
    func add(_ r: (start: Int, count: Int)) {
      if let last = merged.last, last.start + last.count == r.start {
        merged[merged.count - 1].count += r.count
      } else {
        merged.append(r)
      }
    }
    var i = 0
    for r in sorted {
      while i < runs.count, runs[i].start < r.start {
        add(runs[i])
        i += 1
      }
      add(r)
      total += r.count
    }
    while i < runs.count {
      add(runs[i])
      i += 1
    }
    runs = merged
  }

  mutating func removeAll() { self = FreeRanges() }
}
