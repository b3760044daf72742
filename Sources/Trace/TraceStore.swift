// Where traces are, how they are named, found and deleted.
import Glibc

/// A directory of traces, named PROGRAM-N, with a link `latest` to the one begun last.
public struct TraceStore: Equatable, Sendable {
  /// The directory.
  public let path: String

  /// A store at `path`, which need not exist.
  public init(path: String) { self.path = path }

  /// The store that the environment names: `$BIS_TRACE_DIR`, else `$XDG_DATA_HOME/bis`, else `~/.local/share/bis`.
  public static func standard(
    environment lookUp: (String) -> String? = { getenv($0).map { String(cString: $0) } }
  ) -> TraceStore {
    func nonEmpty(_ name: String) -> String? { lookUp(name).flatMap { $0.isEmpty ? nil : $0 } }
    if let path = nonEmpty("BIS_TRACE_DIR") { return TraceStore(path: path) }
    if let path = nonEmpty("XDG_DATA_HOME") { return TraceStore(path: path + "/bis") }
    return TraceStore(path: (nonEmpty("HOME") ?? "/root") + "/.local/share/bis")
  }

  /// Makes the directory of a new trace, PROGRAM-N, with an empty manifest; also for several recorders at once.
  public func create(program: String) throws(TraceError) -> TraceDirectory {
    try makeDirectories(path)
    let base = Self.name(forProgram: program)
    var number = 0
    for name in try directoryNames(path) where name.hasPrefix(base + "-") {
      if let used = Int(name.dropFirst(base.count + 1)), used >= number, used < .max { number = used + 1 }
    }
    while true {
      let trace = TraceDirectory(path: "\(path)/\(base)-\(number)")
      if mkdir(trace.path, 0o700) == 0 {
        try trace.begin()
        return trace
      }
      guard errno == EEXIST else { throw .system(operation: "mkdir", path: trace.path, errno: errno) }
      number += 1
    }
  }

  /// Makes a trace at `path` (`bis record -o`), which must not exist or be an empty directory.
  public static func create(at path: String) throws(TraceError) -> TraceDirectory {
    let trace = TraceDirectory(path: path)
    if mkdir(path, 0o700) != 0 {
      guard errno == EEXIST else { throw .system(operation: "mkdir", path: path, errno: errno) }
      guard try directoryNames(path).isEmpty else { throw .system(operation: "mkdir", path: path, errno: EEXIST) }
    }
    try trace.begin()
    return trace
  }

  /// Points `latest` to `trace`, atomically. Call it when the recording begins.
  public func setLatest(_ trace: TraceDirectory) throws(TraceError) {
    let temporary = "\(path)/.latest.\(getpid())"
    unlink(temporary)
    let target = trace.parent == path ? trace.name : try absolutePath(trace.path)
    guard symlink(target, temporary) == 0, rename(temporary, "\(path)/latest") == 0 else {
      throw .system(operation: "link", path: "\(path)/latest", errno: errno)
    }
  }

  /// The traces, oldest first.
  public func list() throws(TraceError) -> [TraceDirectory] {
    guard fileStatus(path) != nil else { return [] }
    var found: [(time: Int, trace: TraceDirectory)] = []
    for name in try directoryNames(path) where !name.hasPrefix(".") {
      let trace = TraceDirectory(path: "\(path)/\(name)")
      guard let status = fileStatus(trace.path), status.st_mode & S_IFMT == S_IFDIR, trace.isTrace else { continue }
      let time = fileStatus(trace.manifestPath).map { $0.st_mtim.tv_sec * 1_000_000_000 + $0.st_mtim.tv_nsec } ?? 0
      found.append((time, trace))
    }
    return found.sorted { ($0.time, $0.trace.name) < ($1.time, $1.trace.name) }.map(\.trace)
  }

  /// What a TRACE argument means: nil the latest; with a slash a path; else a name in the store, else a path.
  public func resolve(_ argument: String?) throws(TraceError) -> TraceDirectory {
    guard let argument else {
      if let target = realPath("\(path)/latest") {
        let trace = TraceDirectory(path: target)
        if trace.isTrace { return trace }
      }
      guard let newest = try list().last else { throw .notFound(name: nil) }
      return newest
    }
    let candidates = argument.contains("/") ? [argument] : ["\(path)/\(argument)", argument]
    for candidate in candidates {
      guard let target = realPath(candidate) else { continue }
      let trace = TraceDirectory(path: target)
      guard trace.isTrace else { throw .notATrace(path: candidate) }
      return trace
    }
    throw .notFound(name: argument)
  }

  /// Deletes a trace with everything in it; refuses what is not a trace or is being recorded. Follows no links.
  /// The manifest goes last, so that an interrupted deletion can be repeated.
  public func remove(_ trace: TraceDirectory) throws(TraceError) {
    guard let status = fileStatus(trace.path), status.st_mode & S_IFMT == S_IFDIR, trace.isTrace else {
      throw .notATrace(path: trace.path)
    }
    guard try !trace.isBeingRecorded() else { throw .busy(path: trace.path) }
    let isLatest = realPath("\(path)/latest") == realPath(trace.path)
    for name in try directoryNames(trace.path) where name != "manifest" {
      try removeTree("\(trace.path)/\(name)", depth: 0)
    }
    guard unlink(trace.manifestPath) == 0 else {
      throw .system(operation: "delete", path: trace.manifestPath, errno: errno)
    }
    guard rmdir(trace.path) == 0 else { throw .system(operation: "delete", path: trace.path, errno: errno) }
    if isLatest { unlink("\(path)/latest") }
    FilePool.prune(store: path)
  }

  /// A program's name as the beginning of a directory's name.
  static func name(forProgram program: String) -> String {
    let base = program.split(separator: "/").last.map(String.init) ?? "program"
    let safe = fileName(base, limit: 64)
    return safe.isEmpty ? "program" : safe
  }
}

/// `name` with only letters, digits and `._+-`, not beginning with a dot or a dash.
func fileName(_ name: String, limit: Int) -> String {
  var out = ""
  for byte in name.utf8.prefix(limit) {
    let scalar = Unicode.Scalar(byte)
    let isSafe =
      byte < 128 && (scalar.properties.isAlphabetic || (48...57).contains(byte) || "._+-".utf8.contains(byte))
    out.unicodeScalars.append(isSafe ? scalar : "_")
  }
  if let first = out.first, first == "." || first == "-" { out = "_" + out.dropFirst() }
  return out
}

private func makeDirectories(_ path: String) throws(TraceError) {
  var prefix = path.hasPrefix("/") ? "" : "."
  for part in path.split(separator: "/") {
    prefix += "/" + part
    if mkdir(prefix, 0o700) != 0 && errno != EEXIST {
      if fileStatus(prefix) == nil { throw .system(operation: "mkdir", path: prefix, errno: errno) }
    }
  }
}

func realPath(_ path: String) -> String? {
  guard let resolved = realpath(path, nil) else { return nil }
  defer { free(resolved) }
  return String(cString: resolved)
}

private func absolutePath(_ path: String) throws(TraceError) -> String {
  guard let resolved = realPath(path) else { throw .system(operation: "resolve", path: path, errno: errno) }
  return resolved
}

/// Deletes a file, or a directory with what is in it; never follows links.
private func removeTree(_ path: String, depth: Int) throws(TraceError) {
  guard let status = fileStatus(path) else { return }
  if status.st_mode & S_IFMT == S_IFDIR {
    guard depth < 8 else { throw .system(operation: "delete", path: path, errno: ELOOP) }
    for name in try directoryNames(path) { try removeTree("\(path)/\(name)", depth: depth + 1) }
    guard rmdir(path) == 0 else { throw .system(operation: "delete", path: path, errno: errno) }
  } else {
    guard unlink(path) == 0 else { throw .system(operation: "delete", path: path, errno: errno) }
  }
}
