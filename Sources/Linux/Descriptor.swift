internal import CLinux

/// An open file, closed when the value dies. Always close-on-exec.
public struct Descriptor: ~Copyable {
  public let raw: Int32

  /// Takes over a number that nobody else will close.
  public init(owning raw: Int32) { self.raw = raw }

  deinit { _ = bis_close(raw) }

  /// `flags` are O_* of open(2); O_CLOEXEC is added.
  public static func open(_ path: String, flags: Int32, mode: UInt32 = 0) throws(Errno) -> Descriptor {
    let result = path.withCString { bis_open($0, flags | O_CLOEXEC, mode) }
    return Descriptor(owning: Int32(try check(result)))
  }

  /// A file of `size` zero bytes without a name in the file system; may be mapped executable, not executed. memfd_create(2)
  public static func memory(name: String, size: Int) throws(Errno) -> Descriptor {
    let result = name.withCString { bis_memfd_create($0) }
    let descriptor = Descriptor(owning: Int32(try check(result)))
    try descriptor.truncate(to: size)
    return descriptor
  }

  /// Gives the number away: the caller closes it.
  public consuming func release() -> Int32 {
    let raw = raw
    discard self
    return raw
  }

  /// A second descriptor for the same open file, numbered `minimum` or above. F_DUPFD_CLOEXEC
  public func duplicate(minimum: Int32 = 0) throws(Errno) -> Descriptor {
    Descriptor(owning: Int32(try check(bis_fcntl(raw, 1030, Int(minimum)))))
  }

  // MARK: Bytes

  /// One read(2): 0 at the end of the file. Repeated when a signal interrupts it.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    try retrying { bis_read(raw, buffer.baseAddress, buffer.count) }
  }

  public func pread(into buffer: UnsafeMutableRawBufferPointer, offset: UInt64) throws(Errno) -> Int {
    try retrying { bis_pread(raw, buffer.baseAddress, buffer.count, offset) }
  }

  public func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
    try retrying { bis_write(raw, bytes.baseAddress, bytes.count) }
  }

  public func pwrite(_ bytes: UnsafeRawBufferPointer, offset: UInt64) throws(Errno) -> Int {
    try retrying { bis_pwrite(raw, bytes.baseAddress, bytes.count, offset) }
  }

  /// Until the buffer is full or the file ends; returns how many bytes there were.
  public func readFully(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    try filling(buffer.count) { (done) throws(Errno) in
      try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
    }
  }

  public func preadFully(into buffer: UnsafeMutableRawBufferPointer, offset: UInt64) throws(Errno) -> Int {
    try filling(buffer.count) { (done) throws(Errno) in
      try pread(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]), offset: offset &+ UInt64(done))
    }
  }

  /// All of it, or an error (and then an unknown part of it).
  public func writeFully(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
    let done = try filling(bytes.count) { (done) throws(Errno) in
      try write(UnsafeRawBufferPointer(rebasing: bytes[done...]))
    }
    if done < bytes.count { throw .inputOutput }
  }

  public func pwriteFully(_ bytes: UnsafeRawBufferPointer, offset: UInt64) throws(Errno) {
    let done = try filling(bytes.count) { (done) throws(Errno) in
      try pwrite(UnsafeRawBufferPointer(rebasing: bytes[done...]), offset: offset &+ UInt64(done))
    }
    if done < bytes.count { throw .inputOutput }
  }

  public func writeFully(_ bytes: [UInt8]) throws(Errno) {
    try bytes.withBytes { (buffer) throws(Errno) in try writeFully(buffer) }
  }

  /// `count` bytes from `offset`, fewer where the file ends.
  public func pread(count: Int, offset: UInt64) throws(Errno) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let got = try bytes.withMutableBytes { (buffer) throws(Errno) in
      try preadFully(into: buffer, offset: offset)
    }
    bytes.removeLast(count - got)
    return bytes
  }

  /// The rest of the file; also for files without a size, as in /proc.
  public func readToEnd() throws(Errno) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let got = try chunk.withMutableBytes { (buffer) throws(Errno) in try read(into: buffer) }
      if got == 0 { return bytes }
      bytes += chunk[..<got]
    }
  }

  // MARK: The file

  /// Reserves disk space, so that later writes through a mapping cannot fail; the file grows. fallocate(2)
  public func allocate(offset: Int, length: Int) throws(Errno) {
    _ = try retrying { bis_fallocate(raw, 0, UInt64(offset), UInt64(length)) }
  }

  /// Gives the space of a range back; it reads as zeros. FALLOC_FL_PUNCH_HOLE
  public func punchHole(offset: Int, length: Int) throws(Errno) {
    _ = try retrying { bis_fallocate(raw, 3, UInt64(offset), UInt64(length)) }
  }

  public func truncate(to size: Int) throws(Errno) {
    _ = try retrying { bis_ftruncate(raw, UInt64(size)) }
  }

  public func stat() throws(Errno) -> FileStatus {
    var raw = CLinux.stat()
    try check(bis_fstat(self.raw, &raw))
    return FileStatus(raw)
  }
}

/// The part of stat(2) that somebody needs.
public struct FileStatus: Equatable, Sendable {
  public let device: Device
  public let inode: UInt64
  public let mode: UInt32
  public let user: UInt32
  public let group: UInt32
  public let size: Int
  /// Names in the file system.
  public let linkCount: Int
  /// Nanoseconds since 1970.
  public let modified: Int64

  public var isRegular: Bool { mode & 0o170000 == 0o100000 }
  public var isDirectory: Bool { mode & 0o170000 == 0o040000 }

  init(_ raw: CLinux.stat) {
    isEmpty = raw.st_blocks == 0
    device = Device(raw: UInt64(raw.st_dev))
    inode = UInt64(raw.st_ino)
    mode = raw.st_mode
    user = raw.st_uid
    group = raw.st_gid
    size = Int(raw.st_size)
    linkCount = Int(raw.st_nlink)
    modified = Int64(raw.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(raw.st_mtim.tv_nsec)
  }

  /// Nothing was ever written to it.
  public let isEmpty: Bool

  /// Whether the file is in memory (tmpfs, memfd_create).
  public static func isInMemory(_ path: String) -> Bool { path.withCString { bis_is_in_memory($0) } != 0 }

  /// Follows symbolic links. stat(2)
  public static func of(_ path: String) throws(Errno) -> FileStatus {
    var raw = CLinux.stat()
    try check(path.withCString { bis_stat($0, &raw) })
    return FileStatus(raw)
  }
}

/// A device number, taken apart as makedev(3) puts it together.
public struct Device: Hashable, Sendable {
  public let major: UInt32
  public let minor: UInt32

  public init(major: UInt32, minor: UInt32) {
    self.major = major
    self.minor = minor
  }

  init(raw: UInt64) {
    major = UInt32(truncatingIfNeeded: (raw >> 8) & 0xfff | (raw >> 32) & 0xffff_f000)
    minor = UInt32(truncatingIfNeeded: raw & 0xff | (raw >> 12) & 0xffff_ff00)
  }

  /// As stat(2) has it. makedev(3)
  public var raw: UInt64 {
    let (major, minor) = (UInt64(major), UInt64(minor))
    return (major & 0xfff) << 8 | (major >> 12) << 44 | (minor & 0xff) | (minor >> 8) << 20
  }
}

/// A whole file, also of /proc.
public func readFile(_ path: String) throws(Errno) -> [UInt8] {
  try Descriptor.open(path, flags: O_RDONLY).readToEnd()
}

// MARK: -

/// Calls again while a signal handler of ours interrupted it.
@inline(__always)
func retrying(_ call: () -> Int) throws(Errno) -> Int {
  while true {
    let result = call()
    if result != -4 { return try check(result) }
  }
}

@inline(__always)
private func filling(_ count: Int, _ step: (Int) throws(Errno) -> Int) throws(Errno) -> Int {
  var done = 0
  while done < count {
    let got = try step(done)
    if got == 0 { break }
    done += got
  }
  return done
}

/// As withUnsafeBytes, with the error's type kept.
extension [UInt8] {
  func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws(Errno) -> R) throws(Errno) -> R {
    try withUnsafeBufferPointer { (buffer) throws(Errno) in try body(UnsafeRawBufferPointer(buffer)) }
  }

  mutating func withMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws(Errno) -> R) throws(Errno) -> R {
    try withUnsafeMutableBufferPointer { (buffer) throws(Errno) in try body(UnsafeMutableRawBufferPointer(buffer)) }
  }
}
