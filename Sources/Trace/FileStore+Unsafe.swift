// Copies of the files that recorded processes map.
import Glibc
import Synchronization

/// Stores mapped files under `files/`, each version of a file once. May be used from several threads.
public final class FileStore: Sendable {
  private let trace: TraceDirectory
  private let manifest: ManifestWriter
  private let pool: FilePool?
  private let state = Mutex(State())

  private struct State {
    var numbers: [FileIdentity: UInt64] = [:]
    var names: [UInt64: String] = [:]
    var next: UInt64 = 0
  }

  /// Stores for the trace that `manifest` writes about.
  /// - Parameter sharedIn: the store whose traces share their copies, if the trace belongs to one.
  public init(_ manifest: ManifestWriter, sharedIn store: TraceStore? = nil) {
    self.manifest = manifest
    pool = store.flatMap { FilePool(store: $0.path) }
    trace = manifest.trace
  }

  /// Stores the file at `path` as it is now and returns its number.
  /// - Parameter identity: what the caller knows it to be, to save a look; it must be of this very file.
  public func store(path: String, identity: FileIdentity? = nil) throws(TraceError) -> UInt64 {
    if let identity, let number = known(identity) { return number }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(operation: "open", path: path, errno: errno) }
    let file = OwnedFile(descriptor: descriptor, path: path)
    return try store(descriptor: file.descriptor, path: Self.name(of: path))
  }

  /// Where a file is that is reached through somebody's descriptor: what a debugger asks for by name.
  public static func name(of path: String) -> String {
    guard path.hasPrefix("/proc/") else { return path }
    var target = [UInt8](repeating: 0, count: 4096)
    let count = target.withUnsafeMutableBytes { bytes in
      readlink(path, bytes.bindMemory(to: CChar.self).baseAddress!, bytes.count)
    }
    return count > 0 ? String(decoding: target[..<count], as: UTF8.self) : path
  }

  /// Stores the file at `path` as it is now; nil when it is not (any more) the one with that inode.
  public func store(path: String, inode: UInt64) throws(TraceError) -> UInt64? {
    var status = stat()
    guard stat(path, &status) == 0, UInt64(status.st_ino) == inode else { return nil }
    return try store(path: path, identity: FileIdentity(status))
  }

  /// Stores the file open at `descriptor`, readable, which stays the caller's. `path` is what the manifest says.
  public func store(descriptor: Int32, path: String) throws(TraceError) -> UInt64 {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .system(operation: "stat", path: path, errno: errno) }
    let identity = FileIdentity(status)
    // Held while copying: two processes that map the same library at once store it once.
    return try state.withLock { (state) throws(TraceError) in
      if let number = state.numbers[identity] { return number }
      let number = state.next
      let base = fileName(path.split(separator: "/").last.map(String.init) ?? "", limit: 100)
      let name = base.isEmpty ? "\(number)" : "\(number)-\(base)"
      let target = "\(trace.filesPath)/\(name)"
      unlink(target)
      let isFresh = identity.isFresh
      if isFresh || pool?.take(identity, to: target) != true { try copy(descriptor, identity, to: target) }
      try manifest.add(Manifest.FileInfo(number: number, path: path, identity: identity, storedName: name))
      if !isFresh { state.numbers[identity] = number }
      state.names[number] = name
      state.next += 1
      return number
    }
  }

  private func copy(_ source: Int32, _ identity: FileIdentity, to target: String) throws(TraceError) {
    let copy = try OwnedFile.open(target, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    do throws(TraceError) {
      try Self.copy(from: source, to: copy, size: identity.size)
    } catch {
      unlink(target)
      throw error
    }
    guard fchmod(copy.descriptor, 0o444) == 0 else { throw copy.fail("chmod") }
    var status = stat()
    if fstat(source, &status) == 0, FileIdentity(status) == identity, !identity.isFresh {
      pool?.keep(target, of: identity)
    }
  }

  /// Where the copy of a file stored by this object is.
  public func path(ofFile number: UInt64) -> String? {
    state.withLock { $0.names[number] }.map { "\(trace.filesPath)/\($0)" }
  }

  /// The number of a file stored before.
  public func known(_ identity: FileIdentity) -> UInt64? { state.withLock { $0.numbers[identity] } }

  /// FICLONE, else copy_file_range of what is no hole, else read and write.
  private static func copy(from source: Int32, to target: borrowing OwnedFile, size: UInt64) throws(TraceError) {
    let ficlone: UInt = 0x4004_9409  // linux/fs.h, _IOW(0x94, 9, int)
    if ioctl(target.descriptor, ficlone, source) == 0 { return }
    let size = Int64(size), place = lseek(source, 0, SEEK_CUR)
    defer { if place >= 0 { lseek(source, place, SEEK_SET) } }
    var offset: Int64 = 0, isCopied = true
    while isCopied, let part = data(of: source, from: offset, size: size) {
      offset = part.lowerBound
      while isCopied, offset < part.upperBound {
        var from = offset, to = offset
        let count = copyFileRange(source, &from, target.descriptor, &to, Int(part.upperBound - offset), 0)
        if count > 0 {
          offset += Int64(count)
        } else if count == 0 || errno != EINTR {
          if count < 0 && (errno == ENOSPC || errno == EDQUOT) { throw target.fail("copy to") }
          isCopied = false
        }
      }
    }
    if isCopied { offset = size }  // (a hole at the end)
    guard ftruncate(target.descriptor, off_t(offset)) == 0, lseek(target.descriptor, off_t(offset), SEEK_SET) >= 0
    else {
      throw target.fail("extend")
    }
    // Files without a size (/proc) and file systems without copy_file_range.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
    defer { buffer.deallocate() }
    while true {
      let count = pread(source, buffer.baseAddress, buffer.count, off_t(offset))
      if count == 0 { return }
      if count < 0 {
        if errno == EINTR { continue }
        throw .system(operation: "read", path: target.path, errno: errno)
      }
      try target.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      offset += Int64(count)
    }
  }

  /// Where the next data of a file are, from `offset` on; nil: nothing but a hole, or the end. Moves the file's offset.
  private static func data(of file: Int32, from offset: Int64, size: Int64) -> Range<Int64>? {
    guard offset < size else { return nil }
    let seekData: Int32 = 3, seekHole: Int32 = 4  // linux/fs.h
    let start = Int64(lseek(file, off_t(offset), seekData))
    if start < 0 { return errno == ENXIO ? nil : offset..<size }
    guard start < size else { return nil }  // (it has grown since)
    let end = Int64(lseek(file, off_t(start), seekHole))
    return start..<(end > start ? min(end, size) : size)
  }
}

extension FileIdentity {
  /// Changed so recently that another change may leave the same time (the kernel's clock ticks every 1 to 10 ms).
  fileprivate var isFresh: Bool {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let age = Int64(now.tv_sec) &* 1_000_000_000 &+ Int64(now.tv_nsec) &- max(changed, modified)
    return age < 20_000_000
  }
}

/// copy_file_range(2), which Glibc's module does not show (it stands behind _GNU_SOURCE).
@_silgen_name("copy_file_range")
private func copyFileRange(
  _ source: Int32, _ sourceOffset: UnsafeMutablePointer<Int64>?, _ target: Int32,
  _ targetOffset: UnsafeMutablePointer<Int64>?, _ count: Int, _ flags: UInt32
) -> Int

extension TraceDirectory {
  /// Opens a stored file for reading; the caller closes the descriptor. Follows no link.
  public func openStored(_ file: Manifest.FileInfo) throws(TraceError) -> Int32 {
    let path = storedPath(file)
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { throw .system(operation: "open", path: path, errno: errno) }
    return descriptor
  }

  /// Where a stored file is.
  public func storedPath(_ file: Manifest.FileInfo) -> String {
    precondition(Manifest.FileInfo.isSafe(file.storedName), "stored name \(file.storedName)")
    return "\(filesPath)/\(file.storedName)"
  }
}
