/// `catch syscall`: stops before and after system calls.
public protocol SystemCallCatching: AnyObject {
  /// From now on stop at these numbers; empty: at all; nil: at none.
  func catchSystemCalls(_ numbers: Set<Int>?, process: Int) throws(TargetError)
}

/// Signals that gdb does not want to see.
public protocol SignalPassing: AnyObject {
  /// From now on these signals (Linux's numbers) are delivered without a stop; all others stop.
  func passSignals(_ signals: Set<Int>)
}

/// Stops when threads begin and end.
public protocol ThreadEventReporting: AnyObject {
  /// On or off; off at first.
  func reportThreadEvents(_ on: Bool)
}

/// Stops when processes are made or become another program. They are reported only when gdb can read them.
public protocol ProcessEventReporting: AnyObject {
  /// What the target can report.
  var possibleProcessEvents: ProcessEvents { get }
  /// What it shall report; a subset of what is possible. None at first.
  func reportProcessEvents(_ events: ProcessEvents)
}

public struct ProcessEvents: OptionSet, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let fork = ProcessEvents(rawValue: 1)
  public static let vfork = ProcessEvents(rawValue: 2)
  public static let exec = ProcessEvents(rawValue: 4)
}
