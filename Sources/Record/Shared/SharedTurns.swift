import CABI
import Guest
import Linux

/// A process that was given pages and asks for more works with them for a while, and the others wait for theirs: processes that
/// use many of the same pages (the backends of a database) would take them from each other one by one before anybody gets
/// on. (Two that use a page or two in turns are not kept waiting.)
struct SharedTurn {
  let process: RecordedProcess
  /// Time stamp counter.
  let since: UInt64
  var until: UInt64
  /// Addresses of the first pages that it was given.
  var pages: [UInt64]

  /// A turn that gets longer with each page is for those who use more than so many.
  static let fewPages = 2
  /// How much longer, and how long at most (about 1 ms, 12 ms).
  static let pageCycles: UInt64 = 3_000_000
  static let longest: UInt64 = 36_000_000
}

extension RecordSession {
  /// A process has been given the page at `address`.
  func giveTurn(to p: RecordedProcess, for address: UInt64) {
    let now = Machine.tsc()
    guard var turn = sharedTurn, turn.process === p, now < turn.until else {
      sharedTurn = SharedTurn(process: p, since: now, until: now + RecordSession.holdCycles, pages: [address])
      return
    }
    if turn.pages.count <= SharedTurn.fewPages, !turn.pages.contains(address) { turn.pages.append(address) }
    if turn.pages.count > SharedTurn.fewPages {
      turn.until = min(now + SharedTurn.pageCycles, turn.since + SharedTurn.longest)
    }
    sharedTurn = turn
  }

  /// Whether a request may be served while another process works with what it was given.
  func isTurn(of request: SharedRequest) -> Bool {
    guard let turn = sharedTurn, turn.process !== request.process, turn.pages.count > SharedTurn.fewPages else {
      return true
    }
    switch request.what {
    case .access, .ranges: break
    case .code, .change: return true
    }
    let now = Machine.tsc()
    return now >= turn.until || turn.process.endWritten || turn.process.isInCall(now)
  }

  /// It works with pages that it was given.
  func hasTurn(_ p: RecordedProcess) -> Bool {
    guard let turn = sharedTurn else { return false }
    return turn.process === p && Machine.tsc() < turn.until
  }
}

extension RecordedProcess {
  /// It has been in one system call for some time (about 30 us): it waits for something, most probably.
  func isInCall(_ now: UInt64) -> Bool {
    let events = control.block.pointee.event_count
    guard control.block.pointee.in_syscall != 0 else { return false }
    if lastLook.events != events {
      lastLook = (events, now)
      return false
    }
    return now &- lastLook.time > 80_000
  }
}
