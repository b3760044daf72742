// How bis ends when something is wrong: one line that says what, one that says what to do.
import ArgumentParser
import Glibc
import Trace

/// A failure of bis (exit status 1) or a wrong value on the command line (2).
struct Failure: Error {
  let message: String
  /// What to do about it; may be empty.
  let hint: String
  let status: Int32

  init(_ message: String, hint: String = "", status: Int32 = 1) {
    self.message = message
    self.hint = hint
    self.status = status
  }

  /// Wrong usage.
  static func usage(_ message: String, hint: String = "") -> Failure { Failure(message, hint: hint, status: 2) }
}

extension Failure {
  /// A failure of the trace layer, with what to do about it.
  init(_ error: TraceError) {
    let hint =
      switch error {
      case .notFound(nil): "record something first: bis record -- PROGRAM"
      case .notFound, .notATrace: "'bis ls' lists the recordings; a path works, too"
      case .tape, .manifest: "the recording is damaged: copy it again from where it came, or record anew"
      case .busy: "wait until its program has ended, or end it"
      case .system(_, _, let code) where code == ENOENT: "'bis ls' lists the recordings"
      case .system where error.isDiskFull: "make room on the disk, or use -o to record elsewhere"
      case .system: ""
      }
    self.init("\(error)", hint: hint)
  }
}

/// Prints `bis: message` and the hint to standard error.
func complain(_ message: String, hint: String = "") {
  var text = "bis: \(message)\n"
  if !hint.isEmpty { text += "bis: \(hint)\n" }
  writeError(text)
}

/// To standard error, at once.
func writeError(_ text: String) {
  let bytes = Array(text.utf8)
  var done = 0
  while done < bytes.count {
    let count = bytes[done...].withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    if count < 0 && errno != EINTR { return }
    done += max(count, 0)
  }
}

/// Ends bis because of an error: help and version go to standard output with status 0, everything else to standard error.
func leave(_ error: any Error) -> Never {
  fflush(nil)
  switch error {
  case let failure as Failure:
    complain(failure.message, hint: failure.hint)
    exit(failure.status)
  case let error as TraceError:
    leave(Failure(error))
  case let code as ExitCode:
    exit(code.rawValue)
  default:
    break
  }
  guard Bis.exitCode(for: error) != .success else {
    print(Bis.fullMessage(for: error))
    exit(0)
  }
  let lines = Bis.fullMessage(for: error).split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
  let first = lines.first.map { $0.hasPrefix("Error: ") ? String($0.dropFirst(7)) : $0 } ?? "\(error)"
  complain(first)
  writeError(lines.dropFirst().map { "     \($0)\n" }.joined())
  exit(2)
}
