import Glibc
import Synchronization

/// A tracer and the process that it serves, on one CPU for as long as that one stops again and again; or all processes that
/// wait for each other's memory.
///
/// A stop costs two switches where tracer and tracee share a CPU (7 µs), and two wake-ups of CPUs that had gone to sleep
/// where they do not (110 µs). The kernel puts a thread that is woken onto a CPU that is free, so it separates the two at each
/// stop. Nobody is moved while several processes stop in turn, and both go where the kernel wants when the stops become rare.
///
/// One whose questions the tracer looks for (Guest/Attention.swift) is kept away from the tracer's CPU instead.
public final class SharedCPU: Sendable {
  private enum Limits {
    /// So many stops of one process make it a neighbour, and at most so many if that was a mistake before.
    static let streak = 8, longestStreak = 1024
    /// A neighbour for that many stops was none.
    static let goodStay = 1024
    /// Stops that are further apart are no streak.
    static let gapNanoseconds: UInt64 = 2_000_000
    /// So many exchanges, each soon after the one before, bring processes together.
    static let exchanges = 32
    /// How often the keeper looks, and the stops that it wants to have seen since.
    static let lookMicroseconds: UInt32 = 20_000
    static let stopsBetweenLooks = 4
    /// Looks without a neighbour after which the keeper goes.
    static let idleLooks = 10
  }
  private struct Neighbour {
    let process: Int32
    /// The thread that was moved, and where it might run before; nil: it was there.
    let moved: Moved?
  }
  private struct Moved {
    let tid: ThreadID
    let from: [Int]
    let to: [Int]
  }
  private struct State {
    var last: Int32 = 0
    var lastTime: UInt64 = 0
    var streak = 0
    var wanted = Limits.streak
    /// Those that share the tracer's CPU, several only if they wait for each other.
    var neighbours: [Neighbour] = []
    var cpu = 0
    /// Stops of theirs.
    var stops = 0
    /// The process that is kept away, and its thread, if that was moved.
    var separated: (process: Int32, moved: Moved?)?
    var lastExchange: UInt64 = 0
    var exchanges = 0
    var stopsSinceLook = 0
    var keeperRuns = false
    var idleLooks = 0
  }

  private let tracer = Machine.currentThread
  /// Where the tracer might run when it began: it may be kept on one since.
  public let allowed = Machine.allowedCPUs()
  private let state = Mutex(State())

  /// For the calling thread, which is the tracer.
  public init() {}

  /// Whether there is another CPU.
  public var hasOthers: Bool { allowed.count > 1 }

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
      if !s.neighbours.isEmpty {
        if let n = s.neighbours.first(where: { $0.process == process }), cpu == nil || cpu == s.cpu {
          s.stops += 1
          return n.moved != nil
        }
        if s.neighbours.count > 1 { return false }
        s.wanted = s.stops < Limits.goodStay ? min(s.wanted * 2, Limits.longestStreak) : Limits.streak
        part(&s)
      }
      let now = monotonicNanoseconds()
      s.streak = s.last == process && now - s.lastTime < Limits.gapNanoseconds ? s.streak + 1 : 1
      (s.last, s.lastTime) = (process, now)
      return s.streak >= s.wanted && meet(&s, tid, process, cpu)
    }
  }

  /// Two processes have been stopped because one waits for what the other has (`threads`: the only thread of each; nil: it
  /// has several, which are kept where they are). Those that do so all the time run one after the other anyway.
  ///
  /// - Returns: the processes whose threads have been moved now.
  public func exchanged(_ processes: [(process: Int32, thread: ThreadID?)]) -> [Int32] {
    guard allowed.count > 1 else { return [] }
    return state.withLock { s in
      let now = monotonicNanoseconds()
      s.stopsSinceLook += 1
      s.exchanges = now - s.lastExchange < Limits.gapNanoseconds ? s.exchanges + 1 : 0
      s.lastExchange = now
      guard s.exchanges >= Limits.exchanges else { return [] }
      var moved: [Int32] = []
      for p in processes {
        guard let tid = p.thread, !s.neighbours.contains(where: { $0.process == p.process }) else { continue }
        if meet(&s, tid, p.process, nil) { moved.append(p.process) }
      }
      return moved
    }
  }

  /// The thread that was moved, if any, may run where it might before: its process (nil: any) is to have children or
  /// other threads, asks for its CPUs, or has ended.
  public func release(_ process: Int32? = nil) {
    state.withLock { s in
      s.streak = 0
      if process == nil || process == s.separated?.process { rejoin(&s) }
      if process == nil {
        part(&s)
      } else if let i = s.neighbours.firstIndex(where: { $0.process == process }) {
        if s.neighbours.count == 1 { return part(&s) }
        giveBack(s.neighbours.remove(at: i).moved)
      }
    }
  }

  /// From now on the tracer does not sleep while the process runs: each gets a CPU, until `release`.
  ///
  /// - Parameters:
  ///   - cpu: where all threads of the process are kept already.
  /// - Returns: whether its thread may have been moved; nil: that cannot be done.
  public func separate(_ tid: ThreadID, of process: Int32, keptOn cpu: Int? = nil) -> Bool? {
    state.withLock { s in
      rejoin(&s)
      part(&s)
      if let cpu {
        let others = allowed.filter { $0 != cpu }
        guard !others.isEmpty, (try? Machine.setAllowedCPUs(tracer, others)) != nil else { return nil }
        s.separated = (process, nil)
        return false
      }
      let own = Machine.currentCPU
      guard let from = try? Machine.allowedCPUs(of: tid) else { return nil }
      let moved = Moved(tid: tid, from: from, to: from.filter { $0 != own })
      guard !moved.to.isEmpty, (try? Machine.setAllowedCPUs(tid, moved.to)) != nil else { return nil }
      guard (try? Machine.pin(tracer, to: own)) != nil else {
        giveBack(moved)
        return nil
      }
      s.separated = (process, moved)
      return true
    }
  }

  private func rejoin(_ s: inout State) {
    guard let separated = s.separated else { return }
    giveBack(separated.moved)
    s.separated = nil
    try? Machine.setAllowedCPUs(tracer, allowed)
  }

  /// The child of a process that may have been moved may run where the tracer could when it began.
  public func freeChild(_ tid: ThreadID) {
    guard allowed.count > 1, let now = try? Machine.allowedCPUs(of: tid), now.count < allowed.count else { return }
    try? Machine.setAllowedCPUs(tid, allowed)
  }

  /// Brings a process to the tracer's CPU, or the tracer to the process's. Returns whether its thread was moved.
  private func meet(_ s: inout State, _ tid: ThreadID, _ process: Int32, _ kept: Int?) -> Bool {
    s.streak = 0
    if s.separated != nil { return false }
    if !s.keeperRuns {
      guard (try? startThread { [self] in keep() }) != nil else { return false }
      s.keeperRuns = true
    }
    let cpu = s.neighbours.isEmpty ? kept ?? Machine.currentCPU : s.cpu
    var moved: Moved?
    if kept == nil {
      guard let before = try? Machine.allowedCPUs(of: tid), before.contains(cpu) else { return false }
      if before.count > 1 {
        guard (try? Machine.pin(tid, to: cpu)) != nil else { return false }
        moved = Moved(tid: tid, from: before, to: [cpu])
      }
    }
    let new = Neighbour(process: process, moved: moved)
    if s.neighbours.isEmpty {
      guard (try? Machine.pin(tracer, to: cpu)) != nil else {
        giveBack(new.moved)
        return false
      }
      s.cpu = cpu
      s.stops = 0
    }
    s.neighbours.append(new)
    s.stopsSinceLook = Limits.stopsBetweenLooks
    return moved != nil
  }

  private func part(_ s: inout State) {
    guard !s.neighbours.isEmpty else { return }
    for n in s.neighbours { giveBack(n.moved) }
    s.neighbours = []
    s.streak = 0
    s.exchanges = 0
    try? Machine.setAllowedCPUs(tracer, allowed)
  }

  private func giveBack(_ moved: Moved?) {
    // (somebody else may have put it elsewhere: taskset(1))
    guard let moved, (try? Machine.allowedCPUs(of: moved.tid)) == moved.to else { return }
    try? Machine.setAllowedCPUs(moved.tid, moved.from)
  }

  /// On a thread of its own, as the tracer sleeps while a neighbour does not stop.
  private func keep() {
    var goesOn = true
    while goesOn {
      usleep(Limits.lookMicroseconds)
      goesOn = state.withLock { s in
        if s.stopsSinceLook < Limits.stopsBetweenLooks { part(&s) }
        s.stopsSinceLook = 0
        s.idleLooks = s.neighbours.isEmpty ? s.idleLooks + 1 : 0
        s.keeperRuns = s.idleLooks < Limits.idleLooks
        if !s.keeperRuns { s.idleLooks = 0 }
        return s.keeperRuns
      }
    }
  }
}
