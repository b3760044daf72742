import BisRuntime
import CABI
import Guest
import Linux

/// A seed for chaos mode that nobody has chosen: short enough to be typed again.
public func anyChaosSeed() -> UInt64 { UInt64.random(in: 1...999_999) }

/// Chaos mode: the seed, and switches between two ticks.
extension RecordSession {
  /// The start of a process's random numbers: never 0, another one for each tape.
  static func chaosState(seed: UInt64, tape: UInt64) -> UInt64 {
    var z = seed &+ (tape &+ 1) &* 0x9E37_79B9_7F4A_7C15  // splitmix64
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31 | 1
  }

  /// REASON_STEP: a slice is over and the runtime wants the switch some instructions further on. Where that cannot be
  /// had (the program calls, jumps to new code, ...) it goes on without a switch.
  func stepThenSwitch(_ p: RecordedProcess) throws(GuestError) {
    let wanted = Int(p.control.arguments[0])
    try p.guest.leaveRuntime()
    switch try p.guest.stepOn(limit: 8 * wanted + 64, until: { $0 >= wanted }) {
    case .exact: try p.guest.restart(at: BIS_LABEL_SWITCH)
    case .elsewhere: break
    case .signal(let signal):
      try signalStop(p, p.guest.tid, signal)
      throw .gone  // (resumed by it)
    }
  }
}
