import Glibc
import Testing

@testable import Trace

@Suite struct BookmarkTests {
  private func trace() throws -> TraceDirectory {
    var template = Array("/tmp/bis-bookmarks-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    return TraceDirectory(path: String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
  }

  @Test func keptReplacedAndRemoved() throws {
    let trace = try trace()
    defer {
      unlink(trace.bookmarksPath)
      rmdir(trace.path)
    }
    #expect(try trace.bookmarks().isEmpty)
    let first = try #require(Bookmark(name: "a", tape: 0, position: "5+1@0x40"))
    let other = try #require(Bookmark(name: "a", tape: 1, position: "7"))
    let again = try #require(Bookmark(name: "a", tape: 0, position: "9"))
    for bookmark in [first, other, again] { try trace.add(bookmark) }
    #expect(try trace.bookmarks() == [other, again])
    #expect(try trace.removeBookmark("a", tape: 0))
    #expect(try !trace.removeBookmark("a", tape: 0))
    #expect(try trace.bookmarks() == [other])
  }

  @Test func strangersLinesAreLeftOut() throws {
    let trace = try trace()
    defer {
      unlink(trace.bookmarksPath)
      rmdir(trace.path)
    }
    let text = "ok 0 5\nno number here\n../x 0 5\na b 0 5\nescape\u{1b}[0m 0 5\nx 99999999999999999999 5\n\nlast 2 7+1"
    let file = try OwnedFile.open(trace.bookmarksPath, O_WRONLY | O_CREAT)
    try file.writeAll(Array(text.utf8) + [0xFF, 0x00, 0x0A])
    #expect(try trace.bookmarks().map(\.name) == ["ok"])
    #expect(Bookmark(name: "", tape: 0, position: "5") == nil)
    #expect(Bookmark(name: "a b", tape: 0, position: "5") == nil)
    #expect(Bookmark(name: String(repeating: "a", count: 65), tape: 0, position: "5") == nil)
  }
}
