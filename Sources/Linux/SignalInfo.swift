internal import CLinux

/// The kernel's 128-byte siginfo_t, kept as it is.
public struct SignalInfo: Sendable {
  /// Eight bytes each, in memory order.
  public var words: [16 of UInt64]

  public init() { words = .init(repeating: 0) }

  public init(signal: Int32, code: Int32) {
    self.init()
    words[0] = UInt64(UInt32(bitPattern: signal))
    words[1] = UInt64(UInt32(bitPattern: code))
  }

  /// The first 128 bytes.
  public init(bytes: UnsafeRawBufferPointer) {
    words = .init(repeating: 0)
    withMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(128))) }
  }

  public var signo: Int32 { low(0) }
  public var errno: Int32 { high(0) }
  /// SI_USER 0, SI_KERNEL 0x80, SI_QUEUE -1, …; faults have their own small numbers.
  public var code: Int32 { low(1) }
  /// Of faults.
  public var address: UInt64 { words[2] }
  /// Sender of kill, sigqueue; child of SIGCHLD.
  public var pid: Int32 { low(2) }
  public var uid: UInt32 { UInt32(bitPattern: high(2)) }
  /// Of SIGCHLD.
  public var status: Int32 { low(3) }
  /// Of sigqueue, timers, message queues.
  public var value: UInt64 { words[3] }

  /// Sent by a process (kill, tgkill, sigqueue), not raised by the kernel.
  public var isFromUser: Bool { code <= 0 }

  /// What GETSIGINFO makes up for PTRACE_EVENT_EXIT. A stopped thread that is killed goes on to that stop by itself; what it
  /// reported before is not what it can be asked about then. ptrace(2)
  public var isExitEvent: Bool { signo == SIGTRAP && code == SIGTRAP | 6 << 8 }

  public func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    withUnsafeBytes(of: words) { body($0) }
  }

  public mutating func withMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) -> R) -> R {
    withUnsafeMutableBytes(of: &words) { body($0) }
  }

  private func low(_ word: Int) -> Int32 { Int32(truncatingIfNeeded: words[word]) }
  private func high(_ word: Int) -> Int32 { Int32(truncatingIfNeeded: words[word] >> 32) }
}

extension SignalInfo: Equatable {
  public static func == (a: SignalInfo, b: SignalInfo) -> Bool {
    for word in a.words.indices where a.words[word] != b.words[word] { return false }
    return true
  }
}
