import BisRuntime
import CABI
import Guest
import Linux
import Tape
import Translate

/// Thread switches between two ticks (recorded in chaos mode).
extension ReplaySession {
  /// REASON_STEP: the tick of such a switch has run out; brings the thread to its address (argument 0).
  func stepToSwitch(_ p: ReplayedProcess) throws(GuestError) {
    let address = p.control.arguments[0]
    try p.guest.leaveRuntime()
    for _ in 0..<100 {
      switch try p.guest.stepOn(limit: 10_000, until: { _ in p.control.rip == address }) {
      case .exact:
        return try p.guest.restart(at: BIS_LABEL_REPLAY_SWITCH)
      case .elsewhere:
        throw divergence(p, "a thread switch at \(hex(address)) is not reached")
      case .signal(let signal):
        let info = try kernel("read signal information") { () throws(Errno) in try Ptrace.signalInfo(p.guest.tid) }
        let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(p.guest.tid) }
        guard try p.guest.handleGuardedWrite(info, r) else {
          throw divergence(p, "signal \(signal) on the way to a thread switch at \(hex(address))")
        }
        guard let body = try p.guest.translate(p.control.rip, .body) else {
          throw divergence(p, "the code before a thread switch at \(hex(address)) is gone")
        }
        p.control.block.pointee.resume_host = body
        try p.guest.leaveRuntime()
      }
    }
    throw divergence(p, "a thread switch at \(hex(address)) is not reached")
  }
}
