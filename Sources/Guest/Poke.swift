import CABI
import Linux

/// Memory that is written from outside: by a process of the recording that traces another one, and by the replay of that.
extension GuestProcess {
  /// Writes to the program's memory, whatever its protection. What was translated from there is forgotten. The process must
  /// be in a stop where calls into it work, with the program's address in `control.rip`.
  ///
  /// - Returns: whether there was code.
  @discardableResult
  public func poke(_ address: UInt64, _ bytes: [UInt8]) throws(GuestError) -> Bool {
    guard !bytes.isEmpty else { return false }
    try write(address, bytes)
    let high = address + UInt64(bytes.count)
    guard hasCode(low: address, high: high) else { return false }
    for page in stride(from: address & ~0xFFF, to: high, by: 0x1000) {
      for r in ranges where r.low < page + 0x1000 && r.high > page {
        let from = max(r.low, page), to = min(r.high, page + 0x1000)
        if r.image != nil {  // the program's own copy of the page from here on
          try remove(low: from, high: to)
          try addPrivate(low: from, high: to)
        } else {
          leaveTranslations(of: r.domain)
          try forgetPage(from)
        }
      }
    }
    control.block.pointee.resume_host = 0
    try publishRanges()
    try resetFastTable()
    return true
  }
}
