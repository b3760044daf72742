/// Reads and writes the memory of a process.
public protocol MemoryAccess: AnyObject {
  /// The bytes from `address` on that can be read, at most `count`: fewer where readable memory ends. Breakpoints do not
  /// show. Throws when there is none.
  func readMemory(at address: UInt64, count: Int, of process: Int) throws(TargetError) -> [UInt8]
  /// Writes all of `bytes` or throws. See `RegisterAccess.setRegisterValue` about replays.
  func writeMemory(at address: UInt64, _ bytes: [UInt8], of process: Int) throws(TargetError)
}
