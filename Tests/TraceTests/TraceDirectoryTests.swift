import Glibc
import Tape
import Testing

@testable import Trace

@Suite struct TraceDirectoryTests {
  @Test func `the environment says where traces are`() {
    #expect(TraceStore.standard { ["BIS_TRACE_DIR": "/a", "HOME": "/h"][$0] }.path == "/a")
    #expect(TraceStore.standard { ["XDG_DATA_HOME": "/x", "HOME": "/h"][$0] }.path == "/x/bis")
    #expect(TraceStore.standard { ["BIS_TRACE_DIR": "", "HOME": "/h"][$0] }.path == "/h/.local/share/bis")
  }

  @Test func `traces are numbered, found and deleted`() throws {
    let scratch = Scratch()
    let store = TraceStore(path: scratch.store.path + "/deep/er")
    defer {
      unlink(store.path + "/latest")
      rmdir(store.path)
      rmdir(scratch.store.path + "/deep")
    }
    #expect(throws: TraceError.notFound(name: nil)) { try store.resolve(nil) }
    let first = try store.create(program: "/usr/bin/true")
    let second = try store.create(program: "true")
    let other = try store.create(program: "../we ird\n-")
    #expect([first.name, second.name, other.name] == ["true-0", "true-1", "we_ird_--0"])
    try store.setLatest(second)
    #expect(try store.resolve(nil).name == "true-1")
    #expect(try store.resolve("true-0").name == "true-0")
    #expect(try store.resolve(first.path + "/").name == "true-0")
    #expect(try store.resolve("latest").name == "true-1")
    #expect(throws: TraceError.notFound(name: "nothing")) { try store.resolve("nothing") }
    #expect(throws: TraceError.notATrace(path: "/tmp/")) { try store.resolve("/tmp/") }
    #expect(Set(try store.list().map(\.name)) == ["true-0", "true-1", "we_ird_--0"])
    symlink("/etc", second.path + "/link")
    try store.remove(second)
    #expect(fileStatus(second.path) == nil && fileStatus("/etc") != nil)
    #expect(fileStatus(store.path + "/latest") == nil)
    mkdir(store.path + "/innocent", 0o700)
    #expect(throws: TraceError.self) { try store.remove(TraceDirectory(path: store.path + "/innocent")) }
    rmdir(store.path + "/innocent")
    try store.remove(first)
    #expect(try store.create(program: "true").name == "true-0")
    try store.remove(try store.resolve("true-0"))
    try store.remove(other)
    #expect(try store.list().isEmpty)
  }

  @Test func `a manifest comes back, also with a torn last line`() throws {
    let scratch = Scratch()
    let trace = try scratch.store.create(program: "x")
    var expected = Manifest(recording: Manifest.Recording())
    expected.recording.bisVersion = "0.1"
    expected.recording.arguments = ["a b", "", "100%", "ü\n=*"]
    expected.recording.cpuProfile = "leaf 0\nleaf 1\n"
    expected.recording.options = ["aslr": "0"]
    expected.recording.startTSC = 1_000
    expected.recording.tscFrequency = 2_000_000_000
    expected.recording.startNanoseconds = 5
    do {
      let writer = try ManifestWriter(trace, recording: expected.recording)
      var tape = Manifest.TapeInfo(number: 0, pid: 7, origin: .exec, executable: "/bin/x", arguments: ["x", ""])
      try writer.add(tape)
      let child = Manifest.TapeInfo(
        number: 1, pid: 8, origin: .fork, parent: 0, parentEvent: 12, executable: "/bin/x", arguments: [])
      try writer.add(child)
      try writer.end(tape: 0, Manifest.TapeEnd(outcome: .signalled(11), eventCount: 3, byteCount: 4))
      tape.end = Manifest.TapeEnd(outcome: .signalled(11), eventCount: 3, byteCount: 4)
      expected.tapes = [tape, child]
      let store = FileStore(writer)
      let number = try store.store(path: "/proc/self/maps")
      let again = try store.store(path: "/bin/sh")
      #expect(try (number, again) == (0, 1) && store.store(path: "/bin/sh") == 1)
      expected.files = try Manifest.read(trace).files
      #expect(expected.files.count == 2 && expected.files[1].path == "/bin/sh")
      let copy = try trace.openStored(expected.files[1])
      defer { close(copy) }
      var status = stat()
      fstat(copy, &status)
      #expect(status.st_size == Int(expected.files[1].identity.size) && status.st_mode & 0o777 == 0o444)
      #expect(try store.known(#require(expected.files.last).identity) == 1)
    }
    #expect(try Manifest.read(trace) == expected)
    #expect(expected.recording.nanoseconds(ofTSC: 3_000) == 1_005)
    let before = try OwnedFile.open(trace.manifestPath, O_RDONLY).readAll(limit: 1 << 20)
    do {
      let writer = try ManifestWriter(continuing: trace)
      try writer.finish(.exited(3))
    }
    let after = try OwnedFile.open(trace.manifestPath, O_RDONLY).readAll(limit: 1 << 20)
    for length in before.count..<after.count {
      #expect(try Manifest.decode(Array(after.prefix(length)), path: "m").manifest == expected)
    }
    expected.outcome = .exited(3)
    #expect(try Manifest.read(trace) == expected)
    // A torn line is cut before going on; damage anywhere else is an error.
    truncate(trace.manifestPath, off_t(after.count - 5))
    expected.outcome = .lost
    _ = try trace.recover()
    expected.tapes = try Manifest.read(trace).tapes
    #expect(try Manifest.read(trace) == expected)
    var random = Random(8)
    for _ in 0..<2000 {
      var bytes = before
      bytes[random.below(before.count - 60)] ^= 1 << UInt8(random.below(8))
      #expect(throws: TraceError.self) { try Manifest.decode(bytes, path: "m") }
    }
  }

  @Test func `traces of a store share copies, and lose nothing when others are deleted`() throws {
    let scratch = Scratch()
    let store = scratch.store
    var paths: [String] = []
    for program in ["a", "b"] {
      let trace = try store.create(program: program)
      let writer = try ManifestWriter(trace, recording: Manifest.Recording())
      let files = FileStore(writer, sharedIn: store)
      paths.append(try #require(files.path(ofFile: try files.store(path: "/bin/sh"))))
    }
    #expect(fileStatus(paths[0])?.st_ino == fileStatus(paths[1])?.st_ino)
    let size = fileStatus(paths[1])?.st_size
    try store.remove(try store.resolve("a-0"))
    #expect(fileStatus(paths[1])?.st_size == size && fileStatus(store.path + "/.files") != nil)
    try store.remove(try store.resolve("b-0"))
    #expect(fileStatus(store.path + "/.files") == nil)
  }

  @Test func `stored names stay in their directory`() {
    for name in ["../x", "/etc/passwd", "", ".", "..", "1-../x", "latest", "1-a\u{0}b"] {
      #expect(!Manifest.FileInfo.isSafe(name))
    }
    #expect(Manifest.FileInfo.isSafe("12-libc.so.6") && Manifest.FileInfo.isSafe("0"))
  }
}
