import CABI
import Guest

/// Pages of a process that sleeps in a system call: they are taken from it without stopping it. (A stop costs two switches,
/// more where it wakes a CPU; and it wakes those who wait for a futex, who then want the page back to wait again.)
extension RecordSession {
  /// Takes pages from a process that sleeps. False: it does not, or it must be stopped for another reason.
  func claim(_ holder: SharedView, _ page: UInt64, _ count: UInt64, _ rights: UInt64) -> Bool {
    let q = holder.process
    guard holder.protection & 4 == 0, q.control.block.pointee.pinned == BIS_PIN_NONE.rawValue,
      bis_claim_sleep(q.control.block) != 0
    else { return false }
    q.claims.append((holder, page..<page + count))
    note(holder, page, count, rights, SharedView.Loss(events: q.placedEvents, ticks: nil))
    return true
  }

  /// REASON_CLAIMED: it is awake, and must not touch what it has lost.
  func settleClaims(_ p: RecordedProcess) throws(GuestError) {
    var runs: [SharedRun] = []
    let lost = p.claims.flatMap { claim in claim.pages.map { (view: claim.view, page: $0) } }
    p.claims = []
    for (view, page) in lost.sorted(by: { $0.view.address(of: $0.page) < $1.view.address(of: $1.page) }) {
      let rights = view.rights(page)
      if let last = runs.last, last.view === view, last.rights == rights, last.pages.upperBound >= page {
        runs[runs.count - 1].pages = last.pages.lowerBound..<max(last.pages.upperBound, page + 1)
      } else {
        runs.append(SharedRun(view: view, pages: page..<page + 1, rights: rights))
      }
    }
    try protect(runs, in: p.guest.tid)
  }
}
