// One trace: a directory with a manifest, tapes, mapped files and, while recording, the rings.
import Glibc

/// A trace directory: a path, and the names of what is in it.
public struct TraceDirectory: Hashable, Sendable {
  /// The directory.
  public let path: String

  /// The trace at `path`; nothing is looked at yet.
  public init(path: String) { self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path }

  /// PROGRAM-N.
  public var name: String { path.split(separator: "/").last.map(String.init) ?? path }
  var parent: String { String(path.dropLast(name.count + 1)) }
  /// The manifest.
  public var manifestPath: String { path + "/manifest" }
  /// Control blocks and rings of the processes being recorded, one slot of `BIS_WINDOW_SIZE` bytes each.
  public var ringsPath: String { path + "/rings" }
  /// The directory of mapped files.
  public var filesPath: String { path + "/files" }
  /// The file of tape `number`.
  public func tapePath(_ number: UInt64) -> String { "\(path)/tape-\(number)" }

  /// The first line of every manifest.
  static let firstLine = "bis-trace 1\n"

  /// Whether this is a trace: its manifest begins as ours do.
  public var isTrace: Bool {
    guard let file = try? OwnedFile.open(manifestPath, O_RDONLY) else { return false }
    var bytes = [UInt8](repeating: 0, count: Self.firstLine.utf8.count)
    let count = bytes.withUnsafeMutableBytes { raw in (try? file.read(at: 0, into: raw)) ?? 0 }
    return count == bytes.count && bytes == Array(Self.firstLine.utf8)
  }

  /// Whether a recorder has the manifest open (it holds a lock on it).
  public func isBeingRecorded() throws(TraceError) -> Bool {
    let file = try OwnedFile.open(manifestPath, O_RDONLY)
    return try !file.tryLock()
  }

  /// Numbers of the tapes that have a file, ascending.
  public func tapeNumbers() throws(TraceError) -> [UInt64] {
    try directoryNames(path).compactMap { name in
      guard name.hasPrefix("tape-"), let number = UInt64(name.dropFirst(5)), name == "tape-\(number)" else {
        return nil
      }
      return number
    }.sorted()
  }

  /// What a trace takes on disk.
  public struct Sizes: Equatable, Sendable {
    /// Bytes of tapes, of mapped files, of everything else.
    public var tapes: UInt64 = 0
    public var files: UInt64 = 0
    public var other: UInt64 = 0
    /// All of them.
    public var total: UInt64 { tapes + files + other }
  }

  /// Adds up the sizes of the files in the trace (shared extents count fully).
  public func sizes() throws(TraceError) -> Sizes {
    var sizes = Sizes()
    for name in try directoryNames(path) where name != "files" {
      let size = UInt64(fileStatus("\(path)/\(name)")?.st_size ?? 0)
      if name.hasPrefix("tape-") { sizes.tapes += size } else { sizes.other += size }
    }
    if fileStatus(filesPath) != nil {
      for name in try directoryNames(filesPath) {
        sizes.files += UInt64(fileStatus("\(filesPath)/\(name)")?.st_size ?? 0)
      }
    }
    return sizes
  }

  /// Fills a new directory.
  func begin() throws(TraceError) {
    let manifest = try OwnedFile.open(manifestPath, O_WRONLY | O_CREAT | O_EXCL)
    try manifest.writeAll(Array(Self.firstLine.utf8))
    guard mkdir(filesPath, 0o700) == 0 else { throw .system(operation: "mkdir", path: filesPath, errno: errno) }
  }
}
