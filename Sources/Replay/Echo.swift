import Glibc

/// Recorded output to standard output and standard error, in the order of the recording.
///
/// Processes are replayed at the same time and not when they ran, so output is kept with its order stamp until everything
/// that could come before it has been replayed (today: until the end, when there is more than one process).
final class Echo {
  private var pieces: [(stamp: UInt64, order: Int, fd: Int32, bytes: [UInt8])] = []
  var isOn = true
  /// Only one process is replayed: no need to wait.
  var isDirect = false

  /// Going back and forth over a stretch tells its output the first time only.
  var tellsOnce = false
  private var told: UInt64 = 0

  func add(stamp: UInt64, fd: Int32, bytes: UnsafeRawBufferPointer) {
    guard isOn else { return }
    if tellsOnce, stamp != 0 {
      if stamp <= told { return }
      told = stamp
    }
    if isDirect { return write(fd, bytes) }
    pieces.append((stamp, pieces.count, fd, Array(bytes)))
  }

  func flush() {
    pieces.sort { ($0.stamp, $0.order) < ($1.stamp, $1.order) }
    for p in pieces { p.bytes.withUnsafeBytes { write(p.fd, $0) } }
    pieces = []
  }

  private func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) {
    var done = 0
    while done < bytes.count {
      let n = Glibc.write(fd, bytes.baseAddress! + done, bytes.count - done)
      if n < 0 {
        if errno == EINTR || errno == EAGAIN { continue }
        return
      }
      done += n
    }
  }
}
