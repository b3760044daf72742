import BisRuntime
import CABI
import Glibc
import Linux
import Translate

/// Sees to it that translations can be taken from under the processes of a session.
public protocol CodeUsers: AnyObject {
  /// Stops a process where that can be done; nil: not now (it goes on then).
  func halt(_ p: GuestProcess) throws(GuestError) -> Rest?
  /// Lets those go on that were stopped.
  func release()
}

/// Translations are given back when there is no room for more, or when most of a process's own are dead.
extension GuestProcess {
  /// Where a process goes on when its translations are gone.
  struct Standing {
    let rest: Rest
    var resume: (guest: UInt64, kind: EntryKind)?
  }

  /// Before something is translated: makes room if need be. The process must be stopped where calls into it work.
  func makeRoom() throws(GuestError) {
    if code.isFlushing { return }
    if let area, code.isWasteful(area) { try emptyOwn(area) }
    guard code.translator.isShort, code.mayFlush else { return }
    code.dropUnused()
    if code.translator.isShort { try flush() }
  }

  /// The process's own translations go. (Memory that only this process has is translated for it alone.)
  private func emptyOwn(_ area: AreaID) throws(GuestError) {
    let standing = try leaveCode(as: try ownRest(), of: area)
    code.translator.empty(area)
    try goOn(standing)
  }

  /// All translations go, of all processes.
  func flush() throws(GuestError) {
    code.isFlushing = true
    defer { code.isFlushing = false }
    var standing: [(GuestProcess, Standing)] = []
    defer { code.users?.release() }
    for p in code.processes {
      let rest = try p === self ? ownRest() : code.halt(p)
      do throws(GuestError) { standing.append((p, try p.leaveCode(as: rest, of: nil))) } catch {
        guard case .gone = error, p !== self else { throw error }
      }
    }
    code.forgetAll()
    for (p, s) in standing {
      do throws(GuestError) { try p.goOn(s) } catch {
        guard case .gone = error, p !== self else { throw error }
      }
    }
  }

  private func ownRest() throws(GuestError) -> Rest {
    let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    return place(r.rip) == .translated ? .code : .question
  }

  // MARK: -

  /// Nobody in the process goes on in translations of an area (nil: in any).
  private func leaveCode(as rest: Rest, of area: AreaID?) throws(GuestError) -> Standing {
    var standing = Standing(rest: rest)
    if case .outside = rest { return standing }
    func entry(_ host: UInt64) throws(GuestError) -> (guest: UInt64, kind: EntryKind)? {
      guard host != 0, let at = code.translator.locate(host: host) else { return nil }
      if let area, code.translator.area(of: at.domain) != area { return nil }
      guard let e = code.translator.entry(at: host) else {
        throw .unsupported("translations are given back while a process stands at \(String(host, radix: 16))")
      }
      return (e.guest, e.kind)
    }
    let block = control.block
    if control.reason == BIS_REASON_EXIT_DIRECT {  // asked, not answered yet
      let target = code.translator.exitTarget(UInt32(truncatingIfNeeded: control.arguments[0]))
      if area == nil || code.translator.area(of: target.domain) == area { askedFor = (target.guest, target.kind) }
    }
    if case .code = rest {
      let r = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
      if place(r.rip) == .translated { try restart() }
    } else if let e = try entry(block.pointee.resume_host) {
      if case .question = rest {
        standing.resume = e
      } else {
        control.rip = e.guest
      }
      block.pointee.resume_host = 0
    }
    for t in 0..<control.usedThreads where control.threads[t].alive != 0 {
      guard let e = try entry(control.threads[t].resume_host) else { continue }
      control.threads[t].rip = e.guest
      control.threads[t].resume_host = 0
    }
    if block.pointee.vfork_depth > 0, try entry(control.vforkResume) != nil { control.vforkResume = 0 }
    return standing
  }

  /// The process goes on in new translations, and forgets where indirect transfers led.
  private func goOn(_ s: Standing) throws(GuestError) {
    if case .outside = s.rest { return }
    try publishRanges()
    control.block.pointee.debug.stale_targets = 1
    guard case .question = s.rest else { return }
    control.block.pointee.debug.stale_targets = 0
    try forgetTargets()
    guard let e = s.resume else { return }
    control.block.pointee.resume_host = try translate(e.guest, e.kind) ?? 0
  }
}

extension CodeSpace {
  /// Stops another process, however long that takes.
  func halt(_ p: GuestProcess) throws(GuestError) -> Rest {
    for _ in 0..<20_000 {
      do throws(GuestError) {
        guard let users else { return .outside }
        if let rest = try users.halt(p) { return rest }
      } catch {
        guard case .gone = error else { throw error }
        return .outside
      }
      usleep(100)
    }
    throw .unsupported("process \(p.pid) does not stop where its translations can be given back")
  }
}
