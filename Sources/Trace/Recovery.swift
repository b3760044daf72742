// Putting on disk what a killed recorder left.
import Glibc
import Tape

/// What `recover` did to a tape.
public struct RecoveredTape: Equatable, Sendable {
  public var tape: UInt64
  /// Events that only the rings held.
  public var recoveredEvents: UInt64
  /// All events, a LOST one at the end included.
  public var eventCount: UInt64
  /// Whether the tape had ended by itself, and only its index was missing.
  public var isComplete: Bool
}

extension TraceDirectory {
  /// Completes the tapes of a trace whose recorder was killed: appends what the rings hold, cuts after the last
  /// complete event, ends tapes with a LOST event, writes the missing lines of the manifest, and deletes the rings.
  ///
  /// Doing it again changes nothing. Readers do the same in memory, so this is needed only to keep or send the trace.
  /// - Throws: `.busy` while it is being recorded; `.system` when the directory is read-only.
  @discardableResult
  public func recover() throws(TraceError) -> [RecoveredTape] {
    let manifest = try ManifestWriter(continuing: self)
    let bytes = try OwnedFile.open(manifestPath, O_RDONLY).readAll(limit: Manifest.maximumSize)
    let known = try Manifest.decode(bytes, path: manifestPath).manifest
    let rings = try RingsFile(self)
    var numbers = Set(try tapeNumbers())
    let inRings = rings?.segments.keys.map { $0 } ?? []
    numbers.formUnion(inRings.filter { known?.tape($0) != nil })
    var recovered: [RecoveredTape] = []
    for number in numbers.sorted() {
      guard let plan = try recover(tape: number, rings: rings) else { continue }
      recovered.append(
        RecoveredTape(
          tape: number, recoveredEvents: plan.recoveredEvents, eventCount: plan.index.progress.eventCount,
          isComplete: plan.isComplete))
      guard let info = known?.tape(number), info.end == nil else { continue }
      let end = Manifest.TapeEnd(
        outcome: Self.outcome(plan), eventCount: plan.index.progress.eventCount,
        byteCount: plan.kept + UInt64(plan.tail.count))
      try manifest.end(tape: number, end)
    }
    if rings != nil, unlink(ringsPath) != 0 { throw .system(operation: "delete", path: ringsPath, errno: errno) }
    if known != nil, known?.outcome == nil { try manifest.finish(.lost) }
    return recovered
  }

  /// Completes one tape; nil when it is complete.
  private func recover(tape: UInt64, rings: RingsFile?) throws(TraceError) -> RecoveryPlan? {
    let path = tapePath(tape)
    let source = try TapeSource(file: try .open(path, O_RDONLY | O_CREAT))
    var loader = ChunkLoader()
    guard let plan = try TapeFileReader.open(source, tape: tape, rings: rings, loader: &loader).plan else {
      return nil
    }
    let file = try OwnedFile.open(path, O_WRONLY)
    try file.writeAll(plan.tail, at: plan.kept)
    try file.truncate(to: plan.kept + UInt64(plan.tail.count))
    return plan
  }

  private static func outcome(_ plan: RecoveryPlan) -> Manifest.Outcome {
    guard plan.isComplete, let head = plan.lastHead else { return .lost }
    switch head.kind {
    case .exit:
      let value = Int32(truncatingIfNeeded: head.value)
      return head.number == 0 ? .exited(value) : .signalled(value)
    case .exec: return .exec(tape: head.value)
    default: return .lost
    }
  }
}
