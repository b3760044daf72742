import Guest
import Tape
public import Trace

extension ProcessHistory {
  /// The process of a tape, replayed, at the first moment of that tape.
  public convenience init(
    _ options: ReplayOptions, trace: TraceDirectory, manifest: Manifest, tape: Manifest.TapeInfo, memoryBudget: Int,
    open: @escaping (ReplayOptions, _ tape: UInt64) throws(ReplayError) -> any Engine
  ) throws(GuestError) {
    var opened: Set<UInt64> = []
    try self.init(manifest.programs(with: tape), tape: tape.number, memoryBudget: memoryBudget) {
      (part) throws(GuestError) in
      var options = options
      options.process = String(part.pid)
      // (opened again it would tell its output again)
      if !opened.insert(part.number).inserted { options.quiet = true }
      do throws(ReplayError) {
        return (try open(options, part.number), births(of: part, trace, manifest))
      } catch {
        throw .replay(
          "cannot replay \(part.executable), tape \(part.number): \(error.message)", error.hint, error.divergence)
      }
    }
  }
}

/// The processes that a program makes. The manifest says about where, the tape exactly.
private func births(of part: Manifest.TapeInfo, _ trace: TraceDirectory, _ manifest: Manifest) -> [Birth] {
  let children = manifest.tapes.filter { $0.parent == part.number && $0.pid != part.pid }
  guard !children.isEmpty, let reader = try? TapeFileReader(trace, tape: part.number) else { return [] }
  return children.compactMap { child in
    guard let about = child.parentEvent else { return nil }
    // Other events may come between the child's first sign of life and the parent's return; where the child shared the
    // parent's memory, in either order.
    for distance in 0..<UInt64(1000) {
      let candidates =
        child.origin == .exec && distance > 0 ? [about &- distance, about &+ distance] : [about &+ distance]
      for index in candidates where index < reader.eventCount {
        guard let event = try? reader.event(index) else { continue }
        if isBirth(of: child, event) {
          return Birth(event: index + 1, child: child.pid, isVfork: child.origin == .exec)
        }
      }
    }
    return nil
  }.sorted { $0.event < $1.event }
}

private func isBirth(of child: Manifest.TapeInfo, _ event: Event) -> Bool {
  if child.origin == .exec { return event.head.kind == .vforkLeave && event.head.value == UInt64(child.pid) }
  for case .process(child.number, _) in event.effects { return true }
  return false
}
