import Linux
import Tape
import Trace

/// What makes chunks for all tapes of a recording: a megabyte of buffers, and as much again for full segments where a
/// thread can make those on another CPU.
final class ChunkMaker {
  var encoder = ChunkEncoder()
  private var thread: SegmentThread?
  private let cpus: [Int]

  /// - Parameter cpus: those that bis may use.
  init(cpus: [Int]) { self.cpus = cpus }

  /// Who writes full segments; nil: there is one CPU only.
  func segmentThread() -> SegmentThread? {
    if thread == nil, cpus.count > 1 { thread = try? SegmentThread(cpus: cpus) }
    return thread
  }
}

/// The thread that writes full segments to their tapes.
final class SegmentThread: @unchecked Sendable {
  private let worker: Worker
  /// The thread's.
  private var encoder = ChunkEncoder()

  init(cpus: [Int]) throws(Errno) { worker = try Worker(cpus: cpus) }

  fileprivate func append(_ records: UnsafeRawBufferPointer, to file: TapeFile) {
    let job = Job(records: records, file: file)
    worker.run { [self] in job.file.appendOnThread(job.records, encoder: &encoder) }
  }

  private struct Job: @unchecked Sendable {
    let records: UnsafeRawBufferPointer
    let file: TapeFile
  }
}

/// A tape's file. The supervisor's, but for the time from `hand(over:to:)` to the next call: then it is the thread's.
final class TapeFile {
  private var writer: TapeFileWriter?
  /// Why the thread could not write a segment: nothing that comes after it may be written.
  private var failure: TraceError?
  /// Whether the thread has been given a segment that nobody has waited for.
  private var isHandedOver = false
  private let appended = Semaphore()

  init(_ writer: consuming TapeFileWriter) { self.writer = consume writer }

  /// The thread writes a segment's records, which must stay as they are until the next call here.
  func hand(over records: UnsafeRawBufferPointer, to thread: SegmentThread) {
    isHandedOver = true
    thread.append(records, to: self)
  }

  fileprivate func appendOnThread(_ records: UnsafeRawBufferPointer, encoder: inout ChunkEncoder) {
    do throws(TraceError) { try writer?.append(records, encoder: &encoder) } catch { failure = error }
    appended.signal()
  }

  /// How far the file is written. All of these throw, now and ever after, why a segment that was handed over is not in it.
  func progress() throws(TraceError) -> TapeProgress {
    try settle()
    return writer?.index.progress ?? TapeProgress(tape: 0)
  }

  /// See TapeFileWriter.
  func append(_ records: UnsafeRawBufferPointer, isLast: Bool = false, encoder: inout ChunkEncoder) throws(TraceError) {
    try settle()
    try writer?.append(records, isLast: isLast, encoder: &encoder)
  }

  /// See TapeFileWriter.
  func dropOpenEvent(encoder: inout ChunkEncoder) throws(TraceError) {
    try settle()
    try writer?.dropOpenEvent(encoder: &encoder)
  }

  /// Closes the file; returns its size in bytes.
  func finish(encoder: inout ChunkEncoder) throws(TraceError) -> UInt64 {
    try settle()
    guard let writer = writer.take() else { return 0 }
    return try writer.finish(encoder: &encoder)
  }

  private func settle() throws(TraceError) {
    if isHandedOver { appended.wait() }
    isHandedOver = false
    if let failure { throw failure }
  }
}
