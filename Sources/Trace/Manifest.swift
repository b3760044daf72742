// What a trace says about itself.
import Glibc

/// Everything a manifest holds. Written line by line while recording; see Docs/tape-format.md.
public struct Manifest: Equatable, Sendable {
  /// Written once, when the recording begins.
  public var recording: Recording
  /// The tapes, by number, as they were made.
  public var tapes: [TapeInfo] = []
  /// The mapped files, by number, as they were stored.
  public var files: [FileInfo] = []
  /// What the recorder counted about itself (stops, translations, ...): name and number; empty when it was killed.
  public var counters: [String: UInt64] = [:]
  /// How the recording ended; nil: it did not (bis was killed, or it goes on).
  public var outcome: Outcome?

  /// The recording as a whole.
  public struct Recording: Equatable, Sendable {
    /// Version of bis.
    public var bisVersion = ""
    /// Architecture as uname(2) says.
    public var machine = "x86_64"
    /// Kernel release as uname(2) says.
    public var kernel = ""
    /// When it began: nanoseconds since 1970, and the time stamp counter at the same moment.
    public var startNanoseconds: Int64 = 0
    public var startTSC: UInt64 = 0
    /// Cycles of the time stamp counter per second; 0: not known.
    public var tscFrequency: UInt64 = 0
    /// What was run, and where.
    public var arguments: [String] = []
    public var workingDirectory = ""
    /// The CPU profile, opaque here.
    public var cpuProfile = ""
    /// Options: name and value (checksum interval, aslr, ...).
    public var options: [String: String] = [:]

    /// An empty description.
    public init() {}

    /// The wall clock time of a TSC value, nanoseconds since 1970.
    public func nanoseconds(ofTSC tsc: UInt64) -> Int64 {
      guard tscFrequency > 0 else { return startNanoseconds }
      let cycles = Double(Int64(bitPattern: tsc &- startTSC))
      let nanoseconds = cycles * 1e9 / Double(tscFrequency)
      guard abs(nanoseconds) < 4e18 else { return startNanoseconds }
      return startNanoseconds &+ Int64(nanoseconds)
    }
  }

  /// A tape.
  public struct TapeInfo: Equatable, Sendable {
    /// How a tape comes to be.
    public enum Origin: String, Sendable { case exec, fork }
    public var number: UInt64
    /// Process identifier in the recording.
    public var pid: Int32
    public var origin: Origin
    /// The tape it comes from, and the index of the event there that made it; nil: the first one.
    public var parent: UInt64?
    public var parentEvent: UInt64?
    public var executable: String
    public var arguments: [String]
    /// How it ended; nil: not known (yet).
    public var end: TapeEnd?

    /// Makes a description.
    public init(
      number: UInt64, pid: Int32, origin: Origin, parent: UInt64? = nil, parentEvent: UInt64? = nil,
      executable: String, arguments: [String]
    ) {
      self.number = number
      self.pid = pid
      self.origin = origin
      self.parent = parent
      self.parentEvent = parentEvent
      self.executable = executable
      self.arguments = arguments
    }
  }

  /// How a tape ended.
  public struct TapeEnd: Equatable, Sendable {
    public var outcome: Outcome
    public var eventCount: UInt64
    /// Size of the tape file.
    public var byteCount: UInt64

    /// Makes a description.
    public init(outcome: Outcome, eventCount: UInt64, byteCount: UInt64) {
      self.outcome = outcome
      self.eventCount = eventCount
      self.byteCount = byteCount
    }
  }

  /// How a process or a recording ended.
  public enum Outcome: Equatable, Sendable {
    /// With an exit status, 0...255.
    case exited(Int32)
    /// By a signal.
    case signalled(Int32)
    /// The process goes on as another program, on another tape.
    case exec(tape: UInt64)
    /// Not: recording stopped.
    case lost
  }

  /// A file that a recorded process mapped.
  public struct FileInfo: Equatable, Sendable {
    public var number: UInt64
    /// Where it was.
    public var path: String
    public var identity: FileIdentity
    /// Its name under `files/`.
    public var storedName: String

    /// Makes a description.
    public init(number: UInt64, path: String, identity: FileIdentity, storedName: String) {
      self.number = number
      self.path = path
      self.identity = identity
      self.storedName = storedName
    }
  }

  /// A manifest of a recording with nothing in it yet.
  public init(recording: Recording) { self.recording = recording }

  /// The tape with a number.
  public func tape(_ number: UInt64) -> TapeInfo? { tapes.first { $0.number == number } }
  /// The file with a number.
  public func file(_ number: UInt64) -> FileInfo? { files.first { $0.number == number } }
}

/// What tells one version of a file from another.
public struct FileIdentity: Hashable, Sendable {
  public var device: UInt64
  public var inode: UInt64
  /// Bytes.
  public var size: UInt64
  /// Nanoseconds since 1970.
  public var modified: Int64
  public var changed: Int64

  /// Makes an identity.
  public init(device: UInt64, inode: UInt64, size: UInt64, modified: Int64, changed: Int64) {
    self.device = device
    self.inode = inode
    self.size = size
    self.modified = modified
    self.changed = changed
  }

  /// The identity that a `stat` tells.
  public init(_ status: stat) {
    func nanoseconds(_ time: timespec) -> Int64 { Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec) }
    self.init(
      device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: UInt64(bitPattern: Int64(status.st_size)),
      modified: nanoseconds(status.st_mtim), changed: nanoseconds(status.st_ctim))
  }
}
