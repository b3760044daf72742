import CABI
import Glibc
import Guest
import Linux
import Trace
import Translate

/// Executable memory that is mapped a second time (JITs that write their code through another mapping). What is executed is
/// brought in as what is read is, when it is translated; its translations are forgotten when its page goes to a writer.
extension RecordSession {
  /// A mapping that cannot be beside those that a file has already: one that is writable and executable itself, or a
  /// writable one of code whose translations other processes and recordings use.
  func wouldAliasCode(_ status: FileStatus, _ protection: UInt64) -> Bool {
    guard let object = sharedObjects[SharedObject.Key(device: status.device, inode: status.inode)] else { return false }
    if object.views.isEmpty || protection & 6 == 0 { return false }
    if protection & 6 == 6 || object.views.contains(where: { $0.protection & 6 == 6 }) { return true }
    return protection & 2 != 0
      && object.views.contains { $0.protection & 4 != 0 && $0.process.guest.range(at: $0.low)?.image != nil }
  }

  /// mprotect makes memory both writable and executable that is mapped a second time.
  func wouldAliasCode(_ p: RecordedProcess, _ low: UInt64, _ length: UInt64, _ protection: UInt64) -> Bool {
    guard protection & 6 == 6 else { return false }
    return p.views.contains { $0.low < low &+ length && $0.high > low && $0.object.views.count > 1 }
  }

  /// A translation is about to be made (the runtime's question `why`): its pages are brought in first.
  func bringCode(_ p: RecordedProcess, _ why: bis_reason) throws(GuestError) {
    guard !p.views.isEmpty else { return }
    let (guest, kind) = p.guest.asked(why)
    // A unit is made from the page of its head and the one after it.
    let low = guest & ~0xFFF, high = low + 0x2000
    guard p.views.contains(where: { isMissingCode($0, low, high) }) else { return }
    // The tick of a backward or indirect transfer is counted behind this question.
    let position = SharedPosition.fetch(rip: guest, ticks: p.control.ticks + (kind == .body ? 0 : 1))
    let request = SharedRequest(
      process: p, tid: p.guest.tid, what: .code(low: low, high: high, position), since: Machine.tsc())
    for _ in 0..<20_000 {
      if try serve(request) { return }
      usleep(50)
    }
    throw .unsupported("code in shared memory that another process does not give away")
  }

  private func isMissingCode(_ view: SharedView, _ low: UInt64, _ high: UInt64) -> Bool {
    guard view.object.isContested, view.protection & 4 != 0, view.low < high, view.high > low else { return false }
    return stride(from: max(low, view.low), to: min(high, view.high), by: 4096).contains {
      view.rights(view.page(at: $0)) == 0
    }
  }

  /// Brings in pages of executable mappings for reading. False: not now.
  func takeCode(
    _ request: SharedRequest, _ low: UInt64, _ high: UInt64, _ position: SharedPosition
  ) throws(GuestError) -> Bool {
    for view in request.process.views where isMissingCode(view, low, high) {
      let end = view.page(at: min(view.high, high) - 1) + 1
      for page in view.page(at: max(view.low, low))..<end where view.rights(page) == 0 {
        guard try take(view, page, end: page + 1, writes: false, request, position) else { return false }
      }
    }
    return true
  }

  /// A mapping has lost pages that it may have executed.
  func loseCode(_ holder: SharedView, _ page: UInt64, _ count: UInt64, _ request: SharedRequest?) throws(GuestError) {
    let low = holder.address(of: page), high = low + count << 12
    guard holder.protection & 4 != 0, holder.process.guest.hasCode(low: low, high: high) else { return }
    guard request?.process === holder.process else {
      // It stands anywhere, in the middle of that code perhaps.
      guard holder.process.guest.hasTranslated(low: low, high: high) else { return }
      throw .unsupported("executable memory that is written to by another process than the one that executes it")
    }
    lostCode.append((low, high))
  }

  /// Forgets the translations of what the process of a request has lost by it.
  func forgetLostCode(_ request: SharedRequest) throws(GuestError) {
    guard !lostCode.isEmpty else { return }
    let p = request.process
    let lost = lostCode.filter { p.guest.hasTranslated(low: $0.low, high: $0.high) }
    if lost.isEmpty { return }
    // The store may stand in such code itself: it is done anew, from the tables. (Its state was captured for the tape.)
    if case .access(_, _, let r) = request.what, p.guest.place(r.rip) == .translated { try p.guest.restart() }
    for (low, high) in lost { try p.guest.forgetCode(low: low, high: high) }
  }
}
