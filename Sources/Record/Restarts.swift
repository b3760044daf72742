import BisRuntime
import CABI
import Glibc
import Guest
import Linux

/// Calls that have been interrupted by what the program does not notice: a stop for the supervisor's sake, or a signal that it
/// ignores.
extension RecordSession {
  /// The kernel restarts most calls by itself then, with the time that is left (kernel/signal.c, ERESTART_RESTARTBLOCK); those
  /// that fail with EINTR in any case are restarted here.
  func restartInterrupted(_ tid: ThreadID, _ r: Registers) throws(GuestError) {
    let process = processes[tid]
    process?.noteDisturbance()
    let ends = [Region.address(BIS_LABEL_INTERRUPTIBLE_END), Region.address(BIS_LABEL_RELEASED_END)]
    guard ends.contains(r.rip), Int64(bitPattern: r.rax) == -Int64(EINTR), Int64(bitPattern: r.orig_rax) >= 0 else {
      return
    }
    var again = r
    again.rip -= 2
    again.rax = r.orig_rax
    again.orig_rax = .max
    if let process, let thread = process.thread(tid), process.control.threads[thread].call_begin != 0 {
      let now = timePoint()
      let elapsed = nanoseconds(from: process.control.threads[thread].call_begin, to: now)
      if try cutLimit(process, tid, elapsed, r, &again) { process.control.threads[thread].call_begin = now.tsc }
    }
    try kernel("set registers") { () throws(Errno) in try Ptrace.setRegisters(tid, again) }
  }

  /// A time limit that counts from a call's beginning becomes what is left of it. True: it counts from now.
  private func cutLimit(
    _ p: RecordedProcess, _ tid: ThreadID, _ elapsed: UInt64, _ r: Registers, _ again: inout Registers
  ) throws(GuestError) -> Bool {
    switch r.orig_rax {
    case 232, 281:  // epoll_wait, epoll_pwait: milliseconds
      let limit = Int32(truncatingIfNeeded: r.r10)
      guard limit > 0 else { return false }
      again.r10 = UInt64(max(0, Int64(limit) - Int64(elapsed / 1_000_000)))
    case 441, 220: again.r10 = try cutTime(p, r.r10, elapsed)  // epoll_pwait2, semtimedop
    case 128: again.rdx = try cutTime(p, r.rdx, elapsed)  // rt_sigtimedwait
    case 0, 19, 43, 45, 47, 288, 299:
      try cutSocket(p, tid, SO_RCVTIMEO, elapsed, r, &again)
      return false
    case 1, 20, 42, 44, 46, 307:
      try cutSocket(p, tid, SO_SNDTIMEO, elapsed, r, &again)
      return false
    default: return false
    }
    return true
  }

  /// Writes what is left of a timespec to the window; returns where.
  private func cutTime(_ p: RecordedProcess, _ address: UInt64, _ elapsed: UInt64) throws(GuestError) -> UInt64 {
    guard address != 0, let bytes = try? p.guest.read(address, 16) else { return address }
    let limit = bytes.withUnsafeBytes {
      (seconds: $0.load(as: Int64.self), nanoseconds: $0.load(fromByteOffset: 8, as: Int64.self))
    }
    guard limit.seconds >= 0, limit.seconds < 1 << 32, 0..<1_000_000_000 ~= limit.nanoseconds else { return address }
    let left = max(0, limit.seconds * 1_000_000_000 + limit.nanoseconds - Int64(clamping: elapsed))
    // (The kernel reads it as soon as the thread goes on: slots in turn are as good as one for each thread.)
    p.limitSlot = (p.limitSlot + 1) % Control.limitCount
    let at = Control.listCapacity + 2 * p.limitSlot
    p.control.list[at] = UInt64(left / 1_000_000_000)
    p.control.list[at + 1] = UInt64(left % 1_000_000_000)
    return UInt64(BIS_WINDOW_BASE) + Control.pathOffset + UInt64(8 * at)
  }

  /// A socket has a time limit of its own, or the call would have been restarted: it is over if that much time has passed, else it
  /// begins anew. socket(7)
  private func cutSocket(
    _ p: RecordedProcess, _ tid: ThreadID, _ option: Int32, _ elapsed: UInt64, _ r: Registers, _ again: inout Registers
  ) throws(GuestError) {
    let list = Control.socketLimit
    (p.control.list[list], p.control.list[list + 1], p.control.list[list + 2]) = (0, 0, 16)
    let at = UInt64(BIS_WINDOW_BASE) + Control.pathOffset + UInt64(8 * list)
    let result = try kernel("ask for a socket's time limit") { () throws(Errno) in
      try remoteSyscall(
        tid, trappingAt: Region.address(BIS_LABEL_REMOTE_SYSCALL), 55,  // getsockopt
        [r.rdi, UInt64(SOL_SOCKET), UInt64(option), at, at + 16])
    }
    let limit = p.control.list[list] &* 1_000_000 &+ p.control.list[list + 1]  // microseconds
    guard result == 0, limit > 0, elapsed / 1000 >= limit else { return }
    again.rip = r.rip
    again.rax = UInt64(bitPattern: -Int64(r.orig_rax == 42 ? EINPROGRESS : EAGAIN))
  }

  private func nanoseconds(from begin: UInt64, to now: TimePoint) -> UInt64 {
    guard let frequency = tscFrequency(from: began, to: now), now.tsc > begin else { return 0 }
    return UInt64(Double(now.tsc - begin) * 1e9 / frequency)
  }
}

extension RecordedProcess {
  /// Index of what the runtime keeps for a thread; a vfork child has its parent's.
  fileprivate func thread(_ tid: ThreadID) -> Int? {
    let index = control.threadIndex(UInt64(tid.rawValue)) ?? Int(control.block.pointee.turn.current)
    return index < Int(BIS_MAX_THREADS) ? index : nil
  }
}
