import CABI
import Guest
import Linux
import Trace

/// A stretch of the program's memory, as it would stand in `/proc/PID/maps`.
public struct EngineMapping: Sendable, Equatable {
  public var low: UInt64
  public var high: UInt64
  public var isReadable: Bool
  public var isWritable: Bool
  public var isExecutable: Bool
  /// Bytes into the file.
  public var offset: UInt64
  /// The file's path in the recording, `[heap]` or `[stack]`, or empty.
  public var path: String
}

extension TranslateEngine {
  public func mappings() throws(GuestError) -> [EngineMapping] {
    let maps = try kernel("read the memory map") { () throws(Errno) in try memoryMaps(of: tid) }
    var list: [EngineMapping] = []
    for map in maps where !map.path.hasPrefix("[v") {
      if map.start < UInt64(BIS_REGION_END), map.end > UInt64(BIS_REGION_BASE) { continue }
      // (pages that are watched for changes of code are the program's to write)
      let isWatched = process.guest.guarded.keys.contains { map.contains($0) }
      let next = EngineMapping(
        low: map.start, high: map.end, isReadable: map.read, isWritable: map.write || isWatched,
        isExecutable: process.guest.range(at: map.start) != nil, offset: map.isFile ? map.offset : 0,
        path: recordedPath(map))
      if let last = list.last, last.isContinued(by: next) {
        list[list.count - 1].high = next.high
      } else {
        list.append(next)
      }
    }
    return list
  }

  /// Files come from the trace, under names of its own.
  private func recordedPath(_ map: MemoryMap) -> String {
    guard map.isFile else { return map.path == "[heap]" || map.path == "[stack]" ? map.path : "" }
    guard let name = map.path.split(separator: "/").last,
      let number = name.split(separator: "-").first.flatMap({ UInt64($0) }),
      let file = session.manifest.file(number), file.storedName == name
    else { return "" }
    return file.path
  }
}

extension EngineMapping {
  fileprivate func isContinued(by next: EngineMapping) -> Bool {
    high == next.low && path == next.path && isReadable == next.isReadable && isWritable == next.isWritable
      && isExecutable == next.isExecutable && (path.hasPrefix("/") ? offset + (high - low) == next.offset : true)
  }
}
