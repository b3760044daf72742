// The recording's files as a tree that gdb reads on its own: faster than through the connection, and scripts that belong
// to a library (its pretty-printers) are found.
import Debug
import Glibc
import Trace

/// A directory of links: to the file itself if it is the one that was recorded, else to the copy in the trace.
struct Sysroot {
  private let trace: TraceDirectory
  /// For `set sysroot`.
  let path: String
  /// For `set solib-search-path`: the files by their names, for paths that went through links.
  let namesPath: String

  /// Fills `directory`, which is empty and ours.
  init(in directory: String, _ trace: TraceDirectory, _ files: TraceFiles) {
    self.trace = trace
    path = "\(directory)/files"
    namesPath = "\(directory)/names"
    mkdir(path, 0o700)
    mkdir(namesPath, 0o700)
    for (place, file) in files.byPath {
      let target = Self.target(file, trace)
      guard let target, makeParents(of: place) else { continue }
      symlink(target, path + place)
    }
    for (name, file) in files.byName {
      guard let target = Self.target(file, trace) else { continue }
      symlink(target, "\(namesPath)/\(name)")
      // The linker looks in the same directory by the name inside.
      let folder = file.path.split(separator: "/").dropLast().joined(separator: "/")
      if makeParents(of: file.path) { symlink(target, "\(path)/\(folder)/\(name)") }
    }
    // A library's script finds its modules by a path relative to the library.
    if makeParents(of: "/usr/share/gcc") { symlink("/usr/share/gcc", "\(path)/usr/share/gcc") }
    // Merged directories, unless the recording has them apart.
    for name in ["lib", "lib64", "bin", "sbin"] { symlink("usr/\(name)", "\(path)/\(name)") }
  }

  /// Another program, and the files that were there when it began.
  func update(_ files: TraceFiles) {
    for (place, file) in files.byPath {
      guard let target = Self.target(file, trace), Self.link(path + place) != target else { continue }
      unlink(path + place)
      symlink(target, path + place)
    }
  }

  /// What a link holds; nil: it is none.
  private static func link(_ path: String) -> String? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = bytes.withUnsafeMutableBytes { readlink(path, $0.baseAddress!, $0.count) }
    return count < 0 ? nil : String(decoding: bytes.prefix(count), as: UTF8.self)
  }

  private func makeParents(of place: String) -> Bool {
    var folder = path
    for part in place.split(separator: "/").dropLast() {
      folder += "/\(part)"
      var status = stat()
      if mkdir(folder, 0o700) != 0, lstat(folder, &status) != 0 || status.st_mode & S_IFMT != S_IFDIR { return false }
    }
    return true
  }

  private static func target(_ file: Manifest.FileInfo, _ trace: TraceDirectory) -> String? {
    var status = stat()
    if lstat(file.path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, FileIdentity(status) == file.identity {
      return file.path
    }
    let copy = trace.storedPath(file)
    guard lstat(copy, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return copy.hasPrefix("/") ? copy : realPath(copy)
  }

  private static func realPath(_ path: String) -> String? {
    guard let found = realpath(path, nil) else { return nil }
    defer { free(found) }
    return String(cString: found)
  }
}
