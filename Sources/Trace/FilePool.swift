// Copies of mapped files that the traces of one store share.
import Glibc

/// The directory `.files` of a store: copies under names made of their identity, hard-linked into the traces that hold
/// them, so that a second recording of a program copies nothing. A trace stays complete by itself: deleting others, or
/// the pool, takes nothing from it.
///
/// Only for the time between two boots: what a crash of the machine leaves half written is never taken up again, and
/// device numbers mean the same all the time. And only files that have been left alone for a while: the kernel's time
/// stamps are coarse, and late for what is written through mappings.
struct FilePool: Sendable {
  private static let smallestSize = 32 << 10
  private static let restNanoseconds: Int64 = 60_000_000_000
  private let pool: String
  private let directory: String

  /// The pool of a store; nil where there is no boot id.
  init?(store: String) {
    guard let file = try? OwnedFile.open("/proc/sys/kernel/random/boot_id", O_RDONLY) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 36)
    guard bytes.withUnsafeMutableBytes({ (try? file.read(at: 0, into: $0)) ?? 0 }) == bytes.count else { return nil }
    pool = Self.path(store)
    directory = "\(pool)/\(fileName(String(decoding: bytes, as: UTF8.self), limit: 36))"
  }

  private static func path(_ store: String) -> String { store + "/.files" }

  private func name(_ identity: FileIdentity) -> String {
    "\(directory)/\(identity.device)-\(identity.inode)-\(identity.size)-\(identity.modified)-\(identity.changed)"
  }

  /// Makes `target` a copy of the file with that identity, if there is one.
  func take(_ identity: FileIdentity, to target: String) -> Bool {
    guard identity.size >= Self.smallestSize, link(name(identity), target) == 0 else { return false }
    if let status = fileStatus(target), status.st_mode & S_IFMT == S_IFREG, UInt64(status.st_size) == identity.size {
      return true
    }
    unlink(target)
    return false
  }

  /// Keeps a finished copy for later traces.
  func keep(_ copy: String, of identity: FileIdentity) {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let changed = max(identity.modified, identity.changed)
    guard identity.size >= Self.smallestSize,
      changed < Int64(now.tv_sec) &* 1_000_000_000 &- Self.restNanoseconds
    else { return }
    if link(copy, name(identity)) != 0, errno == ENOENT {
      mkdir(pool, 0o700)
      mkdir(directory, 0o700)
      link(copy, name(identity))
    }
  }

  /// Deletes what no trace of a store has any more.
  static func prune(store: String) {
    for boot in (try? directoryNames(path(store))) ?? [] {
      let directory = "\(path(store))/\(boot)"
      for name in (try? directoryNames(directory)) ?? [] {
        if let status = fileStatus("\(directory)/\(name)"), status.st_nlink == 1 { unlink("\(directory)/\(name)") }
      }
      rmdir(directory)
    }
    rmdir(path(store))
  }
}
