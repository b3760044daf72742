// The events of several tapes in one order.
import Tape
import Trace

/// Merges tapes by their events' stamps. A tape is open only between its first and its last event, so that a recording
/// of thousands of processes needs no thousands of buffers.
struct EventMerge {
  private struct Source {
    let info: Manifest.TapeInfo
    let directory: TraceDirectory
    let from: TapePosition
    let to: TapePosition
    var last: UInt64 = 0
    var next: Event
    var events: TapeEvents?
  }

  /// Bytes of each payload that are kept.
  private static let payloadLimit = 64
  private var sources: [Source] = []

  /// Adds a tape. - Throws: what its first event's chunk has wrong.
  mutating func add(_ info: Manifest.TapeInfo, of directory: TraceDirectory, from: TapePosition, to: TapePosition)
    throws
  {
    let reader = try TapeFileReader(directory, tape: info.number)
    let first = from.index(count: reader.eventCount)
    guard first < reader.eventCount, var events = try? reader.events(from: first, payloadLimit: Self.payloadLimit),
      let next = try events.next()
    else { return }
    var source = Source(info: info, directory: directory, from: from, to: to, next: next.event)
    source.last = to.index(count: reader.eventCount)
    sources.append(source)
  }

  /// The next event of all tapes.
  mutating func next() throws -> (tape: Manifest.TapeInfo, event: Event)? {
    guard let index = sources.indices.min(by: { sources[$0].next.head.stamp < sources[$1].next.head.stamp }) else {
      return nil
    }
    let result = (sources[index].info, sources[index].next)
    if sources[index].events == nil {
      let source = sources[index]
      let reader = try TapeFileReader(source.directory, tape: source.info.number)
      var events = try reader.events(from: source.next.index, payloadLimit: Self.payloadLimit)
      _ = try events.next()
      sources[index].events = events
    }
    if result.1.index < sources[index].last, let following = try sources[index].events?.next()?.event {
      sources[index].next = following
    } else {
      sources.remove(at: index)
    }
    return result
  }
}
