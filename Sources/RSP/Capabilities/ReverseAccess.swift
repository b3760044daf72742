/// Runs the target backward.
public protocol ReverseAccess: AnyObject {
  /// Runs backward to the last thing worth telling, or one instruction of `thread` (`step` is `.run` or
  /// `.instruction`). `interrupted` as in `ResumeAccess.resume`. At the beginning: `.historyBegin`.
  func reverse(_ step: ResumeStep, thread: ThreadID, interrupted: () -> Bool) throws(TargetError) -> StopReply
}
