// The files of a trace by the names that a debugger asks for: paths may go through symbolic links, of which the recording
// knows nothing, and libraries are found by the names they give themselves.

import Linux
public import Trace

/// What one process mapped, by path and by name.
public struct TraceFiles {
  private let trace: TraceDirectory
  /// Each path once: of several files the one that was there when the program began.
  public let byPath: [String: Manifest.FileInfo]
  /// By the last part of the path, and by the name inside a shared object; those that only one file has.
  public let byName: [String: Manifest.FileInfo]

  /// - Parameter startFiles: numbers of the files that were mapped when the program began.
  public init(_ trace: TraceDirectory, _ manifest: Manifest, startFiles: Set<UInt64>) {
    self.trace = trace
    var paths: [String: Manifest.FileInfo] = [:]
    for file in manifest.files where Self.isPlain(file) {
      let isBetter = startFiles.contains(file.number) && !startFiles.contains(paths[file.path]?.number ?? .max)
      if paths[file.path] == nil || isBetter { paths[file.path] = file }
    }
    var names: [String: Manifest.FileInfo?] = [:]
    for file in paths.values {
      var own: Set<String> = [String(file.path.split(separator: "/").last ?? "")]
      if let name = Self.objectName(trace, file) { own.insert(name) }
      for name in own {
        if let other = names[name], other != file { names[name] = .some(nil) } else { names[name] = file }
      }
    }
    byPath = paths
    byName = names.compactMapValues { $0 }
  }

  /// The file that a path meant then.
  public func file(_ path: String) -> Manifest.FileInfo? {
    if let exact = byPath[path] { return exact }
    let merged = ["/lib/", "/lib64/", "/bin/", "/sbin/"].contains { path.hasPrefix($0) }
    if merged, let found = byPath["/usr" + path] { return found }
    guard path.hasPrefix("/"), let name = path.split(separator: "/").last else { return nil }
    return byName[String(name)]
  }

  /// An absolute path without tricks, and a copy that is a file in the trace directory.
  private static func isPlain(_ file: Manifest.FileInfo) -> Bool {
    let parts = file.path.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count > 1 && parts[0].isEmpty && parts.dropFirst().allSatisfy { !["", ".", ".."].contains($0) }
      && !file.path.utf8.contains(0) && !file.storedName.contains("/") && !file.storedName.hasPrefix(".")
  }

  private static func objectName(_ trace: TraceDirectory, _ file: Manifest.FileInfo) -> String? {
    guard let descriptor = try? Descriptor.open("\(trace.filesPath)/\(file.storedName)", flags: 0o400000),
      let status = try? descriptor.stat(), status.isRegular,
      let header = try? ELFHeader(reading: descriptor), header.kind == .shared
    else { return nil }
    return header.objectName(in: descriptor)
  }
}
