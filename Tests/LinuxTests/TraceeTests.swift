import Glibc
import Linux
import Testing

/// Each test owns one tracee, on one thread, from start to end.
@Suite(.serialized) struct TraceeTests {
  @Test func `the system calls of true`() throws {
    let stopped = try start("/bin/true")
    let (numbers, end) = try systemCalls(stopped.tid)
    #expect(end.kind == .exited(0))
    #expect(numbers.count > 10)
    #expect(numbers.last == 231)
    #expect(!numbers.contains(59), "execve is over when spawnTraced returns")
  }

  @Test func `typed stops follow a program to its end`() throws {
    var stopped = try start("/bin/sh", "-c", "exit 7")
    var exits = 0
    while true {
      switch try stopped.resume().wait() {
      case .stopped(let next, let reason):
        if reason == .event(.exit) {
          exits += 1
          #expect(try next.eventMessage() == 7 << 8)
        }
        stopped = next
        continue
      case .exited(let code): #expect(code == 7)
      case .signaled(let signal, _): Issue.record("signal \(signal)")
      }
      break
    }
    #expect(exits == 1)
  }

  @Test func `nothing has run at the start`() throws {
    let stopped = try start("/bin/true")
    let registers = try stopped.registers()
    #expect(registers.rax == 0)
    let maps = try memoryMaps(of: stopped.tid)
    #expect(!maps.contains { $0.path.contains("libc.so") })
    let header = try ELFHeader(bytes: readFile("/bin/true"))
    let loader = try ELFHeader(bytes: readFile(try #require(header.interpreter)))
    let base = try #require(maps.first { $0.path.contains("ld-linux") && $0.offset == 0 }).start
    #expect(registers.rip == base + loader.entry)
    #expect(try stopped.signalMask() == 1 << UInt64(SIGUSR2 - 1))
    // argc
    #expect(try readWord(stopped.tid, registers.rsp) == 1)
    let argument = try readWord(stopped.tid, registers.rsp + 8)
    #expect(try readCString(stopped.tid, argument) == Array("/bin/true".utf8))
    stopped.kill()
  }

  @Test func `remote system calls leave no trace`() throws {
    let stopped = try start("/bin/true")
    let tid = stopped.tid
    let at = try syscallInstruction(tid)
    let before = try stopped.registers()
    #expect(try remoteSyscall(stopped, at: at, 39) == Int64(tid.rawValue))
    #expect(try remoteSyscall(stopped, at: at, 186) == Int64(tid.rawValue))
    #expect(try remoteSyscall(stopped, at: at, 3, 9999) == -9)
    #expect(try stopped.registers() == before)
    let region: UInt64 = 0x5500_0000_0000
    #expect(try remoteSyscall(stopped, at: at, 9, region, 8192, 3, 0x10_0022, .max, 0) == Int64(region))
    #expect(try memoryMaps(of: tid).contains { $0.start == region && $0.byteCount == 8192 && $0.write && !$0.isFile })
    try writeMemory(tid, region + 4094, [1, 2, 3, 4])
    #expect(try readBytes(tid, region + 4094, count: 4) == [1, 2, 3, 4])
    #expect(try remoteSyscall(stopped, at: at, 11, region, 8192) == 0)
    #expect(throws: Linux.Errno.badAddress) { try readWord(tid, region) }
    #expect(throws: Linux.Errno.badAddress) { try remoteSyscall(tid, at: before.rsp, 39, []) }
    #expect(try stopped.registers() == before)
    #expect(try run(tid).kind == .exited(0))
  }

  @Test func `pending signals stay pending around a remote call`() throws {
    let stopped = try start("/bin/true")
    let tid = stopped.tid
    let at = try syscallInstruction(tid)
    try Ptrace.signal(tid, SIGUSR1)
    try Ptrace.signal(tid, SIGTRAP)
    #expect(try remoteSyscall(stopped, at: at, 39) == Int64(tid.rawValue))
    var seen: Set<Int32> = []
    for _ in 0..<2 {
      try Ptrace.cont(tid)
      guard case .signal(let signal)? = try wait(for: tid).stopReason else { break }
      seen.insert(signal)
      #expect(try Ptrace.signalInfo(tid).signo == signal)
      #expect(try Ptrace.signalInfo(tid).pid == getpid())
    }
    #expect(seen == [SIGUSR1, SIGTRAP])
    #expect(try run(tid).kind == .exited(0))
  }

  @Test func `a remote call at a signal's stop keeps what comes with the signal`() throws {
    let stopped = try start("/bin/sh", "-c", "trap 'exit 9' USR1; kill -USR1 $$; exit 1")
    let tid = stopped.tid
    let at = try syscallInstruction(tid)
    #expect(try run(tid) { $0 == .signal(SIGUSR1) }.stopReason == .signal(SIGUSR1))
    let info = try Ptrace.signalInfo(tid)
    #expect(info.pid == tid.rawValue && info.code == 0)
    #expect(try remoteSyscall(tid, at: at, 39, []) == Int64(tid.rawValue))
    #expect(try Ptrace.signalInfo(tid) == info)
    try Ptrace.cont(tid, SIGUSR1)
    var status = try wait(for: tid)
    while status.stopReason != nil {
      try Ptrace.cont(tid)
      status = try wait(for: tid)
    }
    #expect(status.kind == .exited(9))
  }

  @Test func `a pending interrupt is reported after the remote call`() throws {
    let stopped = try start("/bin/true")
    let tid = stopped.tid
    let at = try syscallInstruction(tid)
    try Ptrace.interrupt(tid)
    #expect(try remoteSyscall(stopped, at: at, 39) == Int64(tid.rawValue))
    try Ptrace.cont(tid)
    #expect(try wait(for: tid).stopReason == .event(.stop(SIGTRAP)))
    #expect(try run(tid).kind == .exited(0))
  }

  @Test func `SIGSTOP waits for the remote call, group stop and SIGCONT`() throws {
    let stopped = try start("/bin/true")
    let tid = stopped.tid
    let at = try syscallInstruction(tid)
    try Ptrace.signal(tid, SIGSTOP)
    #expect(try remoteSyscall(stopped, at: at, 39) == Int64(tid.rawValue))
    try Ptrace.cont(tid)
    #expect(try wait(for: tid).stopReason == .signal(SIGSTOP))
    try Ptrace.cont(tid, SIGSTOP)
    #expect(try wait(for: tid).stopReason == .groupStop(SIGSTOP))
    // In a group stop, too; then it is still one.
    #expect(try remoteSyscall(tid, at: at, 39, []) == Int64(tid.rawValue))
    try Ptrace.cont(tid)
    #expect(try wait(for: tid).stopReason == .groupStop(SIGSTOP))
    try Ptrace.listen(tid)
    #expect(throws: Linux.Errno.gone) { try Ptrace.getRegisters(tid) }
    try Ptrace.signal(tid, SIGCONT)
    #expect(try wait(for: tid).stopReason == .event(.stop(SIGTRAP)))
    #expect(try run(tid).kind == .exited(0))
  }

  @Test func `a sleep interrupted by a remote call goes on`() throws {
    let stopped = try start("/bin/sleep", "0.3")
    let tid = stopped.tid
    let at = try syscallInstruction(tid)
    let begin = timePoint().monotonicNanoseconds
    try Ptrace.cont(tid)
    usleep(100_000)
    try Ptrace.interrupt(tid)
    #expect(try wait(for: tid).stopReason == .event(.stop(SIGTRAP)))
    let registers = try Ptrace.getRegisters(tid)
    #expect([35, 230].contains(registers.orig_rax))
    #expect(try remoteSyscall(tid, at: at, 39, []) == Int64(tid.rawValue))
    #expect(try run(tid).kind == .exited(0))
    #expect(timePoint().monotonicNanoseconds - begin >= 290_000_000)
  }

  @Test func `a tracee killed under a remote call is gone, and its end is still reported`() throws {
    let stopped = try start("/bin/sleep", "10")
    let tid = stopped.tid
    let at = try syscallInstruction(tid)
    try Ptrace.kill(process: tid)
    #expect(throws: Linux.Errno.gone) { try remoteSyscall(tid, at: at, 39, []) }
    var status = try wait(for: tid)
    if status.stopReason == .event(.exit) { status = try run(tid) }
    #expect(status.kind == .signaled(SIGKILL, core: false))
    #expect(throws: Linux.Errno.gone) { try Ptrace.cont(tid) }
    #expect(throws: Linux.Errno.noChild) { try wait(for: tid) }
  }

  @Test func `children and their programs are followed`() throws {
    let stopped = try start("/bin/sh", "-c", "/bin/true; /bin/false; (exit 3); exit 5")
    let shell = stopped.tid
    try Ptrace.cont(shell)
    var ends: [ThreadID: WaitStatus.Kind] = [:]
    var execs = 0
    var living: Set<ThreadID> = [shell]
    while let tid = living.first(where: { (try? peek(for: $0, nohang: true)) ?? nil != nil }) ?? living.first {
      guard let status = try poll(for: tid) else {
        usleep(200)
        living = Set(living.sorted { _, _ in Bool.random() })
        continue
      }
      guard let reason = status.stopReason else {
        ends[tid] = status.kind
        living.remove(tid)
        continue
      }
      switch reason {
      case .event(.fork), .event(.vfork), .event(.clone):
        living.insert(ThreadID(Int32(try Ptrace.eventMessage(tid))))
        try Ptrace.cont(tid)
      case .event(.exec):
        execs += 1
        try finishExecStop(tid)
        let registers = try Ptrace.getRegisters(tid)
        #expect(try remoteSyscall(tid, at: syscallInstruction(tid), 39, []) == Int64(tid.rawValue))
        #expect(try Ptrace.getRegisters(tid) == registers)
        try Ptrace.cont(tid)
      case .signal(let signal): try Ptrace.cont(tid, signal)
      default: try Ptrace.cont(tid)
      }
    }
    #expect(execs == 2)
    #expect(ends[shell] == .exited(5))
    #expect(ends.values.filter { $0 == .exited(0) }.count == 1)
    #expect(ends.values.filter { $0 == .exited(1) }.count == 1)
    #expect(ends.values.filter { $0 == .exited(3) }.count == 1)
  }

  @Test func `extended state can be read and written`() throws {
    let stopped = try start("/bin/true")
    let state = UnsafeMutableRawBufferPointer.allocate(byteCount: 16384, alignment: 64)
    defer { state.deallocate() }
    let size = try stopped.xstate(into: state)
    #expect(size >= 576)
    state[160] = 0x5a  // xmm0
    state[512] |= 3
    try stopped.setXState(UnsafeRawBufferPointer(rebasing: state[..<size]))
    state[160] = 0
    #expect(try stopped.xstate(into: state) == size)
    #expect(state[160] == 0x5a)
    stopped.kill()
  }

  @Test func `program text can be written, shared read-only memory cannot`() throws {
    let stopped = try start("/bin/true")
    let tid = stopped.tid
    let text = try #require(try memoryMaps(of: tid).first { $0.execute && $0.isFile })
    #expect(!text.write)
    var bytes = try readBytes(tid, text.start, count: 16)
    bytes[3] ^= 0xff
    try writeMemory(tid, text.start, bytes)
    #expect(try readBytes(tid, text.start, count: 16) == bytes)
    // Across the end of the mapping into nothing: a short read.
    let last = try #require(try memoryMaps(of: tid).first { $0.path == "[stack]" })
    var buffer = [UInt8](repeating: 0, count: 8192)
    let got = try buffer.withUnsafeMutableBytes { try readMemory(tid, last.end - 100, into: $0) }
    #expect(got == 100)
    stopped.kill()
  }

  @Test func `waitAny sees only this thread's tracees`() throws {
    let stopped = try start("/bin/true")
    let tid = stopped.tid
    try Ptrace.cont(tid)
    var status = try waitAny()
    while let report = status, report.stopReason != nil {
      try Ptrace.cont(report.tid)
      status = try waitAny()
    }
    #expect(status == WaitStatus(tid: tid, kind: .exited(0)))
    #expect(throws: Linux.Errno.noChild) { try waitAny(nohang: true) }
  }
}
