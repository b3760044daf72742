// A program that bis starts for itself (gdb): not traced, with our terminal.
import Glibc
import Synchronization

/// Children that live, and status words of those whose end `waitAny` saw before their owner did.
private let started = Mutex<Set<Int32>>([])
private let endsSeen = Mutex<[Int32: Int32]>([:])

/// Keeps the status of a child for its owner.
func noteEnd(of pid: Int32, status: Int32) {
  if started.withLock({ $0.remove(pid) }) != nil { endsSeen.withLock { $0[pid] = status } }
}

/// Its process; reaped by `wait` or `poll`.
public struct Child: ~Copyable {
  public let pid: Int32

  /// Starts `path` with our environment and the first three descriptors, in our process group. Signals that we ignore have
  /// their default effect there. posix_spawn(3)
  public static func start(path: String, arguments: [String]) throws(Errno) -> Child {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    for signal in [SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE, SIGHUP] { sigaddset(&signals, signal) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    var vector: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for string in vector { free(string) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, path, nil, &attributes, &vector, environ)
    guard code == 0 else { throw Errno(code: code) }
    started.withLock { _ = $0.insert(pid) }
    return Child(pid: pid)
  }

  /// Its exit status, 128 + signal if it died of one; nil: it runs.
  public func poll() -> Int32? { status(WNOHANG) }

  /// Waits for its end.
  public func wait() -> Int32 { status(0) ?? 0 }

  private func status(_ options: Int32) -> Int32? {
    var status: Int32 = 0
    while true {
      let result = waitpid(pid, &status, options)
      if result == pid { return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F) }
      if result == 0 { return nil }
      if errno == EINTR { continue }
      // It is gone: `waitAny` saw its end.
      guard let raw = endsSeen.withLock({ $0.removeValue(forKey: pid) }) else { return 0 }
      return raw & 0x7F == 0 ? raw >> 8 & 0xFF : 128 + (raw & 0x7F)
    }
  }
}

/// A directory of our own under $TMPDIR, deleted with the files in it when the value dies.
public struct TemporaryDirectory: ~Copyable {
  public let path: String

  public init() throws(Errno) {
    let base = environmentVariable("TMPDIR").flatMap { $0.isEmpty || $0.utf8.count > 60 ? nil : $0 } ?? "/tmp"
    var template = Array("\(base)/bis-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno(code: errno) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { Self.delete(path) }

  /// Follows no link.
  private static func delete(_ path: String) {
    guard let directory = opendir(path) else { return }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name == "." || name == ".." { continue }
      if unlink("\(path)/\(name)") != 0, errno == EISDIR { delete("\(path)/\(name)") }
    }
    closedir(directory)
    rmdir(path)
  }

  /// Puts a file there; returns its path.
  public func write(_ name: String, _ text: String) throws(Errno) -> String {
    let file = try Descriptor.open("\(path)/\(name)", flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    try file.writeFully(Array(text.utf8))
    return "\(path)/\(name)"
  }
}
