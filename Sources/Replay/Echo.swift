import Glibc

/// Recorded output to standard output and standard error, in the order of the recording.
///
/// Processes are replayed one after another, so output is kept with its order stamp until everything that could come
/// before it has been replayed (today: until the end, when there is more than one process).
final class Echo {
  private var pieces: [(stamp: UInt64, fd: Int32, bytes: [UInt8])] = []
  var isOn = true
  /// Only one process is replayed: no need to wait.
  var isDirect = false

  func add(stamp: UInt64, fd: Int32, bytes: [UInt8]) {
    guard isOn else { return }
    if isDirect { return write(fd, bytes) }
    pieces.append((stamp, fd, bytes))
  }

  func flush() {
    pieces.sort { $0.stamp < $1.stamp }
    for p in pieces { write(p.fd, p.bytes) }
    pieces = []
  }

  private func write(_ fd: Int32, _ bytes: [UInt8]) {
    bytes.withUnsafeBytes { b in
      var done = 0
      while done < b.count {
        let n = Glibc.write(fd, b.baseAddress! + done, b.count - done)
        if n < 0 {
          if errno == EINTR || errno == EAGAIN { continue }
          return
        }
        done += n
      }
    }
  }
}
