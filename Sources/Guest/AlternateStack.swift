import CABI

/// The alternate signal stack of the current thread, as the kernel keeps it in sas_ss_sp, _flags and _size. sigaltstack(2)
public struct AlternateStack: Sendable {
  public var low: UInt64, flags: UInt64, size: UInt64

  static let none = AlternateStack(low: 0, flags: 2, size: 0)

  public init(low: UInt64, flags: UInt64, size: UInt64) {
    self.low = low
    self.flags = flags
    self.size = size
  }

  public init(_ control: Control) {
    let block = control.block.pointee
    self.init(low: block.altstack_sp, flags: block.altstack_flags, size: block.altstack_size)
  }

  public func store(in control: Control) {
    control.block.pointee.altstack_sp = low
    control.block.pointee.altstack_flags = flags
    control.block.pointee.altstack_size = size
  }

  var disarms: Bool { flags & UInt64(BIS_SS_AUTODISARM) != 0 }

  func contains(_ sp: UInt64) -> Bool { sp > low && sp - low <= size }

  /// With SS_AUTODISARM nobody asks whether it is (on_sig_stack, linux/sched/signal.h).
  func isInUse(_ sp: UInt64) -> Bool { !disarms && contains(sp) }

  /// A handler begins. sas_ss_reset, linux/sched/signal.h
  public static func disarm(_ control: Control) {
    if AlternateStack(control).disarms { none.store(in: control) }
  }

  /// A handler returns, to `sp`: what sigaltstack would refuse is passed over. restore_altstack, kernel/signal.c
  public func restore(in control: Control, sp: UInt64) {
    let mode = flags & ~UInt64(BIS_SS_AUTODISARM)
    guard !AlternateStack(control).isInUse(sp), mode <= 2, mode == 2 || size >= UInt64(BIS_MINSIGSTKSZ) else { return }
    (mode == 2 ? AlternateStack(low: 0, flags: flags, size: 0) : self).store(in: control)
  }
}
