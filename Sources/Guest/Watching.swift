import CABI
import Translate

/// Memory that a debugger watches, when the debug registers do not suffice: code that asks before it touches some.
extension GuestProcess {
  /// From here on the process runs code that asks about such accesses (`Translate/Watch.swift`). The process must be
  /// stopped where a copy of it could go on. True when that changes anything.
  public func watch(_ accesses: Watching) throws(GuestError) -> Bool {
    guard accesses != watching else { return false }
    let former = Set(ranges.map(\.domain))
    watching = accesses
    try watchRanges()
    try publishRanges()
    try forgetTargets()
    try leave { former.contains($0) }
    return true
  }

  /// Ranges that came since watch what the others do.
  public func watchRanges() throws(GuestError) {
    for i in ranges.indices { ranges[i].domain = try code.variant(of: ranges[i].domain, watching) }
  }
}

/// A range of watched memory.
public struct WatchedRange: Equatable, Sendable {
  public var low: UInt64
  public var high: UInt64
  public var reads: Bool
  public var writes: Bool
  public init(low: UInt64, high: UInt64, reads: Bool, writes: Bool) {
    self.low = low
    self.high = high
    self.reads = reads
    self.writes = writes
  }
}

/// The tables that instrumented code looks into (bis_abi.h, BIS_TABLES_WATCH_*).
struct WatchTables {
  private static let granule: UInt64 = 1 << 16
  /// Bytes before a watched one at which an access may begin.
  private static let reach: UInt64 = 63
  private static let far: UInt8 = 64

  /// Tables by the granule's number modulo 65,536; `full`: all of it is watched, or there is no table for it.
  private(set) var numbers: [UInt16: Int] = [:]
  private(set) var tables: [[UInt8]] = []
  static let full = 0

  init(_ list: [WatchedRange]) {
    for range in list where range.high > range.low { add(range) }
  }

  private mutating func add(_ range: WatchedRange) {
    let first = (range.low &- min(Self.reach, range.low)) / Self.granule
    let last = (range.high - 1) / Self.granule
    for n in 0...min(last - first, 0xFFFF) {
      let base = (first + n) * Self.granule
      let number = UInt16(truncatingIfNeeded: first + n)
      if numbers[number] == Self.full { continue }
      if range.low <= base, range.high - base >= Self.granule {
        numbers[number] = Self.full
      } else {
        mark(number, range, base)
      }
    }
  }

  private mutating func mark(_ number: UInt16, _ range: WatchedRange, _ base: UInt64) {
    if numbers[number] == nil {
      guard tables.count + 1 < Int(BIS_TABLES_WATCH_COUNT) else {
        numbers[number] = Self.full
        return
      }
      tables.append([UInt8](repeating: Self.far, count: Int(Self.granule)))
      numbers[number] = tables.count
    }
    let t = numbers[number]! - 1
    let low = max(base, range.low &- min(Self.reach, range.low))
    let end = range.high - base < Self.granule ? range.high : base + Self.granule
    for a in low..<end {
      let distance = a < range.low ? UInt8(range.low - a) : 0
      tables[t][Int(a - base)] = min(tables[t][Int(a - base)], distance)
    }
  }
}

extension Region {
  /// Tells code and runtime of this session which memory is watched; `index` in what they report counts these. False when
  /// there are too many.
  public func setWatched(_ list: [WatchedRange]) -> Bool {
    let stride = MemoryLayout<bis_watched>.stride
    guard 8 + list.count * stride <= Int(BIS_TABLES_WATCH_LIST_SIZE) else { return false }
    let made = WatchTables(list)
    var first = [UInt32](repeating: 0, count: 1 << 16)
    for (number, table) in made.numbers {
      // (The code looks at the address's bytes the other way round.)
      first[Int(number.byteSwapped)] = UInt32(BIS_TABLES_WATCH_SECOND) + UInt32(table) << 16
    }
    put(first.withUnsafeBytes { Array($0) }, at: Int(BIS_TABLES_WATCH_FIRST), limit: Int(BIS_TABLES_WATCH_REACH))
    put(
      (0..<128).map { $0 < 64 ? 1 : 0 }, at: Int(BIS_TABLES_WATCH_REACH), limit: Int(BIS_TABLES_WATCH_LIST))
    for (i, table) in made.tables.enumerated() {
      put(table, at: Int(BIS_TABLES_WATCH_SECOND) + (i + 1) << 16, limit: Int(BIS_TABLES_SIZE))
    }
    var out = [UInt8](repeating: 0, count: 8 + list.count * stride)
    out.withUnsafeMutableBytes { b in
      b.storeBytes(of: UInt64(list.count), as: UInt64.self)
      for (n, i) in list.indices.sorted(by: { list[$0].low < list[$1].low }).enumerated() {
        let r = list[i]
        let bits = (r.reads ? BIS_WATCH_READS.rawValue : 0) | (r.writes ? BIS_WATCH_WRITES.rawValue : 0)
        b.storeBytes(
          of: bis_watched(low: r.low, high: r.high, bits: bits, index: UInt32(i)), toByteOffset: 8 + n * stride,
          as: bis_watched.self)
      }
    }
    put(out, at: Int(BIS_TABLES_WATCH_LIST), limit: Int(BIS_TABLES_WATCH_LIST) + Int(BIS_TABLES_WATCH_LIST_SIZE))
    return true
  }
}
