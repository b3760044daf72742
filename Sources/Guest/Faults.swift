import BisRuntime
import CABI
import Linux
import X86

/// Facts about a stopped process that fault handling needs.
extension GuestProcess {
  /// The runtime was copying to or from the operand of a special instruction.
  public func isGuestCopy(_ rip: UInt64) -> Bool {
    let out = Region.address(BIS_LABEL_COPY_OUT), into = Region.address(BIS_LABEL_COPY_IN)
    return (rip >= out && rip < out + 32) || (rip >= into && rip < into + 32)
  }

  /// Length of the guest instruction that entered the runtime last, bytes.
  public func descriptorLength() -> UInt64 {
    guard let bytes = try? read(control.block.pointee.descriptor, MemoryLayout<bis_descriptor>.size) else { return 0 }
    return UInt64(bytes[12])
  }

  public func isMapped(_ address: UInt64) throws(GuestError) -> Bool {
    try kernel("read the memory map") { () throws(Errno) in try memoryMaps(of: tid) }.contains { $0.contains(address) }
  }

  /// Whether a page is there and only the access was wrong: bit 0 of a page fault's error code. (PROT_NONE pages count
  /// as absent.)
  public func isPresent(_ address: UInt64) -> Bool {
    guard let map = try? memoryMaps(of: tid).first(where: { $0.contains(address) }),
      map.read || map.write || map.execute,
      let file = try? Descriptor.open("/proc/\(tid)/pagemap", flags: 0),
      let entry = try? file.pread(count: 8, offset: (address >> 12) * 8), entry.count == 8
    else { return false }
    return entry[7] & 0x80 != 0
  }

  /// Whether the instruction at `rip` writes memory: bit 1 of a page fault's error code.
  public func writesMemory(_ rip: UInt64) -> Bool {
    guard let bytes = try? read(rip, 15) else { return false }
    return bytes.withUnsafeBytes { instructionWritesMemory($0) }
  }
}
