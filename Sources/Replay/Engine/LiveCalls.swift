import BisRuntime
import CABI
import Glibc
import Guest
import Linux
import Syscalls

/// System calls of a diversion. (The one place of Replay where a call's number decides: nothing here comes from a tape.)
extension LiveDiversion {
  private static let ok: Int64 = 0
  private func failure(_ code: Int32) -> Int64 { -Int64(code) }

  /// Does the call at hand and sets its result. A stop when it ends the diversion's run.
  func call(_ number: UInt32) throws(GuestError) -> Stop? {
    let a = [7, 6, 2, 10, 8, 9].map { control.gpr[$0] }
    if number == 60 || number == 231 { return .exited(Int32(truncatingIfNeeded: a[0])) }
    let result = try perform(number, a)
    control.gpr[0] = UInt64(bitPattern: result)
    control.gpr[1] = control.rip
    control.gpr[11] = control.block.pointee.rflags
    return nil
  }

  private func perform(_ number: UInt32, _ a: [UInt64]) throws(GuestError) -> Int64 {
    switch Syscalls.name(number) {
    case "write", "writev", "pwrite64": return try output(number, a)
    case "read", "pread64", "readv", "preadv", "lseek", "fstat", "getdents64", "close", "fcntl", "fsync", "ftruncate",
      "ioctl":
      return try onDescriptor(number, a)
    case "open", "openat", "creat": return try open(number, a)
    case "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
      "getcwd",
      "uname", "clock_gettime", "clock_getres", "gettimeofday", "time", "getrandom", "sysinfo", "getrlimit",
      "getrusage",
      "times", "sched_yield", "sched_getaffinity", "getuid", "geteuid", "getgid", "getegid", "getgroups", "getpriority",
      "umask", "mincore":
      return try real(number, a)
    case "getpid": return Int64(process.recordedPID)
    case "gettid": return Int64(currentThread)
    case "mmap", "munmap", "mprotect", "mremap", "madvise": return try mapping(number, a)
    case "brk": return 0  // no heap to grow: malloc maps memory then
    case "futex":
      // Nobody else runs: a wait would never end. The program looks again, and Ctrl-C is heard in between.
      return a[1] & 0x7F == 1 ? 0 : failure(EAGAIN)
    case "nanosleep", "clock_nanosleep": return try real(number, a)
    case "poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait": return 0
    case "rt_sigprocmask", "rt_sigaction", "sigaltstack", "set_robust_list", "set_tid_address", "prctl": return 0
    case "arch_prctl":
      let result = try real(number, a)
      if result == 0, a[0] == 0x1002 { control.block.pointee.fs_base = a[1] }
      return result
    case "kill", "tkill", "tgkill": return policy.maySignal ? try real(number, a) : failure(EPERM)
    case "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "recvfrom", "sendmsg",
      "recvmsg", "shutdown", "setsockopt", "getsockopt", "getsockname", "getpeername":
      guard policy.mayOpenSockets else { return failure(EACCES) }
      let result = try real(number, a)
      if result >= 0, ["socket", "accept", "accept4"].contains(Syscalls.name(number)) {
        opened.insert(Int32(truncatingIfNeeded: result))
      }
      return result
    case "fork", "vfork", "clone", "clone3": return failure(EAGAIN)
    case "execve", "execveat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir",
      "chmod",
      "fchmod", "chown", "link", "symlink", "truncate", "utimensat", "mount", "umount2", "ptrace":
      return failure(EACCES)
    default: return failure(ENOSYS)
    }
  }

  private func real(_ number: UInt32, _ a: [UInt64]) throws(GuestError) -> Int64 {
    try kernel("make a call in the diversion") { () throws(Errno) in
      try remoteSyscall(tid, trappingAt: Region.address(BIS_LABEL_REMOTE_SYSCALL), Int(number), a)
    }
  }

  /// Standard output and error are the user's; anything else must have been opened here.
  private func output(_ number: UInt32, _ a: [UInt64]) throws(GuestError) -> Int64 {
    let fd = Int32(truncatingIfNeeded: a[0])
    if opened.contains(fd) { return try real(number, a) }
    guard fd == 1 || fd == 2 else { return failure(EBADF) }
    var pieces: [(UInt64, UInt64)] = []
    if number == 20 {
      for i in 0..<min(a[2], 1024) {
        let v = read(a[1] + i * 16, 16)
        guard v.count == 16 else { return failure(EFAULT) }
        pieces.append(v.withUnsafeBytes { ($0.load(as: UInt64.self), $0.load(fromByteOffset: 8, as: UInt64.self)) })
      }
    } else {
      pieces = [(a[1], a[2])]
    }
    var total: Int64 = 0
    for (address, length) in pieces {
      let bytes = read(address, Int(min(length, 1 << 20)))
      if bytes.isEmpty, length > 0 { return total > 0 ? total : failure(EFAULT) }
      bytes.withUnsafeBytes { engine.session.echo.add(stamp: 0, fd: fd, bytes: $0) }
      total += Int64(bytes.count)
    }
    return total
  }

  private func onDescriptor(_ number: UInt32, _ a: [UInt64]) throws(GuestError) -> Int64 {
    let fd = Int32(truncatingIfNeeded: a[0])
    if opened.contains(fd) {
      let result = try real(number, a)
      if number == 3 { opened.remove(fd) }
      return result
    }
    if fd == 0 && number == 0 { return 0 }  // no input: the terminal is the debugger's
    if fd <= 2, Syscalls.name(number) == "fstat" || Syscalls.name(number) == "ioctl" {
      return Syscalls.name(number) == "ioctl" ? failure(ENOTTY) : try real(number, a)
    }
    if fd <= 2, Syscalls.name(number) == "lseek" { return failure(ESPIPE) }  // like a terminal
    return number == 3 ? 0 : failure(EBADF)
  }

  private func open(_ number: UInt32, _ a: [UInt64]) throws(GuestError) -> Int64 {
    let isAt = Syscalls.name(number) == "openat"
    let flags = Syscalls.name(number) == "creat" ? UInt64(O_WRONLY | O_CREAT | O_TRUNC) : a[isAt ? 2 : 1]
    var arguments = a
    if flags & 3 != 0 || flags & UInt64(O_CREAT | O_TRUNC) != 0, !policy.mayWriteFiles {
      // A new file harms nobody; what is there already stays as it is.
      guard flags & UInt64(O_CREAT) != 0, number != 85 else { return failure(EACCES) }
      arguments[isAt ? 2 : 1] = flags | UInt64(O_EXCL)
    }
    let result = try real(number, arguments)
    if result >= 0 { opened.insert(Int32(truncatingIfNeeded: result)) }
    return result == failure(EEXIST) && !policy.mayWriteFiles ? failure(EACCES) : result
  }

  /// Memory, but nothing of bis's; code is translated afresh.
  private func mapping(_ number: UInt32, _ a: [UInt64]) throws(GuestError) -> Int64 {
    let low = a[0], high = a[0] &+ a[1]
    if low < UInt64(BIS_REGION_END), high > UInt64(BIS_REGION_BASE) || high < low { return failure(EINVAL) }
    if number == 28, a[2] == 9 || a[2] > 25 { return failure(EINVAL) }
    let result = try real(number, a)
    guard result >= 0 else { return result }
    let guest = process.guest
    switch number {
    case 9:
      let start = UInt64(bitPattern: result), end = (start + a[1] + 0xFFF) & ~0xFFF
      try guest.remove(low: start, high: end)
      if a[2] & 4 != 0 { try addCode(start, end, a[2]) }
    case 10:
      let end = (high + 0xFFF) & ~0xFFF
      try guest.remove(low: low, high: end)
      if a[2] & 4 != 0 { try addCode(low, end, a[2]) }
    case 11: try guest.remove(low: low, high: (high + 0xFFF) & ~0xFFF)
    case 25: try guest.remove(low: low, high: (high + 0xFFF) & ~0xFFF)
    default: return result
    }
    try guest.publishRanges()
    try guest.resetFastTable()
    return result
  }

  private func addCode(_ low: UInt64, _ high: UInt64, _ protection: UInt64) throws(GuestError) {
    try process.guest.addPrivate(low: low, high: high)
    if protection & 2 != 0 { process.guest.writableCode.append((low, high, Int32(protection))) }
  }
}
