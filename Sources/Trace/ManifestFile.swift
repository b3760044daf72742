// The manifest's file: appended to while recording, read afterwards.
import Glibc
import Linux
import Synchronization

/// Appends to the manifest of a trace and holds the lock that says it is being recorded. Every line is one write to
/// an O_APPEND file, so several threads may use it, and kill -9 tears at most the last line.
public final class ManifestWriter: Sendable {
  /// The trace.
  public let trace: TraceDirectory
  private let file: OwnedFile
  private let begin = timePoint()
  /// The recording line does not know the frequency: clock lines tell it.
  private let measuresClock: Bool
  private let clockIsWritten = Atomic(false)

  /// Begins the recording: locks the manifest and writes what is known of the recording.
  public init(_ trace: TraceDirectory, recording: Manifest.Recording) throws(TraceError) {
    self.trace = trace
    measuresClock = recording.tscFrequency == 0
    file = try Self.openLocked(trace)
    try file.writeAll(recording.line.encoded)
  }

  /// Goes on with an existing manifest (recovery): cuts a torn last line.
  init(continuing trace: TraceDirectory) throws(TraceError) {
    self.trace = trace
    measuresClock = false
    file = try Self.openLocked(trace)
    let bytes = try OwnedFile.open(trace.manifestPath, O_RDONLY).readAll(limit: Manifest.maximumSize)
    let length = try Manifest.decode(bytes, path: trace.manifestPath).length
    if length < bytes.count { try file.truncate(to: UInt64(length)) }
  }

  private static func openLocked(_ trace: TraceDirectory) throws(TraceError) -> OwnedFile {
    let file = try OwnedFile.open(trace.manifestPath, O_WRONLY | O_APPEND)
    // `isBeingRecorded` takes the lock for a moment: that is no recorder.
    for _ in 0..<10 {
      if try file.tryLock() { return file }
      usleep(5000)
    }
    throw .busy(path: trace.path)
  }

  /// A new tape.
  public func add(_ tape: Manifest.TapeInfo) throws(TraceError) {
    try file.writeAll(tape.line.encoded)
    if measuresClock, !clockIsWritten.load(ordering: .relaxed) { try noteClock(after: 20_000_000) }
    if let end = tape.end { try self.end(tape: tape.number, end) }
  }

  /// A tape's end.
  public func end(tape: UInt64, _ end: Manifest.TapeEnd) throws(TraceError) {
    try file.writeAll(end.line(tape: tape).encoded)
  }

  /// A stored file (`FileStore` calls it).
  public func add(_ file: Manifest.FileInfo) throws(TraceError) { try self.file.writeAll(file.line.encoded) }

  /// The time stamp counter's frequency, measured since the recording began if that is `after` nanoseconds ago.
  private func noteClock(after: UInt64) throws(TraceError) {
    let now = timePoint()
    guard measuresClock, now.monotonicNanoseconds - begin.monotonicNanoseconds >= after,
      let frequency = tscFrequency(from: begin, to: now)
    else { return }
    clockIsWritten.store(true, ordering: .relaxed)
    var line = ManifestLine("clock")
    line.add("tsc_hz", UInt64(frequency))
    try file.writeAll(line.encoded)
  }

  /// What the recorder counted, once, at the end.
  public func add(counters: [(name: String, count: UInt64)]) throws(TraceError) {
    var line = ManifestLine("counters")
    for (name, count) in counters { line.add(name, count) }
    try file.writeAll(line.encoded)
  }

  /// The recording's end.
  public func finish(_ outcome: Manifest.Outcome) throws(TraceError) {
    if measuresClock { try noteClock(after: 100_000) }
    var line = ManifestLine("finished")
    outcome.add(to: &line)
    try file.writeAll(line.encoded)
  }
}

extension Manifest {
  /// Bytes of a manifest at most.
  static let maximumSize = 256 << 20

  /// Reads the manifest of a trace, also of one being recorded or of one whose recorder was killed.
  public static func read(_ trace: TraceDirectory) throws(TraceError) -> Manifest {
    guard let file = try OwnedFile.openIfThere(trace.manifestPath, O_RDONLY) else {
      throw .notATrace(path: trace.path)
    }
    let bytes = try file.readAll(limit: maximumSize)
    guard let manifest = try decode(bytes, path: trace.manifestPath).manifest else {
      throw .manifest(path: trace.manifestPath, line: 2, reason: "the recording never began")
    }
    return manifest
  }
}
