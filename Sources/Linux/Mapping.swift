internal import CLinux

/// Rights of a mapping, as PROT_* of mmap(2).
public struct Protection: OptionSet, Hashable, Sendable {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }

  public static let none: Protection = []
  public static let read = Protection(rawValue: 1)
  public static let write = Protection(rawValue: 2)
  public static let execute = Protection(rawValue: 4)
}

/// Memory mapped into bis itself, unmapped when the value dies.
public struct Mapping: ~Copyable {
  public let base: UnsafeMutableRawPointer
  /// Bytes, as asked for.
  public let count: Int

  deinit { _ = bis_munmap(UInt64(UInt(bitPattern: base)), count) }

  /// Part of a file. With `at`, exactly there, and EEXIST when something is there already. mmap(2)
  public static func map(
    fd: Int32, offset: Int, length: Int, protection: Protection, shared: Bool, at address: UInt64? = nil
  ) throws(Errno) -> Mapping {
    try map(
      fd: fd, offset: offset, length: length, protection: protection,
      flags: shared ? MAP_SHARED : MAP_PRIVATE, at: address)
  }

  /// Zeroed memory of this process only, reserved lazily.
  public static func anonymous(
    length: Int, protection: Protection = [.read, .write], at address: UInt64? = nil
  ) throws(Errno) -> Mapping {
    try map(
      fd: -1, offset: 0, length: length, protection: protection,
      flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, at: address)
  }

  private static func map(
    fd: Int32, offset: Int, length: Int, protection: Protection, flags: Int32, at address: UInt64?
  ) throws(Errno) -> Mapping {
    let fixed: Int32 = address == nil ? 0 : 0x10_0000  // MAP_FIXED_NOREPLACE
    let result = try check(
      bis_mmap(address ?? 0, length, protection.rawValue, flags | fixed, fd, UInt64(offset)))
    guard let base = UnsafeMutableRawPointer(bitPattern: result) else { throw .invalid }
    let mapping = Mapping(base: base, count: length)
    // Before 4.17 the flag is only a hint.
    if let address, UInt64(result) != address { throw .exists }
    return mapping
  }

  private init(base: UnsafeMutableRawPointer, count: Int) {
    self.base = base
    self.count = count
  }

  public var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: base, count: count) }
  public var address: UInt64 { UInt64(UInt(bitPattern: base)) }

  /// Leaves the mapping in place for the rest of the process's life.
  public consuming func release() -> UnsafeMutableRawBufferPointer {
    let bytes = bytes
    discard self
    return bytes
  }
}
