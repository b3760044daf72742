import Guest
import Linux
import Tape
import Trace

/// What to replay.
public struct ReplayOptions {
  /// Path or name of the trace.
  public var trace = ""
  /// A pid or the name of a program; nil: the process that was recorded.
  public var process: String?
  /// Every process of the trace.
  public var all = false
  /// No echo of the recorded output.
  public var quiet = false
  public init() {}
}

/// What a replay has checked.
public struct ReplayReport {
  public var events: UInt64 = 0
  public var checksums: UInt64 = 0
  public var processes = 0
  /// A tape ended before its process did: the recording was cut off.
  public var isIncomplete = false
}

/// Why a replay did not get to its end.
public struct ReplayError: Error {
  public let message: String
  /// What to do about it.
  public let hint: String
  /// Where the replay differed from the recording, what was expected and what was found.
  public let divergence: String?
  public init(_ message: String, hint: String = "", divergence: String? = nil) {
    self.message = message
    self.hint = hint
    self.divergence = divergence
  }
}

/// Replays without a debugger: every event checked, recorded output echoed.
///
/// Runs on the calling thread (ptrace). Returns the recorded exit status (128 + signal when it died of one).
public func replayAutopilot(_ options: ReplayOptions) throws(ReplayError) -> (status: Int32, report: ReplayReport) {
  let session = try ReplaySession(options)
  _ = Unmanaged.passRetained(session)  // bis ends now: the kernel takes mappings and tables apart faster
  return try session.run()
}

extension ReplayError {
  init(_ error: GuestError) { self.init("\(error)") }
  init(_ error: TraceError) { self.init("\(error)") }
}
