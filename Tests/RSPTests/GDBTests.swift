// Debian's real gdb against the toy, over a socket. Cancelled where there is no gdb.
import Glibc
import RSP
import Testing

private let gdbPath = "/usr/bin/gdb"

/// A connected stream socket.
private final class Socket: Connection {
  let descriptor: Int32
  init(_ descriptor: Int32) { self.descriptor = descriptor }
  deinit { close(descriptor) }

  func read(timeoutMilliseconds: Int?) -> ConnectionInput {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // No test waits longer than this.
    let ready = poll(&waiting, 1, Int32(timeoutMilliseconds ?? 30_000))
    if ready == 0, timeoutMilliseconds != nil { return .nothing }
    guard ready == 1 else { return .closed }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    return count > 0 ? .bytes(Array(bytes.prefix(count))) : .closed
  }

  func write(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }
}

/// A socket of the file system that waits for gdb.
private func listen(at path: String) throws -> Int32 {
  let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
  unlink(path)
  let bound = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
  try #require(bound == 0 && Glibc.listen(listener, 1) == 0)
  _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
  return listener
}

/// Waits until gdb ends; not for more than 10 seconds.
private func wait(for child: pid_t) {
  for _ in 0..<500 {
    if waitpid(child, nil, WNOHANG) != 0 { return }
    usleep(20_000)
  }
  kill(child, SIGKILL)
  waitpid(child, nil, 0)
}

/// Runs gdb with `commands` against a toy; what it printed.
private func gdb(_ commands: [String], extended: Bool = false) throws -> String {
  let path = "/tmp/bis-rsp-test-\(getpid())"
  let output = "\(path).txt"
  let listener = try listen(at: path)
  defer {
    close(listener)
    unlink(path)
  }
  let all =
    [
      "set pagination off", "set confirm off", "set remotetimeout 10",
      "target \(extended ? "extended-remote" : "remote") \(path)",
    ] + commands
  let arguments = [gdbPath, "-q", "-nx", "-batch"] + all.flatMap { ["-ex", $0] }
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  posix_spawn_file_actions_adddup2(&actions, 1, 2)
  var child: pid_t = 0
  var vector: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
  defer { for text in vector { free(text) } }
  let status = posix_spawn(&child, gdbPath, &actions, nil, &vector, environ)
  try #require(status == 0)
  var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
  if poll(&waiting, 1, 30_000) == 1 { serve(Socket(accept(listener, nil, nil)), Toy()) }
  wait(for: child)
  let file = open(output, O_RDONLY)
  defer {
    close(file)
    unlink(output)
  }
  var bytes = [UInt8](repeating: 0, count: 1 << 20)
  let count = read(file, &bytes, bytes.count)
  return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
}

@Suite(.serialized, .enabled(if: access(gdbPath, X_OK) == 0, "no gdb here"))
struct GDBTests {
  @Test func `registers, memory, breakpoints, watchpoints, both directions`() throws {
    let copy = "/tmp/bis-rsp-test-\(getpid()).copy"
    defer { unlink(copy) }
    let text = try gdb([
      "printf \"rip %#lx rax %ld k0 %ld pkru %d\\n\", $rip, $rax, $k0, $pkru", "print $ymm31.v8_int32",
      "print $zmm0.v16_int32",
      "x/2xb 0x1010", "info threads", "stepi", "break *0x1005 if $rax == 5", "break *0x1006 if $rax == 7",
      "continue", "info breakpoints",
      "watch *(char*)0x1100", "continue", "printf \"rax %ld\\n\", $rax", "reverse-stepi", "printf \"rax %ld\\n\", $rax",
      "delete", "reverse-continue", "printf \"rip %#lx\\n\", $rip", "find /b 0x1000, 0x1100, 0x91", "monitor hello",
      "remote get /toy \(copy)", "shell cat \(copy)", "print $_siginfo.si_signo", "catch syscall 39", "continue",
      "set var *(int*)0x1200 = 77",
      "print *(int*)0x1200", "set var $rcx = 3", "print $rcx", "delete", "continue", "detach",
    ])
    for expected in [
      "rip 0x1000 rax 0 k0 0 pkru 0", "$1 = {0, 0, 0, 0, 0, 0, 0, 0}", "0x1010:\t0x90\t0x90", "Thread 10.11 \"<&\">\"",
      "(target evals)", "Breakpoint 1, 0x0000000000001005", "watchpoint 3: *(char*)0x1100", "rax 9\n", "rax 8\n",
      "No more reverse-execution history",
      "rip 0x1000\n", "Pattern not found", "hello\nfrom the toy\n", "# a file with $, } and *\n", "= 11\n",
      "Catchpoint 4", "= 77\n", "= 3\n", "detached",
    ] {
      #expect(text.contains(expected), "\(expected)\n\(text)")
    }
    #expect(!text.contains("Breakpoint 2, "))
    #expect(!text.lowercased().contains("warning: architecture") && !text.contains("Truncated register"))
  }

  @Test func `functions are called, and everything begins again`() throws {
    let text = try gdb(
      [
        "print ((long(*)(void))0x102e)()", "printf \"rip %#lx\\n\", $rip", "stepi", "stepi", "run",
        "printf \"rip %#lx\\n\", $rip",
        "kill",
      ], extended: true)
    #expect(text.contains("= 3\n") && text.contains("rip 0x1000\n"), "\(text)")
  }
}
