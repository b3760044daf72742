import CABI
import Guest
import Linux

/// What of shared memory a system call uses.
extension RecordSession {
  typealias SharedRange = (low: UInt64, high: UInt64, writes: Bool)

  /// Ranges in shared memory that the arguments of a call point to. Lengths are guessed from the next argument; a call that
  /// needs more fails with EFAULT and asks again for everything.
  func sharedArguments(_ p: RecordedProcess, _ number: UInt32, _ a: [UInt64]) -> [SharedRange] {
    var ranges: [SharedRange] = []
    let onlyReads = number == 202 ? [0, 1, 9, 10].contains(a[1] & 127) : RecordSession.onlyReads.contains(number)
    func add(_ address: UInt64, _ length: UInt64) {
      guard address >= 0x1000, address < 1 << 47 else { return }
      let high = address + min(max(length, 1), 1 << 40)
      guard p.views.contains(where: { $0.low < high && $0.high > address }) else { return }
      ranges.append((address, high, !onlyReads))
    }
    func addVectors(_ address: UInt64, _ count: UInt64) {
      guard count <= 1024, let bytes = try? p.guest.read(address, Int(count) * 16) else { return }
      let words = RecordSession.words(bytes)
      for i in stride(from: 0, to: words.count, by: 2) { add(words[i], words[i + 1]) }
    }
    func addMessage(_ address: UInt64) {
      guard let bytes = try? p.guest.read(address, 56) else { return }
      let w = RecordSession.words(bytes)
      add(w[0], w[1] & 0xFFFF_FFFF)
      add(w[4], w[5])
      addVectors(w[2], w[3])
    }
    if [9, 10, 11, 25, 26, 28, 30, 67].contains(number) { return [] }  // addresses, not pointers
    for i in 0..<6 {
      let next = i < 5 ? a[i + 1] : 0
      add(a[i], next < 1 << 40 ? max(next, 8) : 8)
      if i < 5, next < 1 << 20 { add(a[i], next * 16) }  // arrays: pollfd, iovec, epoll_event
    }
    switch number {
    case 19, 20, 295, 296, 327, 328, 278, 310, 311: addVectors(a[1], a[2])
    case 46, 47: addMessage(a[1])
    case 299, 307:
      for i in 0..<min(a[2] & 0xFFFF_FFFF, 1024) { addMessage(a[1] + i * 64) }
    case 449:
      guard a[1] <= 128, let bytes = try? p.guest.read(a[0], Int(a[1]) * 24) else { break }
      let w = RecordSession.words(bytes)
      for i in stride(from: 0, to: w.count, by: 3) { add(w[i + 1], 8) }
    default: break
    }
    return ranges
  }

  /// write, writev, pwrite64, pwritev, pwritev2, sendto, sendmsg, sendmmsg. (And futex: FUTEX_WAIT, WAKE, with masks.)
  private static let onlyReads: Set<UInt32> = [1, 20, 18, 296, 328, 44, 46, 307]

  private static func words(_ bytes: [UInt8]) -> [UInt64] {
    bytes.withUnsafeBytes { b in
      (0..<b.count / 8).map { b.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
    }
  }
}
