internal import CLinux
import Glibc

/// Why a name is not a program.
public enum ExecutableError: Error, Equatable, CustomStringConvertible {
  case notFound(String)
  case notExecutable(String)
  case isDirectory(String)
  case unreadable(String, Errno)

  public var description: String {
    switch self {
    case .notFound(let name): "\(name): not found"
    case .notExecutable(let path): "\(path): not executable"
    case .isDirectory(let path): "\(path): is a directory"
    case .unreadable(let path, let errno): "\(path): \(errno)"
    }
  }
}

/// The file execvp(3) would start for `name`: itself when it has a slash, else the first executable file of that name in
/// the directories of `path` (PATH; an empty one is the current directory). Relative results stay relative.
public func resolveExecutable(
  _ name: String, path: String? = environmentVariable("PATH")
) throws(ExecutableError) -> String {
  if name.isEmpty { throw .notFound(name) }
  if name.utf8.contains(UInt8(ascii: "/")) {
    if let error = obstacle(name) { throw error }
    return name
  }
  var first: ExecutableError?
  for directory in (path ?? "/bin:/usr/bin").split(separator: ":", omittingEmptySubsequences: false) {
    let candidate = directory.isEmpty ? "./" + name : directory + "/" + name
    guard let error = obstacle(candidate) else { return candidate }
    switch error {
    case .notFound, .unreadable: continue  // also a directory that we may not search
    default: first = first ?? error
    }
  }
  throw first ?? .notFound(name)
}

/// Of this process. getenv(3)
public func environmentVariable(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }
}

private func obstacle(_ path: String) -> ExecutableError? {
  do throws(Errno) {
    let status = try FileStatus.of(path)
    if status.isDirectory { return .isDirectory(path) }
    guard status.isRegular, path.withCString({ bis_may_execute($0) }) == 0 else { return .notExecutable(path) }
    return nil
  } catch {
    return error == .noEntry || error == .notDirectory ? .notFound(path) : .unreadable(path, error)
  }
}
