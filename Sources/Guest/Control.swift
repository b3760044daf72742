import CABI

/// The control block of one process, through the supervisor's mapping of its window.
///
/// A plain view: the slot that owns the memory must outlive it. Only touch it while the process is stopped.
public struct Control {
  public let base: UnsafeMutableRawPointer
  public init(base: UnsafeMutableRawPointer) { self.base = base }

  public var block: UnsafeMutablePointer<bis_control> { base.assumingMemoryBound(to: bis_control.self) }
  /// General registers in encoding order: rax rcx rdx rbx rsp rbp rsi rdi r8…r15.
  public var gpr: UnsafeMutablePointer<UInt64> { base.assumingMemoryBound(to: UInt64.self) }
  public var spill: UnsafeMutablePointer<UInt64> { words(Int(BIS_C_SPILL)) }
  public var tick: UnsafeMutablePointer<UInt64> { words(Int(BIS_C_TICK)) }
  public var tickStart: UnsafeMutablePointer<UInt64> { words(Int(BIS_C_TICK_START)) }
  public var arguments: UnsafeMutablePointer<UInt64> { words(MemoryLayout<bis_control>.offset(of: \.arg)!) }
  public var answers: UnsafeMutablePointer<UInt64> { words(MemoryLayout<bis_control>.offset(of: \.answer_arg)!) }
  public var stats: UnsafeMutablePointer<UInt64> { words(0x2A0) }
  public var ask: UnsafeMutablePointer<bis_ask> {
    (base + MemoryLayout<bis_control>.offset(of: \.ask)!).assumingMemoryBound(to: bis_ask.self)
  }
  /// Index 1…64.
  public var actions: UnsafeMutablePointer<bis_sigaction> {
    (base + 0x400).assumingMemoryBound(to: bis_sigaction.self)
  }
  public var standardStreams: UnsafeMutablePointer<UInt8> { (base + 0xC20).assumingMemoryBound(to: UInt8.self) }
  public var path: UnsafeMutablePointer<UInt8> { (base + Int(Control.pathOffset)).assumingMemoryBound(to: UInt8.self) }
  public static let pathOffset: UInt64 = 0x1020
  public static let pathCapacity = 848
  /// Words that a recording, which has no use for `path`, gives to system calls made for it: first the ranges of
  /// `bis_protect_list`, then what is left of time limits, two words each, then a socket's time limit and its length.
  public var list: UnsafeMutablePointer<UInt64> { words(Int(Control.pathOffset)) }
  public static let listCapacity = 60
  public static let limitCount = 21
  public static let socketLimit = listCapacity + 2 * limitCount
  public var ranges: UnsafeMutablePointer<bis_range> { (base + 0x1400).assumingMemoryBound(to: bis_range.self) }

  /// What belongs to each thread while another has the turn.
  public var threads: UnsafeMutablePointer<bis_thread> {
    (base + MemoryLayout<bis_control>.offset(of: \.threads)!).assumingMemoryBound(to: bis_thread.self)
  }

  /// One thread, which has the turn.
  public func resetThreads(tid: UInt64) {
    let used = min(max(1, Int(block.pointee.turn.used)), Int(BIS_MAX_THREADS))
    let area = UnsafeMutableRawPointer(threads)
    area.initializeMemory(as: UInt8.self, repeating: 0, count: used * MemoryLayout<bis_thread>.size)
    block.pointee.turn = bis_turn()
    block.pointee.turn.used = 1
    block.pointee.turn.holder = 1
    block.pointee.turn.count = 1
    block.pointee.tid = tid
    threads[0].alive = 1
    threads[0].tid = tid
  }

  /// Records of threads behind this number have never been in use.
  public var usedThreads: Int { min(Int(block.pointee.turn.used), Int(BIS_MAX_THREADS)) }

  /// A free record for a new thread, to be taken into use; nil when there are too many.
  public func freeThread() -> Int? {
    let used = usedThreads
    if let free = (1..<used).first(where: { threads[$0].alive == 0 }) { return free }
    return used < Int(BIS_MAX_THREADS) ? used : nil
  }

  /// Whether the thread's state is the one in the control block.
  public func isCurrent(_ tid: UInt64) -> Bool {
    block.pointee.tid == tid && block.pointee.turn.holder == block.pointee.turn.current &+ 1
  }

  /// Index of a thread's area; nil for a vfork child.
  public func threadIndex(_ tid: UInt64) -> Int? {
    (0..<usedThreads).first { threads[$0].alive != 0 && threads[$0].tid == tid }
  }

  /// Threads that do not have the turn.
  public func otherThreads() -> [Int32] {
    (0..<usedThreads).filter { threads[$0].alive != 0 && threads[$0].tid != block.pointee.tid }
      .map { Int32(truncatingIfNeeded: threads[$0].tid) }
  }

  /// What a thread of a replay has called itself; nil: nothing.
  public func name(of tid: Int32) -> String? {
    guard let index = threadIndex(UInt64(tid)), threads[index].name.0 != 0 else { return nil }
    let bytes = withUnsafeBytes(of: threads[index].name) { Array($0.prefix { $0 != 0 }) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The newest seccomp filter of a thread that does not have the turn (bis_thread.seccomp).
  public func seccomp(of tid: Int32) -> UInt64 {
    threadIndex(UInt64(tid)).map { threads[$0].seccomp } ?? 0
  }
  public func setSeccomp(_ value: UInt64, of tid: Int32) {
    if let index = threadIndex(UInt64(tid)) { threads[index].seccomp = value }
  }

  /// General registers of a thread that does not have the turn.
  public func registers(ofThread index: Int) -> UnsafeMutablePointer<UInt64> {
    UnsafeMutableRawPointer(threads + index).assumingMemoryBound(to: UInt64.self)
  }

  /// Something is to be delivered to a stopped thread.
  public func setPending(_ tid: UInt64, restarts: Bool) {
    let index = threadIndex(tid)
    if let index {
      threads[index].restarts = restarts ? 1 : 0
      threads[index].pending_signals = 1
    }
    if block.pointee.tid == tid || index.map({ block.pointee.turn.current == UInt32($0) }) ?? false {
      block.pointee.pending_signals = 1
    }
  }

  /// The current thread is about to get what is pending.
  public func clearPending() {
    block.pointee.pending_signals = 0
    let current = Int(block.pointee.turn.current)
    if current < Int(BIS_MAX_THREADS) { threads[current].pending_signals = 0 }
  }

  private func words(_ offset: Int) -> UnsafeMutablePointer<UInt64> {
    (base + offset).assumingMemoryBound(to: UInt64.self)
  }

  public var reason: bis_reason { bis_reason(rawValue: block.pointee.reason) }
  public var rip: UInt64 {
    get { block.pointee.rip }
    nonmutating set { block.pointee.rip = newValue }
  }

  /// Replay, in a vfork child: where its parent goes on.
  public var vforkResume: UInt64 {
    get { block.pointee.vsaved.18 }
    nonmutating set { block.pointee.vsaved.18 = newValue }
  }

  /// Ticks of the process since its tape began.
  public var ticks: UInt64 {
    var sum = block.pointee.tick_done
    for i in 0..<Int(BIS_TICK_WORDS) { sum &+= tickStart[i] &- tick[i] }
    return sum
  }

  /// Makes the next tick stop the process. Only when no tick is half done (see `Translator.locate`).
  public func expireAtNextTick() {
    block.pointee.tick_done = ticks
    for i in 0..<Int(BIS_TICK_WORDS) {
      tick[i] = 1
      tickStart[i] = 1
    }
  }

  /// Spreads what is left until `tick_target` over the tick words, as the runtime's bis_set_ticks does.
  public func setTicks(target: UInt64) {
    let done = ticks
    block.pointee.tick_target = target
    var share: UInt64 = 1 << 60
    let debug = block.pointee.debug
    let target = debug.flags & UInt64(BIS_DEBUG_TICKS.rawValue) != 0 ? min(target, debug.ticks) : target
    if target != .max {
      let left = target > done ? target - done : 0
      share = left == 0 ? 1 : (left - 1) / UInt64(BIS_TICK_WORDS) + 1
    }
    block.pointee.tick_done = done
    for i in 0..<Int(BIS_TICK_WORDS) {
      tick[i] = share
      tickStart[i] = share
    }
  }

  /// The hash of `bis_abi.h` over the general registers (rcx and r11 left out).
  public func registerHash() -> UInt64 {
    var h: UInt64 = 0
    for i in 0..<16 where i != 1 && i != 11 {
      h = ((h << 5 | h >> 59) ^ gpr[i]) &* UInt64(BIS_HASH_MULTIPLIER)
    }
    return h
  }

  /// Start of the segment in use.
  public var segment: UnsafeMutableRawPointer {
    base + Int(BIS_CONTROL_SIZE) + Int(block.pointee.segment) * Int(BIS_SEGMENT_SIZE)
  }
  public func segment(_ index: UInt64) -> UnsafeMutableRawPointer {
    base + Int(BIS_CONTROL_SIZE) + Int(index) * Int(BIS_SEGMENT_SIZE)
  }
}
