/// Which threads there are.
public protocol ThreadAccess: AnyObject {
  /// All that exist at this point, in the order in which gdb shall list them. Empty: the target has exited.
  var allThreads: [ThreadID] { get }
  /// The thread that gdb starts with.
  var currentThread: ThreadID? { get }
  /// Whether it exists at this point.
  func isAlive(_ thread: ThreadID) -> Bool
  /// Its name (`comm`), when it has one.
  func name(of thread: ThreadID) -> String?
  /// What `info threads` shows besides.
  func details(of thread: ThreadID) -> String?
}

extension ThreadAccess {
  public func isAlive(_ thread: ThreadID) -> Bool { allThreads.contains(thread) }
  public func name(of thread: ThreadID) -> String? { nil }
  public func details(of thread: ThreadID) -> String? { nil }
}
