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
    for m in maps where !m.path.hasPrefix("[v") {
      if m.start < UInt64(BIS_REGION_END), m.end > UInt64(BIS_REGION_BASE) { continue }
      guard m.read, m.write || guarded.keys.contains(where: { m.contains($0) }) else { continue }
      ranges.append(
        MemoryRange(address: m.start, length: m.byteCount, checksum: try checksum(m.start, m.byteCount)))
    }
    return ranges
  }

  /// Checksum of `length` bytes; memory that cannot be read counts as zero.
  public func checksum(_ address: UInt64, _ length: UInt64) throws(GuestError) -> UInt64 {
    var h: UInt64 = 0
    var at = address
    let end = address &+ length
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while at < end {
      let want = Int(min(end - at, UInt64(buffer.count)))
      h = try buffer.withMutableBytes { (b) throws(GuestError) -> UInt64 in
        var done = 0
        while done < want {
          let rest = UnsafeMutableRawBufferPointer(rebasing: b[done..<want])
          var got = 0
          do throws(Errno) { got = try readMemory(tid, at + UInt64(done), into: rest) } catch {
            if error == .gone { throw .gone }
          }
          if got <= 0 {
            let page = min(want - done, 4096 - Int((at + UInt64(done)) & 4095))
            rest.baseAddress!.initializeMemory(as: UInt8.self, repeating: 0, count: page)
            got = page
          }
          done += got
        }
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
