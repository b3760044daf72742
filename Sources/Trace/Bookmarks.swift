// Positions that somebody named, kept in the trace: the file `bookmarks`, one line each, `NAME TAPE POSITION`.
import Glibc

/// A named position.
public struct Bookmark: Equatable, Sendable {
  /// Letters, digits and `._+-`, at most 64.
  public let name: String
  public let tape: UInt64
  /// As the debugger writes it, opaque here: digits, letters and `+@.%`, at most 80.
  public let position: String

  /// nil: a name or position that a line cannot hold.
  public init?(name: String, tape: UInt64, position: String) {
    guard Self.isWord(name, also: "._+-", limit: 64), Self.isWord(position, also: "+@.%", limit: 80) else { return nil }
    self.name = name
    self.tape = tape
    self.position = position
  }

  init?(line: Substring) {
    let fields = line.split(separator: " ", omittingEmptySubsequences: false)
    guard fields.count == 3, let tape = UInt64(fields[1]) else { return nil }
    self.init(name: String(fields[0]), tape: tape, position: String(fields[2]))
  }

  var line: String { "\(name) \(tape) \(position)\n" }

  private static func isWord(_ text: String, also others: String, limit: Int) -> Bool {
    let bytes = text.utf8
    return (1...limit).contains(bytes.count)
      && bytes.allSatisfy { byte in
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || others.utf8.contains(byte)
      }
  }
}

extension TraceDirectory {
  var bookmarksPath: String { path + "/bookmarks" }
  private static let mostBookmarks = 10_000

  /// The bookmarks of a trace, in order. Lines that are none are left out: a trace may come from anybody.
  public func bookmarks() throws(TraceError) -> [Bookmark] {
    guard let file = try OwnedFile.openIfThere(bookmarksPath, O_RDONLY | O_NONBLOCK) else { return [] }
    let text = String(decoding: try file.readAll(limit: 1 << 21), as: UTF8.self)
    return text.split(separator: "\n").prefix(Self.mostBookmarks).compactMap { Bookmark(line: $0) }
  }

  /// Keeps a bookmark; one with the same name and tape is replaced. The file is whole at any moment.
  public func add(_ bookmark: Bookmark) throws(TraceError) {
    var all = try bookmarks().filter { $0.name != bookmark.name || $0.tape != bookmark.tape }
    all.append(bookmark)
    try write(Array(all.suffix(Self.mostBookmarks)))
  }

  /// False: there is none with that name.
  public func removeBookmark(_ name: String, tape: UInt64) throws(TraceError) -> Bool {
    let all = try bookmarks()
    let kept = all.filter { $0.name != name || $0.tape != tape }
    if kept.count < all.count { try write(kept) }
    return kept.count < all.count
  }

  private func write(_ bookmarks: [Bookmark]) throws(TraceError) {
    let temporary = "\(bookmarksPath).\(getpid())"
    unlink(temporary)
    let file = try OwnedFile.open(temporary, O_WRONLY | O_CREAT | O_EXCL)
    try file.writeAll(Array(bookmarks.map(\.line).joined().utf8))
    guard rename(temporary, bookmarksPath) == 0 else {
      throw .system(operation: "write", path: bookmarksPath, errno: errno)
    }
  }
}
