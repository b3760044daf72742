import Glibc
import Synchronization

/// A tracer and the process that it serves, on one CPU for as long as that one stops again and again.
///
/// A stop costs two switches where tracer and tracee share a CPU (7 µs), and two wake-ups of CPUs that had gone to sleep
/// where they do not (110 µs). The kernel puts a thread that is woken onto a CPU that is free, so it separates the two at each
/// stop. Nobody is moved while several processes stop in turn, and both go where the kernel wants when the stops become rare.
public final class SharedCPU: Sendable {
  private enum Limits {
    /// So many stops of one process make it a neighbour, and at most so many if that was a mistake before.
    static let streak = 8, longestStreak = 1024
    /// A neighbour for that many stops was none.
    static let goodStay = 1024
    /// Stops that are further apart are no streak.
    static let gapNanoseconds: UInt64 = 2_000_000
    /// How often the keeper looks, and the stops that it wants to have seen since.
    static let lookMicroseconds: UInt32 = 20_000
    static let stopsBetweenLooks = 4
    /// Looks without a neighbour after which the keeper goes.
    static let idleLooks = 10
  }
  private struct Neighbour {
    let process: Int32
    let cpu: Int
    /// The thread that was moved, and where it might run before; nil: it was there.
    let moved: (tid: ThreadID, from: [Int])?
    var stops = 0
  }
  private struct State {
    var last: Int32 = 0
    var lastTime: UInt64 = 0
    var streak = 0
    var wanted = Limits.streak
    var neighbour: Neighbour?
    var stopsSinceLook = 0
    var keeperRuns = false
    var idleLooks = 0
  }

  private let tracer = Machine.currentThread
  private let allowed = Machine.allowedCPUs()
  private let state = Mutex(State())

  /// For the calling thread, which is the tracer.
  public init() {}

  /// A thread has stopped and is about to go on.
  ///
  /// - Parameters:
  ///   - cpu: where all threads of its process are kept already; nil: nobody keeps it, and it is the only one.
  /// - Returns: whether the thread may have been moved. `release` gives its CPUs back.
  @discardableResult
  public func served(_ tid: ThreadID, of process: Int32, keptOn cpu: Int? = nil) -> Bool {
    guard allowed.count > 1 else { return false }
    return state.withLock { s in
      s.stopsSinceLook += 1
      if let n = s.neighbour {
        if n.process == process, cpu == nil || cpu == n.cpu {
          s.neighbour?.stops += 1
          return n.moved != nil
        }
        s.wanted = n.stops < Limits.goodStay ? min(s.wanted * 2, Limits.longestStreak) : Limits.streak
        part(&s)
      }
      let now = monotonicNanoseconds()
      s.streak = s.last == process && now - s.lastTime < Limits.gapNanoseconds ? s.streak + 1 : 1
      (s.last, s.lastTime) = (process, now)
      if s.streak >= s.wanted { meet(&s, tid, process, cpu) }
      return s.neighbour?.moved != nil
    }
  }

  /// The thread that was moved, if any, may run where it might before: its process (nil: any) is to have children or
  /// other threads, asks for its CPUs, or has ended.
  public func release(_ process: Int32? = nil) {
    state.withLock { s in
      s.streak = 0
      if let n = s.neighbour, process == nil || process == n.process { part(&s) }
    }
  }

  /// The child of a process that may have been moved may run where the tracer could when it began.
  public func freeChild(_ tid: ThreadID) {
    guard allowed.count > 1, (try? Machine.allowedCPUs(of: tid).count) == 1 else { return }
    try? Machine.setAllowedCPUs(tid, allowed)
  }

  private func meet(_ s: inout State, _ tid: ThreadID, _ process: Int32, _ kept: Int?) {
    s.streak = 0
    if !s.keeperRuns {
      guard (try? startThread { [self] in keep() }) != nil else { return }
      s.keeperRuns = true
    }
    let cpu = kept ?? Machine.currentCPU
    var moved: (tid: ThreadID, from: [Int])?
    if kept == nil {
      guard let before = try? Machine.allowedCPUs(of: tid), before.contains(cpu) else { return }
      if before.count > 1 {
        guard (try? Machine.pin(tid, to: cpu)) != nil else { return }
        moved = (tid, before)
      }
    }
    if (try? Machine.pin(tracer, to: cpu)) == nil {
      if let moved { try? Machine.setAllowedCPUs(moved.tid, moved.from) }
      return
    }
    s.neighbour = Neighbour(process: process, cpu: cpu, moved: moved)
    s.stopsSinceLook = Limits.stopsBetweenLooks
  }

  private func part(_ s: inout State) {
    guard let n = s.neighbour else { return }
    s.neighbour = nil
    s.streak = 0
    // (somebody else may have put it elsewhere: taskset(1))
    if let (tid, from) = n.moved, (try? Machine.allowedCPUs(of: tid)) == [n.cpu] {
      try? Machine.setAllowedCPUs(tid, from)
    }
    try? Machine.setAllowedCPUs(tracer, allowed)
  }

  /// On a thread of its own, as the tracer sleeps while a neighbour does not stop.
  private func keep() {
    var goesOn = true
    while goesOn {
      usleep(Limits.lookMicroseconds)
      goesOn = state.withLock { s in
        if s.neighbour != nil, s.stopsSinceLook < Limits.stopsBetweenLooks { part(&s) }
        s.stopsSinceLook = 0
        s.idleLooks = s.neighbour == nil ? s.idleLooks + 1 : 0
        s.keeperRuns = s.idleLooks < Limits.idleLooks
        if !s.keeperRuns { s.idleLooks = 0 }
        return s.keeperRuns
      }
    }
  }
}
