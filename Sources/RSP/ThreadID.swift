// Names of processes and threads, as packets write them.

/// A thread and its process. Both are positive: 0 and -1 mean "any" and "all" in packets.
public struct ThreadID: Hashable, Sendable, Comparable, CustomStringConvertible {
  public var process: Int
  public var thread: Int

  public init(process: Int, thread: Int) {
    self.process = process
    self.thread = thread
  }

  public static func < (a: ThreadID, b: ThreadID) -> Bool { (a.process, a.thread) < (b.process, b.thread) }

  /// `pPID.TID`, in hexadecimal.
  public var description: String { "p\(hex(process)).\(hex(thread))" }

  private func hex(_ number: Int) -> String { String(number, radix: 16) }
}

/// What a packet applies to.
public enum ThreadSelector: Hashable, Sendable {
  /// Every thread of every process.
  case all
  /// Every thread of one process.
  case process(Int)
  case thread(ThreadID)
  /// Whichever the target likes.
  case any

  /// Whether `thread` is meant.
  public func includes(_ thread: ThreadID) -> Bool {
    switch self {
    case .all, .any: return true
    case .process(let process): return thread.process == process
    case .thread(let one): return thread == one
    }
  }
}
