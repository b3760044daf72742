import Linux
import Trace

/// Reads a chunk on another thread. The reader is that thread's from `begin` until the next call of something else here.
final class ReadAhead: @unchecked Sendable {
  private let reader: TapeFileReader
  private let worker: Worker
  private let done = Semaphore()
  /// The chunk that was begun and not waited for.
  private var chunk: Int?
  private var result = Result<UnsafeRawBufferPointer, TraceError>.success(UnsafeRawBufferPointer(start: nil, count: 0))

  init(_ reader: TapeFileReader, _ worker: Worker) {
    self.reader = reader
    self.worker = worker
  }

  func begin(_ number: Int) {
    settle()
    chunk = number
    worker.run { [self] in
      do throws(TraceError) { result = .success(try reader.records(ofChunk: number)) } catch {
        result = .failure(error)
      }
      done.signal()
    }
  }

  /// See TapeFileReader; nil when it was not begun.
  func records(ofChunk number: Int) throws(TraceError) -> UnsafeRawBufferPointer? {
    let begun = chunk
    settle()
    return begun == number ? try result.get() : nil
  }

  func settle() {
    if chunk != nil { done.wait() }
    chunk = nil
  }
}
