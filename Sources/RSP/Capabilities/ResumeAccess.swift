/// Runs the target forward.
public protocol ResumeAccess: AnyObject {
  /// Runs until something is worth telling. For each thread the first action whose `threads` include it counts; threads
  /// without an action stay where they are. `actions` is never empty.
  ///
  /// Asks `interrupted` now and then (every few milliseconds; it reads the connection) and stops with SIGINT when it is
  /// true; it stays true when the connection is lost.
  func resume(_ actions: [ResumeAction], interrupted: () -> Bool) throws(TargetError) -> StopReply
}

/// What some threads shall do.
public struct ResumeAction: Equatable, Sendable {
  public var threads: ThreadSelector
  public var step: ResumeStep
  /// Deliver this signal (Linux's number) first; 0: none.
  public var signal: Int

  public init(threads: ThreadSelector, step: ResumeStep, signal: Int = 0) {
    self.threads = threads
    self.step = step
    self.signal = signal
  }
}

/// How far.
public enum ResumeStep: Equatable, Sendable {
  case run
  /// One instruction.
  case instruction
  /// At least one instruction, then on while the instruction pointer is in `start..<end` and nothing else happens.
  case range(start: UInt64, end: UInt64)
}

extension [ResumeAction] {
  /// What `thread` shall do, or nil when it stays where it is.
  public func action(for thread: ThreadID) -> ResumeAction? { first { $0.threads.includes(thread) } }
}
