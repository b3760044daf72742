import Glibc
import Linux
import Testing

/// A directory that goes away with its last reference.
final class TemporaryDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/bis-linux-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Linux.Errno(code: errno) }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit {
    for name in names { unlink(path + "/" + name) }
    rmdir(path)
  }

  private var names: [String] = []

  func file(_ name: String, _ text: String, mode: UInt32) throws -> String {
    names.append(name)
    let file = try Descriptor.open(path + "/" + name, flags: O_WRONLY | O_CREAT, mode: 0o600)
    try file.writeFully(Array(text.utf8))
    chmod(path + "/" + name, mode)
    return path + "/" + name
  }
}

/// Starts a program by path with a small environment. The threads tests run on block most signals: not for the program.
func start(_ path: String, _ arguments: String...) throws -> Stopped {
  var inherited = Inherited.capture()
  inherited.blockedSignals = 1 << UInt64(SIGUSR2 - 1)
  return try spawnTraced(
    path: path, arguments: [path] + arguments, environment: ["PATH=/usr/bin:/bin", "LC_ALL=C"], inherited: inherited)
}

/// The address of the bytes `0f 05` in the vdso.
func syscallInstruction(_ tid: ThreadID) throws -> UInt64 {
  let vdso = try #require(try memoryMaps(of: tid).first { $0.path == "[vdso]" })
  let code = try readBytes(tid, vdso.start, count: Int(vdso.byteCount))
  let index = try #require(code.indices.dropLast().first { code[$0] == 0x0f && code[$0 + 1] == 5 })
  return vdso.start + UInt64(index)
}

/// Lets a thread run, passing signals on, until it reports something `stop` accepts or is gone.
func run(_ tid: ThreadID, until stop: (StopReason) -> Bool = { _ in false }) throws -> WaitStatus {
  try Ptrace.cont(tid)
  while true {
    let status = try wait(for: tid)
    guard let reason = status.stopReason, !stop(reason) else { return status }
    if case .signal(let signal) = reason { try Ptrace.cont(tid, signal) } else { try Ptrace.cont(tid) }
  }
}

/// The syscall numbers of its way to the end, by entry stops.
func systemCalls(_ tid: ThreadID) throws -> (numbers: [Int], end: WaitStatus) {
  var numbers: [Int] = []
  var entry = true
  try Ptrace.syscall(tid)
  while true {
    let status = try wait(for: tid)
    guard let reason = status.stopReason else { return (numbers, status) }
    if reason == .syscall {
      if entry { numbers.append(Int(try Ptrace.getRegisters(tid).orig_rax)) }
      entry.toggle()
    }
    if case .signal(let signal) = reason { try Ptrace.syscall(tid, signal) } else { try Ptrace.syscall(tid) }
  }
}
