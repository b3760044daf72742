internal import CLinux

/// Memory of a traced thread's process. Give a living thread's number: the leader's does not work once it has exited.

/// Copies what is mapped from `address` on, at most the buffer; returns how many bytes, at least 1 unless the buffer is
/// empty. Throws EFAULT when nothing is mapped there. Pages without read permission are read, too.
public func readMemory(
  _ tid: ThreadID, _ address: UInt64, into buffer: UnsafeMutableRawBufferPointer
) throws(Errno) -> Int {
  if buffer.isEmpty { return 0 }
  let result = bis_process_vm_readv(tid.rawValue, address, buffer.baseAddress, buffer.count)
  if result > 0 { return result }
  if result == -3 { throw .gone }
  let file = try Descriptor.open("/proc/\(tid)/mem", flags: O_RDONLY)
  return try mapped(bis_pread(file.raw, buffer.baseAddress, buffer.count, address))
}

/// Writes all bytes or throws (then a part may be written). Read-only and executable private pages are written, too: the
/// process gets its own copy of them. Shared pages that are not writable: EFAULT.
public func writeMemory(_ tid: ThreadID, _ address: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
  if bytes.isEmpty { return }
  let result = bis_process_vm_writev(tid.rawValue, address, bytes.baseAddress, bytes.count)
  if result == bytes.count { return }
  if result == -3 { throw .gone }
  var done = max(0, result)
  let file = try Descriptor.open("/proc/\(tid)/mem", flags: O_RDWR)
  while done < bytes.count {
    let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
    done += try mapped(bis_pwrite(file.raw, rest.baseAddress, rest.count, address &+ UInt64(done)))
  }
}

public func writeMemory(_ tid: ThreadID, _ address: UInt64, _ bytes: [UInt8]) throws(Errno) {
  try bytes.withBytes { (buffer) throws(Errno) in try writeMemory(tid, address, buffer) }
}

public func writeWord(_ tid: ThreadID, _ address: UInt64, _ word: UInt64) throws(Errno) {
  try withUnsafeBytes(of: word) { (buffer) throws(Errno) in try writeMemory(tid, address, buffer) }
}

/// Exactly the buffer, or EFAULT.
public func readMemoryFully(
  _ tid: ThreadID, _ address: UInt64, into buffer: UnsafeMutableRawBufferPointer
) throws(Errno) {
  var done = 0
  while done < buffer.count {
    let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
    done += try readMemory(tid, address &+ UInt64(done), into: rest)
  }
}

public func readWord(_ tid: ThreadID, _ address: UInt64) throws(Errno) -> UInt64 {
  var word: UInt64 = 0
  try withUnsafeMutableBytes(of: &word) { (buffer) throws(Errno) in try readMemoryFully(tid, address, into: buffer) }
  return word
}

public func readBytes(_ tid: ThreadID, _ address: UInt64, count: Int) throws(Errno) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: count)
  try bytes.withMutableBytes { (buffer) throws(Errno) in try readMemoryFully(tid, address, into: buffer) }
  return bytes
}

/// The bytes before the first zero; ENAMETOOLONG when there is none within `limit`. Never reads past the string's page.
public func readCString(_ tid: ThreadID, _ address: UInt64, limit: Int = 4096) throws(Errno) -> [UInt8] {
  var bytes: [UInt8] = []
  while bytes.count < limit {
    let at = address &+ UInt64(bytes.count)
    let chunk = try readBytes(tid, at, count: min(limit - bytes.count, Int(256 - at % 256)))
    if let end = chunk.firstIndex(of: 0) { return bytes + chunk[..<end] }
    bytes += chunk
  }
  throw Errno(code: 36)  // ENAMETOOLONG
}

// MARK: -

/// /proc/PID/mem says EIO for unmapped memory, and 0 when the address space is gone.
private func mapped(_ result: Int) throws(Errno) -> Int {
  if result == 0 { throw .gone }
  if result == -5 { throw .badAddress }
  return try check(result)
}
