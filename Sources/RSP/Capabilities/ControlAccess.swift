/// `monitor COMMAND`.
public protocol MonitorAccess: AnyObject {
  /// Does it; `print` shows text at once (with its own newlines). The thread is the one that gdb looks at.
  func monitor(_ command: String, thread: ThreadID?, print: (String) -> Void) throws(TargetError)
}

/// `run` in `target extended-remote`.
public protocol RestartAccess: AnyObject {
  /// Goes back to the beginning. Breakpoints are gdb's business: it removes and inserts them.
  func restart() throws(TargetError) -> StopReply
}
