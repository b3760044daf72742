// What can go wrong with a trace directory.
import Glibc
public import Tape

/// A failure of the trace layer.
public enum TraceError: Error, Equatable, Sendable {
  /// The kernel refused `operation` on `path`.
  case system(operation: String, path: String, errno: Int32)
  /// A tape file is damaged, or was never one.
  case tape(path: String, TapeError)
  /// Line `line` (from 1) of a manifest is damaged, or says what cannot be.
  case manifest(path: String, line: Int, reason: String)
  /// A directory that is not a trace.
  case notATrace(path: String)
  /// There is no such trace, or, without a name, none at all.
  case notFound(name: String?)
  /// The trace is being recorded.
  case busy(path: String)

  /// Whether the disk is full or a quota used up.
  public var isDiskFull: Bool {
    if case .system(_, _, let code) = self { return code == ENOSPC || code == EDQUOT || code == EFBIG }
    return false
  }
}

extension TraceError: CustomStringConvertible {
  /// What went wrong, for people.
  public var description: String {
    switch self {
    case .system(let operation, let path, let code): "\(operation) \(path): \(String(cString: strerror(code)))"
    case .tape(let path, let error): "\(path) is damaged: \(error)"
    case .manifest(let path, let line, let reason): "\(path), line \(line): \(reason)"
    case .notATrace(let path): "\(path) is not a trace"
    case .notFound(let name): name.map { "there is no trace \($0)" } ?? "there is no trace yet"
    case .busy(let path): "\(path) is being recorded"
    }
  }
}
