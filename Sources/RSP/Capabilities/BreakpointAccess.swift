/// Breakpoints and watchpoints.
public protocol BreakpointAccess: AnyObject {
  /// Which kinds `insert` takes; the others are answered as unknown, so that gdb does without.
  var breakpointKinds: Set<BreakpointKind> { get }
  /// Inserts; one with the same kind, address and length replaces the one before (gdb sends it again with other
  /// conditions). The target asks `Breakpoint.holds` when it gets there and goes on when that is false.
  func insertBreakpoint(_ breakpoint: Breakpoint, process: Int) throws(TargetError)
  /// Removes; one that is not there is no error.
  func removeBreakpoint(_ breakpoint: Breakpoint, process: Int) throws(TargetError)
}

/// The kinds of `Z` packets; the values are theirs.
public enum BreakpointKind: UInt8, Sendable, CaseIterable {
  case software = 0
  case hardware = 1
  /// Watchpoints. gdb decides itself whether a value that was written is a new one.
  case write = 2
  case read = 3
  case access = 4

  public var isWatchpoint: Bool { rawValue >= 2 }
}

/// A place, or bytes to be watched.
public struct Breakpoint: Equatable, Sendable {
  public var kind: BreakpointKind
  public var address: UInt64
  /// Watchpoints: how many bytes. Breakpoints: the length of the instruction that would be written there.
  public var length: Int
  /// Stop when one of them holds; none: stop always.
  public var conditions: [AgentExpression]

  public init(kind: BreakpointKind, address: UInt64, length: Int = 1, conditions: [AgentExpression] = []) {
    self.kind = kind
    self.address = address
    self.length = length
    self.conditions = conditions
  }

  /// Whether both are the same place; conditions do not count.
  public func isSamePlace(as other: Breakpoint) -> Bool {
    kind == other.kind && address == other.address && length == other.length
  }

  /// Whether to stop here: without conditions, when one is not 0, and when one cannot be evaluated.
  public func holds(in environment: some AgentEnvironment) -> Bool {
    conditions.isEmpty
      || conditions.contains { condition in
        do throws(AgentError) { return try condition.evaluate(in: environment) != 0 } catch { return true }
      }
  }
}
