// A file descriptor that is closed once. The only place of this target that talks to the kernel about open files.
import Glibc

/// An open file. Descriptors are close-on-exec; symbolic links at the end of a path are never followed.
struct OwnedFile: ~Copyable, @unchecked Sendable {
  let descriptor: Int32
  let path: String

  /// Owns `descriptor` from now on.
  init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { close(descriptor) }

  /// open(2) with O_CLOEXEC and O_NOFOLLOW.
  static func open(_ path: String, _ flags: Int32, mode: mode_t = 0o600) throws(TraceError) -> OwnedFile {
    while true {
      let descriptor = Glibc.open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode)
      if descriptor >= 0 { return OwnedFile(descriptor: descriptor, path: path) }
      if errno != EINTR { throw .system(operation: "open", path: path, errno: errno) }
    }
  }

  /// As `open`, nil when there is no such file.
  static func openIfThere(_ path: String, _ flags: Int32) throws(TraceError) -> OwnedFile? {
    do throws(TraceError) {
      return try open(path, flags)
    } catch {
      if case .system(_, _, ENOENT) = error { return nil }
      throw error
    }
  }

  func fail(_ operation: String) -> TraceError { .system(operation: operation, path: path, errno: errno) }

  func status() throws(TraceError) -> stat {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw fail("stat") }
    return status
  }

  /// Bytes of a regular file; other kinds are refused (a trace from a stranger may hold anything).
  func regularSize() throws(TraceError) -> UInt64 {
    let status = try status()
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .system(operation: "read", path: path, errno: EINVAL)
    }
    return UInt64(status.st_size)
  }

  /// Writes all of `bytes` at the file's position.
  func writeAll(_ bytes: UnsafeRawBufferPointer) throws(TraceError) {
    var done = 0
    while done < bytes.count {
      let count = write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count > 0 { done += count } else if count < 0 && errno != EINTR { throw fail("write") }
    }
  }

  func writeAll(_ bytes: [UInt8]) throws(TraceError) {
    try bytes.withBytes { (raw) throws(TraceError) in try writeAll(raw) }
  }

  /// Writes all of `bytes` at `offset`.
  func writeAll(_ bytes: [UInt8], at offset: UInt64) throws(TraceError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { raw in
        pwrite(descriptor, raw.baseAddress! + done, raw.count - done, off_t(offset) + off_t(done))
      }
      if count > 0 { done += count } else if count < 0 && errno != EINTR { throw fail("write") }
    }
  }

  /// Reads up to `into.count` bytes at `offset`; fewer only at the end of the file.
  func read(at offset: UInt64, into: UnsafeMutableRawBufferPointer) throws(TraceError) -> Int {
    var done = 0
    while done < into.count {
      let count = pread(descriptor, into.baseAddress! + done, into.count - done, off_t(offset) + off_t(done))
      if count == 0 { break }
      if count > 0 { done += count } else if errno != EINTR { throw fail("read") }
    }
    return done
  }

  /// The whole file, at most `limit` bytes.
  func readAll(limit: Int) throws(TraceError) -> [UInt8] {
    let size = try regularSize()
    guard size <= UInt64(limit) else { throw .system(operation: "read", path: path, errno: EFBIG) }
    var bytes = [UInt8](repeating: 0, count: Int(size))
    let count = try bytes.withMutableBytes { (raw) throws(TraceError) in try read(at: 0, into: raw) }
    bytes.removeSubrange(count...)
    return bytes
  }

  func truncate(to size: UInt64) throws(TraceError) {
    guard ftruncate(descriptor, off_t(size)) == 0 else { throw fail("truncate") }
  }

  /// Takes the lock that a recording holds; false: another has it.
  func tryLock() throws(TraceError) -> Bool {
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
    guard errno == EWOULDBLOCK else { throw fail("lock") }
    return false
  }
}

/// The names in a directory, sorted; without "." and "..".
func directoryNames(_ path: String) throws(TraceError) -> [String] {
  guard let directory = opendir(path) else { throw .system(operation: "open", path: path, errno: errno) }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
      pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted()
}

/// lstat(2); nil when there is nothing.
func fileStatus(_ path: String) -> stat? {
  var status = stat()
  return lstat(path, &status) == 0 ? status : nil
}
