import CABI
import Linux
import Tape

/// Checksums of a stopped process: what proves that a replay is exact.
public struct MemoryRange {
  public var address: UInt64
  public var length: UInt64
  public var checksum: UInt64
}

extension GuestProcess {
  /// Writable memory of the program, by mapping, with a checksum of each.
  public func memoryChecksums() throws(GuestError) -> [MemoryRange] {
    let maps = try kernel("read the memory map") { () throws(Errno) in try memoryMaps(of: tid) }
    var ranges: [MemoryRange] = []
    let content = MemoryContent(of: self, maps)
    for m in maps where !m.path.hasPrefix("[v") {
      if m.start < UInt64(BIS_REGION_END), m.end > UInt64(BIS_REGION_BASE) { continue }
      guard m.read, m.write || guarded.keys.contains(where: { m.contains($0) }) else { continue }
      ranges.append(
        MemoryRange(address: m.start, length: m.byteCount, checksum: try content.checksum(m.start, m.byteCount)))
    }
    return ranges
  }

  fileprivate func contentChecksum(_ run: Range<UInt64>, seed: UInt64) throws(GuestError) -> UInt64 {
    var h = seed
    var at = run.lowerBound
    var buffer = [UInt8](repeating: 0, count: Int(min(run.upperBound - at, 1 << 20)))
    while at < run.upperBound {
      let want = Int(min(run.upperBound - at, UInt64(buffer.count)))
      h = try buffer.withMutableBytes { (all) throws(GuestError) -> UInt64 in
        let b = UnsafeMutableRawBufferPointer(rebasing: all[0..<want])
        try fill(b, from: at)
        var h = h
        for offset in stride(from: 0, to: want, by: 4096) {
          let page = UnsafeRawBufferPointer(rebasing: b[offset..<min(offset + 4096, want)])
          if !isZero(page) { h = xxHash64(page, seed: h &+ at &+ UInt64(offset)) }
        }
        return h
      }
      at += UInt64(want)
    }
    return h
  }

  private func isZero(_ page: UnsafeRawBufferPointer) -> Bool {
    var at = 0
    while at + 64 <= page.count {
      var bits: UInt64 = 0
      for word in 0..<8 { bits |= page.loadUnaligned(fromByteOffset: at + word * 8, as: UInt64.self) }
      if bits != 0 { return false }
      at += 64
    }
    return page[at...].allSatisfy { $0 == 0 }
  }

  /// Memory that cannot be read counts as zero.
  private func fill(_ b: UnsafeMutableRawBufferPointer, from address: UInt64) throws(GuestError) {
    var done = 0
    while done < b.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: b[done...])
      var got = 0
      do throws(Errno) { got = try readMemory(tid, address + UInt64(done), into: rest) } catch {
        if error == .gone { throw .gone }
      }
      if got <= 0 {
        let page = min(rest.count, 4096 - Int((address + UInt64(done)) & 4095))
        rest.baseAddress!.initializeMemory(as: UInt8.self, repeating: 0, count: page)
        got = page
      }
      done += got
    }
  }

  /// Checksum of `length` bytes, as recordings had it before `MemoryContent`; memory that cannot be read counts as zero.
  public func checksum(_ address: UInt64, _ length: UInt64) throws(GuestError) -> UInt64 {
    var h: UInt64 = 0
    var at = address
    let end = address &+ length
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while at < end {
      let want = Int(min(end - at, UInt64(buffer.count)))
      h = try buffer.withMutableBytes { (b) throws(GuestError) -> UInt64 in
        try fill(UnsafeMutableRawBufferPointer(rebasing: b[0..<want]), from: at)
        return xxHash64(UnsafeRawBufferPointer(rebasing: b[0..<want]), seed: h)
      }
      at += UInt64(want)
    }
    return h
  }

  /// Checksum of general registers, bases and vector state.
  public func registerChecksum(_ codec: XStateCodec) throws(GuestError) -> UInt64 {
    var words = (0..<16).map { control.gpr[$0] }
    words += [
      control.rip, control.block.pointee.rflags & 0xCD5, control.block.pointee.fs_base, control.block.pointee.gs_base,
    ]
    let h = words.withUnsafeBytes { xxHash64($0) }
    return try codec.read(tid).withUnsafeBytes { xxHash64($0, seed: h) }
  }
}

/// What a stopped process has in its memory, as far as it is not zero.
public struct MemoryContent: ~Copyable {
  private let process: GuestProcess
  private let maps: [MemoryMap]
  /// Nil: the kernel does not tell.
  private let pages: PageMap?
  /// Without `pages` everything is read that is no more than this.
  private static let readAnyway: UInt64 = 64 << 30

  /// - Parameter maps: the process's, in order.
  public init(of process: GuestProcess, _ maps: [MemoryMap]) {
    self.process = process
    self.maps = maps
    pages = try? PageMap(of: process.tid)
  }

  /// Checksum of the pages in `[address, address + length)` that hold anything but zeros. Those that the process has never
  /// touched are not read: there may be terabytes of them (the shadow memory of sanitizers).
  public func checksum(_ address: UInt64, _ length: UInt64) throws(GuestError) -> UInt64 {
    var h: UInt64 = 0
    let end = address + length
    for m in maps where m.start < end && m.end > address {
      let (low, high) = (max(m.start, address), min(m.end, end))
      let isAnonymous = m.inode == 0 && !m.shared
      for run in try isAnonymous ? touched(low, high) : [low..<high] {
        h = try process.contentChecksum(run, seed: h)
      }
    }
    return h
  }

  private func touched(_ low: UInt64, _ high: UInt64) throws(GuestError) -> [Range<UInt64>] {
    if let runs = try? pages?.populated(low, high) { return runs }
    guard high - low <= MemoryContent.readAnyway else {
      throw .unsupported("checksums of \((high - low) >> 30) GiB of memory need Linux 6.7: record without --checksum")
    }
    return [low..<high]
  }
}
