internal import CLinux
import Glibc

/// The clocks at one moment. Two of them give the TSC's frequency.
public struct TimePoint: Equatable, Sendable {
  public let tsc: UInt64
  public let monotonicNanoseconds: UInt64
  /// Since 1970.
  public let realtimeNanoseconds: UInt64
}

/// The TSC reading belongs to the monotonic reading within half of a clock_gettime (best of eight).
public func timePoint() -> TimePoint {
  var best = UInt64.max
  var tsc: UInt64 = 0
  var monotonic: UInt64 = 0
  for _ in 0..<8 {
    let before = bis_rdtsc()
    let now = nanoseconds(CLOCK_MONOTONIC)
    let after = bis_rdtsc()
    guard after &- before < best else { continue }
    best = after &- before
    tsc = before &+ best / 2
    monotonic = now
  }
  return TimePoint(tsc: tsc, monotonicNanoseconds: monotonic, realtimeNanoseconds: nanoseconds(CLOCK_REALTIME))
}

/// TSC ticks per second between two moments; nil when no time passed.
public func tscFrequency(from begin: TimePoint, to end: TimePoint) -> Double? {
  guard end.monotonicNanoseconds > begin.monotonicNanoseconds, end.tsc > begin.tsc else { return nil }
  return Double(end.tsc - begin.tsc) * 1e9 / Double(end.monotonicNanoseconds - begin.monotonicNanoseconds)
}

/// Nanoseconds since some moment in the past. clock_gettime(2), CLOCK_MONOTONIC
public func monotonicNanoseconds() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }

private func nanoseconds(_ clock: clockid_t) -> UInt64 {
  var time = timespec()
  clock_gettime(clock, &time)
  return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}

/// This machine and this process.
public enum Machine {
  public static let pageSize = 4096

  /// The CPUs this thread may run on, by number.
  public static func allowedCPUs() -> [Int] { (try? allowedCPUs(of: nil)) ?? [0] }

  /// The CPUs a thread (nil: the calling one) may run on, by number. sched_getaffinity(2)
  public static func allowedCPUs(of tid: ThreadID?) throws(Errno) -> [Int] {
    var mask = [UInt64](repeating: 0, count: 64)
    let byteCount = try check(bis_get_affinity_mask(tid?.rawValue ?? 0, &mask, mask.count))
    return (0..<byteCount * 8).filter { mask[$0 / 64] >> UInt64($0 % 64) & 1 != 0 }
  }

  /// The CPU that the calling thread runs on. getcpu(2)
  public static var currentCPU: Int { Int(bis_current_cpu()) }

  /// How many CPUs this thread may run on.
  public static var cpuCount: Int { allowedCPUs().count }

  /// Pins a thread (nil: the calling one) to one CPU. sched_setaffinity(2)
  public static func pin(_ tid: ThreadID?, to cpu: Int) throws(Errno) {
    try check(bis_set_affinity(tid?.rawValue ?? 0, Int32(cpu)))
  }

  public static func setAllowedCPUs(_ tid: ThreadID?, _ cpus: [Int]) throws(Errno) {
    var mask = [UInt64](repeating: 0, count: 64)
    for cpu in cpus where (0..<4096).contains(cpu) { mask[cpu / 64] |= 1 << UInt64(cpu % 64) }
    try check(bis_set_affinity_mask(tid?.rawValue ?? 0, mask, mask.count))
  }

  public static var currentThread: ThreadID { ThreadID(Int32(bis_gettid())) }

  public static func isTerminal(_ descriptor: Int32) -> Bool { bis_is_terminal(descriptor) != 0 }

  /// To the hard limit; capture `Inherited` before. setrlimit(2)
  public static func raiseOpenFileLimit() throws(Errno) { try check(bis_raise_nofile()) }

  /// One CPUID leaf: eax, ebx, ecx, edx.
  public static func cpuid(_ leaf: UInt32, _ subleaf: UInt32 = 0) -> (
    eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32
  ) {
    var out: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
    withUnsafeMutableBytes(of: &out) { buffer in
      bis_cpuid(leaf, subleaf, buffer.baseAddress?.assumingMemoryBound(to: UInt32.self))
    }
    return (out.0, out.1, out.2, out.3)
  }

  /// XCR0 and XINUSE (index 1); nil when the CPU or the kernel has no XSAVE.
  public static func xgetbv(_ index: UInt32) -> UInt64? {
    guard hasXSAVE else { return nil }
    if index == 1, cpuid(0xd, 1).eax & 1 << 2 == 0 { return nil }
    return index <= 1 ? bis_xgetbv(index) : nil
  }

  private static let hasXSAVE = cpuid(1).ecx & 1 << 27 != 0

  /// Whether the kernel lets programs use RDFSBASE (HWCAP2_FSGSBASE).
  public static var readsFSBase: Bool { bis_hwcap2() & 2 != 0 }

  /// MXCSR_MASK; 0 means 0xFFBF.
  public static var mxcsrMask: UInt32 { bis_mxcsr_mask() }
  public static var processID: Int32 { Int32(bis_syscall0(Int(SYS_getpid))) }
  /// Soft stack limit of a process, bytes (prlimit64); nil when it cannot be read.
  public static func stackLimit(of tid: ThreadID) -> UInt64? {
    var limits: (UInt64, UInt64) = (0, 0)
    let result = withUnsafeMutablePointer(to: &limits) {
      bis_syscall4(Int(SYS_prlimit64), Int(tid.rawValue), 3, 0, Int(bitPattern: $0))
    }
    return result == 0 ? limits.0 : nil
  }
  public static func tsc() -> UInt64 { bis_rdtsc() }

  /// Is open file `a` of thread `first` the same as `b` of `second`? kcmp(2)
  public static func sameFile(_ first: ThreadID, _ a: Int32, _ second: ThreadID, _ b: Int32) throws(Errno) -> Bool {
    try check(bis_kcmp(first.rawValue, second.rawValue, Int32(KCMP_FILE.rawValue), UInt(a), UInt(b))) == 0
  }
}

/// Waiting on words of shared memory. futex(2), never the private kind
public enum Futex {
  /// Sleeps while the word is `value`. False when it was not (any more) or the time is over. Spurious wake-ups happen.
  public static func wait(_ word: UnsafeRawPointer, while value: UInt32, nanoseconds: UInt64? = nil) throws(Errno)
    -> Bool
  {
    let result: Int
    if let nanoseconds {
      var timeout = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
      result = bis_futex(word, FUTEX_WAIT, value, &timeout, nil, 0)
    } else {
      result = bis_futex(word, FUTEX_WAIT, value, nil, nil, 0)
    }
    if result == -Int(EAGAIN) || result == -Int(ETIMEDOUT) { return false }
    if result == -Int(EINTR) { return true }
    try check(result)
    return true
  }

  /// Returns how many slept.
  @discardableResult
  public static func wake(_ word: UnsafeRawPointer, count: Int32 = .max) throws(Errno) -> Int {
    try check(bis_futex(word, FUTEX_WAKE, UInt32(bitPattern: count), nil, nil, 0))
  }
}
