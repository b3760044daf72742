/// Which programs the kernel accepts as seccomp filters: bpf_check_classic and check_load_and_stores in net/core/filter.c,
/// seccomp_check_filter in kernel/seccomp.c (Linux 6.12). What passes ends, and reads nothing that is not there.
enum SeccompCheck {
  private static let loads: Set<UInt16> = [0x20, 0x80, 0x81, 0x00, 0x01, 0x60, 0x61, 0x02, 0x03, 0x07, 0x87]
  private static let arithmetic: Set<UInt16> = [
    0x04, 0x0C, 0x14, 0x1C, 0x24, 0x2C, 0x34, 0x3C, 0x44, 0x4C, 0x54, 0x5C, 0x64, 0x6C, 0x74, 0x7C, 0x84, 0xA4, 0xAC,
  ]
  private static let jumps: Set<UInt16> = [0x15, 0x1D, 0x25, 0x2D, 0x35, 0x3D, 0x45, 0x4D]

  static func accepts(_ bytes: [UInt8]) -> Bool {
    let count = bytes.count / 8
    guard count > 0 else { return false }
    /// For each instruction: the words of memory that are written on every way there.
    var written = [UInt16](repeating: .max, count: count + 1)
    var now: UInt16 = 0
    for at in 0..<count {
      let (code, ifTrue, ifFalse, k) = instruction(bytes, at)
      now &= written[at]
      let left = count - at - 1
      switch code {
      case 0x20: guard k & 3 == 0, k < 64 else { return false }
      case 0x60, 0x61: guard k < 16, now >> k & 1 != 0 else { return false }
      case 0x02, 0x03:
        guard k < 16 else { return false }
        now |= 1 << k
      case 0x34: guard k != 0 else { return false }
      case 0x64, 0x74: guard k < 32 else { return false }
      case 0x05:
        guard Int(k) < left else { return false }
        written[at + 1 + Int(k)] &= now
        now = .max
      case _ where jumps.contains(code):
        guard ifTrue < left, ifFalse < left else { return false }
        written[at + 1 + ifTrue] &= now
        written[at + 1 + ifFalse] &= now
        now = .max
      case 0x06, 0x16: break
      default: guard loads.contains(code) || arithmetic.contains(code) else { return false }
      }
    }
    let last = instruction(bytes, count - 1).code
    return last == 0x06 || last == 0x16
  }

  private static func instruction(_ bytes: [UInt8], _ at: Int) -> (code: UInt16, ifTrue: Int, ifFalse: Int, k: UInt32) {
    let b = bytes[(at * 8)..<(at * 8 + 8)].map { UInt32($0) }
    return (UInt16(b[0] | b[1] << 8), Int(b[2]), Int(b[3]), b[4] | b[5] << 8 | b[6] << 16 | b[7] << 24)
  }
}
