import Glibc
import Linux
import Testing

@Suite(.serialized) struct SpawnTests {
  private func failure(_ path: String) throws -> SpawnError {
    do throws(SpawnError) {
      let stopped = try spawnTraced(path: path, arguments: [path], environment: [])
      stopped.kill()
    } catch {
      return error
    }
    throw Linux.Errno.exists
  }

  @Test func `what cannot be started says why and leaves nothing behind`() throws {
    let directory = try TemporaryDirectory()
    let plain = try directory.file("plain", "echo hello\n", mode: 0o644)
    let bare = try directory.file("bare", "echo hello\n", mode: 0o755)
    let script = try directory.file("script", "#! /nowhere/at-all -x\n", mode: 0o755)
    let empty = try directory.file("empty", "", mode: 0o755)
    #expect(try failure("/nowhere") == .exec(path: "/nowhere", .noEntry))
    #expect(try failure(plain) == .exec(path: plain, .accessDenied))
    #expect(try failure("/tmp") == .exec(path: "/tmp", .accessDenied))
    #expect(try failure(bare) == .exec(path: bare, .noExecutableFormat))
    #expect(try failure(empty) == .exec(path: empty, .noExecutableFormat))
    #expect(try failure(script) == .missingInterpreter(path: script, interpreter: "/nowhere/at-all"))
    #expect(try failure(plain + "/x") == .exec(path: plain + "/x", .notDirectory))
    #expect(throws: Linux.Errno.noChild) { try waitAny(nohang: true) }
  }

  @Test func `a missing directory and a bad descriptor are told apart`() throws {
    #expect(throws: SpawnError.directory(.noEntry)) {
      let stopped = try spawnTraced(path: "/bin/true", arguments: ["true"], environment: [], directory: "/nowhere")
      stopped.kill()
    }
    #expect(throws: SpawnError.descriptor(Errno(code: EBADF))) {
      let stopped = try spawnTraced(
        path: "/bin/true", arguments: ["true"], environment: [], descriptors: [.init(ours: 9999, theirs: 50)])
      stopped.kill()
    }
    #expect(throws: Linux.Errno.noChild) { try waitAny(nohang: true) }
  }

  @Test func `a program gets what it would get without bis`() throws {
    let output = try Descriptor.memory(name: "output", size: 0)
    var inherited = Inherited.capture()
    inherited.blockedSignals = 1 << 9  // SIGUSR1
    inherited.ignoredSignals = 1 << 12  // SIGPIPE
    inherited.openFilesSoft = 100
    let command = "ulimit -n; pwd; echo $X; ls /proc/self/fd"
    let stopped = try spawnTraced(
      path: "/bin/sh", arguments: ["sh", "-c", command], environment: ["X=a b", "PATH=/usr/bin:/bin"],
      directory: "/usr",
      inherited: inherited,
      descriptors: [.init(ours: output.raw, theirs: 1), .init(ours: output.raw, theirs: 900)],
      options: [.exitKill, .sysgood])
    #expect(try run(stopped.tid).kind == .exited(0))
    // Not by the shell: dash unblocks what it inherits.
    let grep = try spawnTraced(
      path: "/bin/grep", arguments: ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], environment: [],
      inherited: inherited, descriptors: [.init(ours: output.raw, theirs: 1)])
    #expect(try run(grep.tid).kind == .exited(0))
    let text = String(decoding: try output.pread(count: 4096, offset: 0), as: UTF8.self)
    let lines = text.split(separator: "\n")
    #expect(lines.prefix(3) == ["100", "/usr", "a b"])
    #expect(lines.contains("900"))
    #expect(lines.suffix(2) == ["SigBlk:\t0000000000000200", "SigIgn:\t0000000000001000"])
  }

  @Test func `without ASLR two starts look the same`() throws {
    var stacks: [UInt64] = []
    for _ in 0..<2 {
      let stopped = try spawnTraced(path: "/bin/true", arguments: ["true"], environment: [], disableASLR: true)
      stacks.append(try stopped.registers().rip)
      stopped.kill()
    }
    #expect(stacks[0] == stacks[1])
  }

  @Test func `a hundred starts leak nothing`() throws {
    func openFiles() -> Int { (0..<1024).filter { fcntl(Int32($0), F_GETFD) >= 0 }.count }
    let before = openFiles()
    for _ in 0..<100 {
      let stopped = try start("/bin/true")
      #expect(try run(stopped.tid).kind == .exited(0))
    }
    _ = try failure("/nowhere")
    #expect(openFiles() < before + 50)  // (other tests open and close files meanwhile)
  }

  @Test func `programs are searched as execvp does`() throws {
    let directory = try TemporaryDirectory()
    let plain = try directory.file("plain", "", mode: 0o644)
    let program = try directory.file("program", "", mode: 0o755)
    #expect(try resolveExecutable("sh", path: "/nowhere:/bin") == "/bin/sh")
    #expect(try resolveExecutable("program", path: "/bin:" + directory.path) == program)
    #expect(try resolveExecutable(program, path: nil) == program)
    #expect(try resolveExecutable("sh", path: nil) == "/bin/sh")
    #expect(throws: ExecutableError.notFound("no-such-thing")) { try resolveExecutable("no-such-thing") }
    #expect(throws: ExecutableError.notFound("")) { try resolveExecutable("") }
    #expect(throws: ExecutableError.notFound("/no/such")) { try resolveExecutable("/no/such") }
    #expect(throws: ExecutableError.notExecutable(plain)) { try resolveExecutable("plain", path: directory.path) }
    #expect(throws: ExecutableError.isDirectory("/tmp")) { try resolveExecutable("/tmp") }
    #expect(throws: ExecutableError.isDirectory("//tmp")) { try resolveExecutable("tmp", path: "/:/nowhere") }
  }
}
