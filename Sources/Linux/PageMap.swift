internal import CLinux

/// Which pages of a process there are. proc_pid_pagemap(5)
public struct PageMap: ~Copyable {
  private let file: Descriptor

  public init(of tid: ThreadID) throws(Errno) { file = try Descriptor.open("/proc/\(tid)/pagemap", flags: 0) }

  /// Runs of pages in `[start, end)` that are in memory or swapped out, in order. Throws ENOTTY before Linux 6.7.
  public func populated(_ start: UInt64, _ end: UInt64) throws(Errno) -> [Range<UInt64>] {
    var found: [Range<UInt64>] = []
    var regions = [UInt64](repeating: 0, count: 3 * 512)
    var at = start
    while at < end {
      var walked: UInt64 = 0
      let count = try check(bis_pagemap_scan(file.raw, at, end, &regions, regions.count / 3, &walked))
      for i in 0..<Int(count) { found.append(regions[3 * i]..<regions[3 * i + 1]) }
      guard walked > at else { throw .invalid }
      at = walked
    }
    return found
  }
}
