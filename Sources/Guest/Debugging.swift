import CABI
import Linux
import Tape
import Translate

/// What a debugger needs of a replayed process.
extension GuestProcess {
  /// Bytes of the program's memory from `address` on, as far as they can be read. What belongs to bis is not there.
  public func readable(_ address: UInt64, _ count: Int) -> [UInt8] {
    var count = count
    if address < UInt64(BIS_REGION_END) {
      if address >= UInt64(BIS_REGION_BASE) { return [] }
      count = min(count, Int(clamping: UInt64(BIS_REGION_BASE) - address))
    }
    var bytes = [UInt8](repeating: 0, count: max(count, 0))
    var done = 0
    bytes.withUnsafeMutableBytes { b in
      while done < count {
        let rest = UnsafeMutableRawBufferPointer(rebasing: b[done...])
        guard let got = try? readMemory(tid, address &+ UInt64(done), into: rest), got > 0 else { return }
        done += got
      }
    }
    bytes.removeSubrange(done...)
    return bytes
  }

  /// Makes translated code ask the runtime before the instruction at `address`; where no code is, it will once there is.
  public func insertBreakpoint(at address: UInt64) throws(GuestError) {
    try makeRoom()
    guard let r = range(at: address) else { return code.translator.announceBreakpoint(at: address) }
    do throws(TranslateError) {
      if let view = r.view {
        try code.translator.insertBreakpoint(r.domain, at: address, view: view)
      } else {
        let low = max(r.low, address & ~0xFFF)
        let bytes = try? read(low, Int(min(r.high, low + 0x2000) - low))
        let failure: TranslateError? = (bytes ?? []).withUnsafeBytes { b in
          do throws(TranslateError) {
            try code.translator.insertBreakpoint(r.domain, at: address, view: CodeView(base: low, bytes: b))
            return nil
          } catch { return error }
        }
        if let failure { throw failure }
      }
    } catch {
      if case .unreadable = error { return }
      throw .translate(error)
    }
    if r.view == nil { try guardTranslation(r, address) }
    try publishRanges()
  }

  /// Whether some of `[low, high)` is executable memory of its own, not of a mapped file.
  public func hasOwnCode(low: UInt64, high: UInt64) -> Bool {
    ranges.contains { $0.image == nil && $0.low < high && $0.high > low }
  }

  /// Fresh translations for all memory of its own.
  public func renewCode() throws(GuestError) {
    let former = Set(ranges.filter { $0.image == nil }.map(\.domain))
    for i in ranges.indices where ranges[i].image == nil {
      ranges[i].domain = try ownRange(low: ranges[i].low, high: ranges[i].high).domain
    }
    try publishRanges()
    try forgetTargets()
    for domain in former { code.drop(domain) }
  }

  /// One number for all writable memory; how the kernel splits it into mappings does not matter, nor which pages are
  /// watched.
  public func memoryChecksum(seed: UInt64) throws(GuestError) -> UInt64 {
    let maps = try kernel("read the memory map") { () throws(Errno) in try memoryMaps(of: tid) }
    var ranges: [(low: UInt64, high: UInt64)] = []
    let watched = guarded.keys.sorted()
    for m in maps where !m.path.hasPrefix("[v") {
      if m.start < UInt64(BIS_REGION_END), m.end > UInt64(BIS_REGION_BASE) { continue }
      guard m.read else { continue }
      // (The kernel may have put watched pages into one mapping with others that cannot be written to.)
      let parts = m.write ? [(m.start, m.end)] : watched.filter { m.contains($0) }.map { ($0, $0 + 0x1000) }
      for (low, high) in parts {
        if let last = ranges.last, last.high == low {
          ranges[ranges.count - 1].high = high
        } else {
          ranges.append((low, high))
        }
      }
    }
    let content = MemoryContent(of: self, maps)
    var h = seed
    for r in ranges {
      let sum = try content.checksum(r.low, r.high - r.low)
      h = [h, r.low, r.high, sum].withUnsafeBytes { xxHash64($0) }
    }
    return h
  }
}

extension Region {
  /// Tells the runtime of this session which breakpoints there are: by address, the conditions (none: it always stops).
  /// False when there is no room.
  public func setBreakpoints(_ list: [UInt64: [[UInt8]]]) -> Bool {
    let sorted = list.sorted { $0.key < $1.key }
    let conditions = sorted.flatMap(\.value)
    let heads = MemoryLayout<bis_breakpoints>.size + sorted.count * MemoryLayout<bis_breakpoint>.stride
    let bytesAt = heads + conditions.count * MemoryLayout<bis_condition>.stride
    let size = bytesAt + conditions.reduce(0) { $0 + $1.count }
    guard size <= Int(BIS_TABLES_BREAKPOINTS_SIZE) else { return false }
    var out = [UInt8](repeating: 0, count: size)
    out.withUnsafeMutableBytes { b in
      b.storeBytes(of: UInt32(sorted.count), as: UInt32.self)
      b.storeBytes(of: UInt32(heads), toByteOffset: 4, as: UInt32.self)
      var first = 0
      for (i, e) in sorted.enumerated() {
        b.storeBytes(
          of: bis_breakpoint(address: e.key, first: UInt32(first), conditions: UInt32(e.value.count)),
          toByteOffset: MemoryLayout<bis_breakpoints>.size + i * MemoryLayout<bis_breakpoint>.stride,
          as: bis_breakpoint.self)
        first += e.value.count
      }
      var at = bytesAt
      for (i, c) in conditions.enumerated() {
        b.storeBytes(
          of: bis_condition(offset: UInt32(at), length: UInt32(c.count)),
          toByteOffset: heads + i * MemoryLayout<bis_condition>.stride, as: bis_condition.self)
        for (k, byte) in c.enumerated() { b[at + k] = byte }
        at += c.count
      }
    }
    putBreakpoints(out)
    return true
  }
}

/// Bytes of memory that only this process has.
public func privateBytes(of tid: ThreadID) -> Int {
  guard let bytes = try? readFile("/proc/\(tid)/smaps_rollup") else { return 0 }
  let text = String(decoding: bytes, as: UTF8.self)
  var total = 0
  for line in text.split(separator: "\n") where line.hasPrefix("Private_") {
    let words = line.split(separator: " ")
    if words.count > 1, let n = Int(words[1]) { total += n * 1024 }
  }
  return total
}
