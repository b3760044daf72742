internal import CLinux

/// Gives a stopped thread descriptors of ours, whatever it can reach: it may have other privileges, another root, other
/// namespaces. (By a socket of its own, SCM_RIGHTS.) They are close-on-exec there.
///
/// - Parameters:
///   - syscallInstruction: see `remoteSyscall`.
///   - scratch: 192 bytes of its memory that may be written.
/// - Returns: their numbers there.
public func giveDescriptors(
  _ descriptors: [Int32], to tid: ThreadID, at syscallInstruction: UInt64, scratch: UInt64
) throws(Errno) -> [Int32] {
  func call(_ number: Int, _ arguments: UInt64...) throws(Errno) -> UInt64 {
    UInt64(try check(Int(try remoteSyscall(tid, at: syscallInstruction, number, arguments))))
  }
  _ = try call(53, 1, 0x80001, 0, scratch)  // socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
  let pair = try readWord(tid, scratch)
  let (ours, theirs) = (pair & 0xFFFF_FFFF, pair >> 32)
  do {
    let process = Descriptor(owning: Int32(try check(bis_pidfd_open(tid.rawValue, 0))))
    let socket = Descriptor(owning: Int32(try check(bis_pidfd_getfd(process.raw, Int32(ours)))))
    try check(bis_send_descriptors(socket.raw, descriptors, UInt32(descriptors.count)))
  }
  // struct msghdr, then struct iovec, the byte, and the control message: its length, level and type, numbers.
  let (vector, byte, control) = (scratch + 56, scratch + 72, scratch + 80)
  let room = UInt64(16 + 4 * descriptors.count)
  let words: [UInt64] = [0, 0, vector, 1, control, room, 0, byte, 1]
  try writeMemory(tid, scratch, words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } })
  _ = try call(47, theirs, scratch, 0x4000_0000)  // recvmsg, MSG_CMSG_CLOEXEC
  var numbers: [Int32] = []
  for i in 0..<descriptors.count {
    let word = try readWord(tid, control + 16 + UInt64(i & ~1) * 4)
    numbers.append(Int32(truncatingIfNeeded: word >> (i & 1 == 0 ? 0 : 32)))
  }
  _ = try call(3, ours)
  _ = try call(3, theirs)
  return numbers
}
