import BisRuntime
import CABI
import Linux
import Translate

/// Copies of a stopped process.
extension GuestProcess {
  /// The code of a copy of a stopped process: shared domains stay shared, memory of its own gets fresh ones. Whoever was
  /// to go on in the other's translations of such memory goes on in new ones: writes to that memory forget the copy's.
  public func copyCode(of other: GuestProcess) throws(GuestError) {
    try inheritRanges(from: other)
    hasStaleTargets = other.hasStaleTargets
    askedFor = other.askedFor
    guard other.hasPrivateCode else { return }
    hasPrivateCode = true
    try forgetTargets()
    try leave { !code.isShared($0) }
  }

  /// Whoever is to go on in translations of such domains goes on in the process's own, of the same places.
  func leave(_ isForeign: (DomainID) -> Bool) throws(GuestError) {
    func foreign(_ host: UInt64) -> Location? {
      guard host != 0, let l = code.translator.locate(host: host), l.kind != .stepOn else { return nil }
      return isForeign(l.domain) ? l : nil
    }
    let block = control.block
    let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    if place(r.rip) == .translated {  // (what the runtime left for last is over)
      if foreign(r.rip) != nil { try restart() }
    } else if let l = foreign(block.pointee.resume_host) {
      block.pointee.resume_host = try translate(l.guest, l.kind == .indirectEntry ? .indirect : .body) ?? 0
    }
    for t in 0..<control.usedThreads where control.threads[t].alive != 0 {
      guard let l = foreign(control.threads[t].resume_host), l.kind == .instruction else { continue }
      // (one that was preempted left its address to the translated code)
      control.threads[t].rip = l.guest
      control.threads[t].resume_host = 0
    }
    if block.pointee.vfork_depth > 0, foreign(control.vforkResume) != nil { control.vforkResume = 0 }
  }
}
