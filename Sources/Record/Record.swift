import Guest
import Linux
import Tape
import Trace
import Translate

/// What to record, and how.
public struct RecordOptions {
  /// Program and arguments; the program is searched in PATH.
  public var program: [String] = []
  /// Directory for the trace; nil: PROGRAM-N in the store.
  public var output: String?
  /// CPU profile (`host`, `host,-avx512`, …).
  public var cpu = "host"
  /// Variables to set in the program's environment.
  public var environment: [(String, String)] = []
  /// Checksum of registers and memory after every n-th event; 0: none.
  public var checksumEvery = 0
  /// Leave address-space randomisation on.
  public var keepASLR = false
  /// Chaos mode: the seed of its random decisions; nil: off.
  public var chaosSeed: UInt64?
  /// Wait for all processes, not only for the program itself.
  public var waitForAll = false
  public init() {}
}

/// How the recorded program ended.
public enum RecordOutcome: Sendable {
  case exited(Int32)
  case signaled(Int32)
}

/// Why nothing, or not all, was recorded.
public struct RecordError: Error {
  public let message: String
  /// What to do about it.
  public let hint: String
  public init(_ message: String, hint: String = "") {
    self.message = message
    self.hint = hint
  }
}

/// Records a program and everything it starts.
///
/// Runs on the calling thread, which must live until the program has ended: ptrace belongs to it.
/// - Returns: how the program ended and the trace's directory.
public func record(_ options: RecordOptions) throws(RecordError) -> (outcome: RecordOutcome, trace: String) {
  let session = try RecordSession(options)
  _ = Unmanaged.passRetained(session)  // bis ends now: the kernel takes mappings and tables apart faster
  return try session.run()
}

extension RecordError {
  init(_ error: GuestError) { self.init("\(error)") }
  init(_ error: TraceError) {
    let isFolderMissing =
      if case .system("mkdir", _, 2) = error { true } else { false }
    self.init(
      "\(error)",
      hint: error.isDiskFull
        ? "make room on the disk, or use -o to record elsewhere"
        : isFolderMissing ? "the folder that the recording is to be in must exist" : "")
  }
}
