internal import CLinux

/// ptrace(2) by thread number, unchecked by the compiler; `Stopped` and `Running` stand on it. All of it belongs to the
/// thread that seized the tracee. Except for `seize` and `interrupt` the tracee must be in a ptrace stop; if it is not (it
/// was killed), `Errno.gone` is thrown.
public enum Ptrace {
  /// PTRACE_O_*
  public struct Options: OptionSet, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let sysgood = Options(rawValue: 1)
    public static let fork = Options(rawValue: 1 << 1)
    public static let vfork = Options(rawValue: 1 << 2)
    public static let clone = Options(rawValue: 1 << 3)
    public static let exec = Options(rawValue: 1 << 4)
    public static let vforkDone = Options(rawValue: 1 << 5)
    public static let exit = Options(rawValue: 1 << 6)
    public static let seccomp = Options(rawValue: 1 << 7)
    public static let exitKill = Options(rawValue: 1 << 20)

    /// What every tracee of bis has.
    public static let all: Options = [.sysgood, .fork, .vfork, .clone, .exec, .exit, .exitKill]
  }

  // MARK: Going on

  public static func seize(_ tid: ThreadID, options: Options = .all) throws(Errno) {
    try call(PTRACE_SEIZE, tid, 0, options.rawValue)
  }
  /// Stops a running thread (it reports `.event(.stop)`), ends a `listen`.
  public static func interrupt(_ tid: ThreadID) throws(Errno) { try call(PTRACE_INTERRUPT, tid) }

  public static func cont(_ tid: ThreadID, _ signal: Int32 = 0) throws(Errno) {
    try call(PTRACE_CONT, tid, 0, UInt64(signal))
  }
  public static func step(_ tid: ThreadID, _ signal: Int32 = 0) throws(Errno) {
    try call(PTRACE_SINGLESTEP, tid, 0, UInt64(signal))
  }
  /// To the next entry or exit of a system call.
  public static func syscall(_ tid: ThreadID, _ signal: Int32 = 0) throws(Errno) {
    try call(PTRACE_SYSCALL, tid, 0, UInt64(signal))
  }
  /// Stay in a group stop until SIGCONT.
  public static func listen(_ tid: ThreadID) throws(Errno) { try call(PTRACE_LISTEN, tid) }
  public static func detach(_ tid: ThreadID, _ signal: Int32 = 0) throws(Errno) {
    try call(PTRACE_DETACH, tid, 0, UInt64(signal))
  }

  // MARK: State

  public static func getRegisters(_ tid: ThreadID) throws(Errno) -> Registers {
    var registers = Registers()
    try withUnsafeMutablePointer(to: &registers) { (pointer) throws(Errno) in
      try call(PTRACE_GETREGS, tid, 0, address(pointer))
    }
    return registers
  }

  public static func setRegisters(_ tid: ThreadID, _ registers: Registers) throws(Errno) {
    try withUnsafePointer(to: registers) { (pointer) throws(Errno) in
      try call(PTRACE_SETREGS, tid, 0, address(pointer))
    }
  }

  public static func signalInfo(_ tid: ThreadID) throws(Errno) -> SignalInfo {
    var info = SignalInfo()
    let result = info.withMutableBytes { bis_ptrace(Int(PTRACE_GETSIGINFO), tid.rawValue, 0, address($0.baseAddress)) }
    try check(result)
    return info
  }

  /// Signals that wait for this stopped thread alone, at most 32 of them: bit n - 1 is signal n. PTRACE_PEEKSIGINFO
  public static func pendingSignals(_ tid: ThreadID) throws(Errno) -> UInt64 {
    let size = 128
    var found = [UInt8](repeating: 0, count: 32 * size)
    let from: (offset: UInt64, flags: UInt32, count: Int32) = (0, 0, 32)  // struct ptrace_peeksiginfo_args
    let count = try found.withMutableBytes { (bytes) throws(Errno) in
      try check(
        withUnsafeBytes(of: from) {
          bis_ptrace(0x4209, tid.rawValue, address($0.baseAddress), address(bytes.baseAddress))
        })
    }
    return (0..<Int(count)).reduce(0) { set, i in
      let number = found.withUnsafeBytes { $0.load(fromByteOffset: i * size, as: Int32.self) }
      return (1...64).contains(number) ? set | 1 << UInt64(number - 1) : set
    }
  }

  public static func setSignalInfo(_ tid: ThreadID, _ info: SignalInfo) throws(Errno) {
    try check(info.withBytes { bis_ptrace(Int(PTRACE_SETSIGINFO), tid.rawValue, 0, address($0.baseAddress)) })
  }

  /// What comes with an event: the new tid, the old tid, or the exit status.
  public static func eventMessage(_ tid: ThreadID) throws(Errno) -> UInt64 {
    var message: UInt64 = 0
    try withUnsafeMutablePointer(to: &message) { (pointer) throws(Errno) in
      try call(PTRACE_GETEVENTMSG, tid, 0, address(pointer))
    }
    return message
  }

  public static func signalMask(_ tid: ThreadID) throws(Errno) -> UInt64 {
    var mask: UInt64 = 0
    try withUnsafeMutablePointer(to: &mask) { (pointer) throws(Errno) in
      try call(PTRACE_GETSIGMASK, tid, 8, address(pointer))
    }
    return mask
  }

  /// SIGKILL and SIGSTOP are left out by the kernel.
  public static func setSignalMask(_ tid: ThreadID, _ mask: UInt64) throws(Errno) {
    try withUnsafePointer(to: mask) { (pointer) throws(Errno) in
      try call(PTRACE_SETSIGMASK, tid, 8, address(pointer))
    }
  }

  /// The extended state as XSAVE lays it out, in the host's size: returns that size. A smaller buffer gets its beginning.
  /// On a machine without XSAVE: the image of FXSAVE, 512 bytes.
  public static func getXState(_ tid: ThreadID, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    let fxsave = UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(512))
    return try withoutXSAVE(
      { () throws(Errno) in try set(PTRACE_GETREGSET, tid, xstateNote, UnsafeRawBufferPointer(buffer)) },
      { () throws(Errno) in try set(PTRACE_GETREGSET, tid, fxsaveNote, UnsafeRawBufferPointer(fxsave)) })
  }

  /// Needs the host's full size (EFAULT below) and the standard format (EINVAL when compacted). On a machine without XSAVE
  /// the first 512 bytes count.
  public static func setXState(_ tid: ThreadID, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
    let fxsave = UnsafeRawBufferPointer(rebasing: bytes.prefix(512))
    _ = try withoutXSAVE(
      { () throws(Errno) in try set(PTRACE_SETREGSET, tid, xstateNote, bytes) },
      { () throws(Errno) in try set(PTRACE_SETREGSET, tid, fxsaveNote, fxsave) })
  }

  /// The kernel knows no extended state (ENODEV) where the processor has no XSAVE, or is told to have none.
  private static func withoutXSAVE(
    _ extended: () throws(Errno) -> Int, _ legacy: () throws(Errno) -> Int
  ) throws(Errno) -> Int {
    do throws(Errno) { return try extended() } catch {
      guard error == .noDevice else { throw error }
      return try legacy()
    }
  }

  /// PTRACE_GETREGSET, PTRACE_SETREGSET: how many bytes there were.
  private static func set(
    _ request: Int32, _ tid: ThreadID, _ note: UInt64, _ bytes: UnsafeRawBufferPointer
  ) throws(Errno) -> Int {
    var vector = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    try withUnsafeMutablePointer(to: &vector) { (pointer) throws(Errno) in
      try call(request, tid, note, address(pointer))
    }
    return vector.iov_len
  }

  public static func setOptions(_ tid: ThreadID, _ options: Options) throws(Errno) {
    try call(PTRACE_SETOPTIONS, tid, 0, options.rawValue)
  }

  /// Writes a word of memory, whatever its protection: the thread gets its own copy of a private page.
  public static func pokeData(_ tid: ThreadID, _ address: UInt64, _ word: UInt64) throws(Errno) {
    try call(PTRACE_POKEDATA, tid, address, word)
  }

  /// A word of `struct user`: debug register n is at `debugRegisterOffset + 8 * n`.
  public static func peekUser(_ tid: ThreadID, offset: UInt64) throws(Errno) -> UInt64 {
    var word: UInt64 = 0
    try withUnsafeMutablePointer(to: &word) { (pointer) throws(Errno) in
      try call(PTRACE_PEEKUSR, tid, offset, address(pointer))
    }
    return word
  }

  public static func pokeUser(_ tid: ThreadID, offset: UInt64, _ word: UInt64) throws(Errno) {
    try call(PTRACE_POKEUSR, tid, offset, word)
  }

  /// offsetof(struct user, u_debugreg)
  public static let debugRegisterOffset: UInt64 = 848

  // MARK: Signals from outside

  /// To one thread. tkill(2)
  public static func signal(_ tid: ThreadID, _ signal: Int32) throws(Errno) {
    try check(bis_tkill(tid.rawValue, signal))
  }

  /// To the process `pid`. kill(2)
  public static func kill(process pid: ThreadID, _ signal: Int32 = 9) throws(Errno) {
    try check(bis_kill(pid.rawValue, signal))
  }

  // MARK: -

  private static let xstateNote: UInt64 = 0x202  // NT_X86_XSTATE
  private static let fxsaveNote: UInt64 = 2  // NT_PRFPREG

  private static func call(_ request: Int32, _ tid: ThreadID, _ address: UInt64 = 0, _ data: UInt64 = 0) throws(Errno) {
    try check(bis_ptrace(Int(request), tid.rawValue, address, data))
  }

  @inline(__always)
  private static func address(_ pointer: UnsafeRawPointer?) -> UInt64 { UInt64(UInt(bitPattern: pointer)) }
}
