internal import CLinux

/// What programs inherit from whoever started bis: signal mask, ignored signals, the limit of open files. Capture it before
/// bis changes any of them for itself, and give it to every program.
public struct Inherited: Equatable, Sendable {
  public var blockedSignals: UInt64
  /// Bit n-1: signal n is ignored.
  public var ignoredSignals: UInt64
  public var openFilesSoft: UInt64
  public var openFilesHard: UInt64

  public static func capture() -> Inherited {
    var raw = bis_inherited()
    bis_capture_inherited(&raw)
    return Inherited(
      blockedSignals: raw.blocked, ignoredSignals: raw.ignored, openFilesSoft: raw.nofile.0, openFilesHard: raw.nofile.1
    )
  }

  fileprivate var raw: bis_inherited {
    bis_inherited(blocked: blockedSignals, ignored: ignoredSignals, nofile: (openFilesSoft, openFilesHard))
  }
}

/// A descriptor of ours that the program gets under its own number.
public struct InheritedDescriptor: Sendable {
  public let ours: Int32
  public let theirs: Int32

  public init(ours: Int32, theirs: Int32) {
    self.ours = ours
    self.theirs = theirs
  }
}

/// Why a program did not start. Nothing is left behind.
public enum SpawnError: Error, Equatable, CustomStringConvertible {
  /// pipe, fork: no resources.
  case resources(Errno)
  /// ptrace is not allowed here.
  case ptrace(Errno)
  /// A given descriptor cannot be put where it should be.
  case descriptor(Errno)
  case directory(Errno)
  case exec(path: String, Errno)
  /// The file is there, the interpreter it names (in `#!` or as ld.so) is not.
  case missingInterpreter(path: String, interpreter: String)
  /// Killed before it became the program.
  case killed(signal: Int32)

  public var description: String {
    switch self {
    case .resources(let errno): "cannot start a process: \(errno)"
    case .ptrace(let errno): "cannot trace a process: \(errno)"
    case .descriptor(let errno): "cannot pass a descriptor on: \(errno)"
    case .directory(let errno): "cannot change the directory: \(errno)"
    case .exec(let path, let errno): "\(path): \(errno)"
    case .missingInterpreter(let path, let interpreter): "\(path): its interpreter \(interpreter) is missing"
    case .killed(let signal): "killed by signal \(signal) before it started"
    }
  }
}

/// Starts `path` (no search, see `resolveExecutable`) under ptrace, seized with `options`, and returns it at the syscall
/// exit stop of its execve: no instruction of it has run, remote calls work. `arguments` include argument 0; `environment`
/// is `NAME=value`. In our process group, session and directory. The first report to wait for after resuming it is the
/// program's own.
public func spawnTraced(
  path: String, arguments: [String], environment: [String], disableASLR: Bool = false, directory: String? = nil,
  inherited: Inherited = .capture(), descriptors: [InheritedDescriptor] = [], options: Ptrace.Options = .all
) throws(SpawnError) -> Stopped {
  var inheritedRaw = inherited.raw
  let numbers = descriptors.flatMap { [$0.ours, $0.theirs] }
  var spawn = bis_spawn()
  spawn.options = options.union([.exec, .sysgood]).rawValue  // the start itself needs these two
  spawn.flags = disableASLR ? Int32(BIS_SPAWN_DISABLE_ASLR) : 0
  spawn.descriptor_pairs = descriptors.count

  let result = withCStrings(arguments) { argv in
    withCStrings(environment) { envp in
      withCString(directory) { directory in
        path.withCString { path in
          withUnsafePointer(to: &inheritedRaw) { inherited in
            numbers.withUnsafeBufferPointer { numbers in
              spawn.path = path
              spawn.argv = argv
              spawn.envp = envp
              spawn.directory = directory
              spawn.inherited = inherited
              spawn.descriptors = numbers.baseAddress
              return bis_spawn_traced(&spawn)
            }
          }
        }
      }
    }
  }
  guard result >= 0 else {
    let errno = Errno(code: Int32(-result))
    throw spawn.failed_stage == Int32(BIS_STAGE_SEIZE) ? .ptrace(errno) : .resources(errno)
  }
  let tid = ThreadID(Int32(result))
  let failure = Descriptor(owning: spawn.failure_fd)
  do throws(Errno) {
    try waitForExec(tid)
    try finishExecStop(tid)
    try Ptrace.setSignalMask(tid, inherited.blockedSignals)
    return Stopped(assuming: tid)
  } catch {
    let end = reap(tid)
    throw reason(failure, path: path, end: end, error: error)
  }
}

// MARK: -

/// Takes the child's reports up to its exec event; throws `.gone` when it ends instead, with the end still to be waited for.
private func waitForExec(_ tid: ThreadID) throws(Errno) {
  while true {
    guard let report = try peek(for: tid), let reason = report.stopReason, reason != .event(.exit) else { throw .gone }
    _ = try wait(for: tid)
    switch reason {
    case .event(.exec): return
    // Only SIGSTOP gets here, everything else is blocked: let it stop, and go on with SIGCONT.
    case .signal(let signal): try Ptrace.cont(tid, signal)
    case .groupStop: try Ptrace.listen(tid)
    default: try Ptrace.cont(tid)
    }
  }
}

/// Kills a child that did not become a program, and returns its end.
private func reap(_ tid: ThreadID) -> WaitStatus.Kind? {
  // One that is exiting keeps its own status.
  if (try? peek(for: tid, nohang: true))??.stopReason != .event(.exit) { try? Ptrace.kill(process: tid) }
  while let report = try? wait(for: tid) {
    if report.stopReason == nil { return report.kind }
    try? Ptrace.cont(tid)
  }
  return nil
}

private func reason(
  _ failure: borrowing Descriptor, path: String, end: WaitStatus.Kind?, error: Errno
) -> SpawnError {
  var report = bis_spawn_failure()
  let got = withUnsafeMutableBytes(of: &report) { buffer in (try? failure.readFully(into: buffer)) ?? 0 }
  guard got == MemoryLayout<bis_spawn_failure>.size else {
    if case .signaled(let signal, _)? = end { return .killed(signal: signal) }
    return .ptrace(error)
  }
  let errno = Errno(code: report.code)
  switch Int(report.stage) {
  case Int(BIS_STAGE_DESCRIPTOR): return .descriptor(errno)
  case Int(BIS_STAGE_DIRECTORY): return .directory(errno)
  default:
    if errno == .noEntry, let interpreter = interpreterName(of: path) {
      return .missingInterpreter(path: path, interpreter: interpreter)
    }
    return .exec(path: path, errno)
  }
}

/// What a script's first line or an ELF file names; nil when the file itself is missing.
private func interpreterName(of path: String) -> String? {
  guard let file = try? Descriptor.open(path, flags: O_RDONLY | O_NONBLOCK) else { return nil }
  if let header = try? ELFHeader(reading: file) { return header.interpreter }
  guard let head = try? file.pread(count: 256, offset: 0), head.starts(with: [0x23, 0x21]) else { return nil }
  let line = head.dropFirst(2).prefix { $0 != 10 }
  let word = line.drop { $0 == 32 || $0 == 9 }.prefix { $0 != 32 && $0 != 9 && $0 != 0 }
  return String(decoding: word, as: UTF8.self)
}

/// A null-terminated vector of C strings in one allocation.
private func withCStrings<R>(
  _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
) -> R {
  var bytes: [CChar] = []
  var offsets: [Int] = []
  for string in strings {
    offsets.append(bytes.count)
    bytes += string.utf8CString
  }
  return bytes.withUnsafeMutableBufferPointer { buffer in
    var vector: [UnsafeMutablePointer<CChar>?] = offsets.map { offset in buffer.baseAddress.map { $0 + offset } }
    vector.append(nil)
    return vector.withUnsafeBufferPointer { pointers in
      guard let base = pointers.baseAddress else { preconditionFailure("a vector has its null") }
      return body(base)
    }
  }
}

private func withCString<R>(_ string: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R {
  guard let string else { return body(nil) }
  return string.withCString { body($0) }
}
