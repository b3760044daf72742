import CABI
import Guest
import Linux
import Translate

/// The code cache is full: all processes are stopped where none of them needs its translations, and go on with new ones.
extension ReplaySession: CodeUsers {
  func release() {
    for tid in halted { try? Ptrace.cont(tid, 0) }
    halted = []
  }

  func halt(_ p: GuestProcess) throws(GuestError) -> Rest? {
    attention.end()  // (a question on its way becomes a stop)
    let tid = p.tid
    switch try Guest.halt(tid) {
    case .gone(let status):
      if let status { stashed.append(status) }
      return .outside
    case .running: return nil
    case .held(let r):
      return stands(p, r)
    case .interrupted(let r, _):
      // (In the runtime it is on its way.)
      if case .code = p.rest(r), try p.leaveCode(tid, faulted: false) {
        halted.append(tid)
        return .code
      }
      try? Ptrace.cont(tid, 0)
      return nil
    case .reported(let r, let status):
      if case .code = p.rest(r), status.isFault(of: tid), try p.leaveCode(tid, faulted: true) {
        halted.append(tid)  // it meets that again, in new translations
        return .code
      }
      stashed.append(status)
      return stands(p, r)
    }
  }

  /// Where a process stands that the main loop knows of, or will.
  private func stands(_ p: GuestProcess, _ r: Registers) -> Rest { p.rest(r) ?? .call }
}
