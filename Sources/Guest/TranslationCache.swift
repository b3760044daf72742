import BisRuntime
import Glibc
import Linux
import Tape
import Translate

/// Translations of file-backed code on disk, shared by all sessions of a user: `$XDG_CACHE_HOME/bis/code`.
///
/// One file for each piece of code at an address: a header, then a snapshot (Translate/Snapshot.swift). The file's name
/// is a hash of what tells such pieces apart; whether the translations fit is decided by comparing hashes of the code's pages.
/// What is read gets executed: directory and files must belong to the user and be writable for nobody else. Files
/// appear by rename and are never written to, so sessions may share them without locks.
struct TranslationCache {
  /// Beyond this many bytes the files that were not used for longest are removed.
  private static let limit = 512 << 20
  private static let magic: UInt64 = 0x3130_4843_5349_42  // "BISCH01"
  private static let headerSize = 64

  private let directory: String
  /// What translations depend on besides the guest: the runtime's addresses and the translator, that is, this program.
  private let key: UInt64

  /// The user's cache; nil when `BIS_NO_CACHE` is set or there is no place for one.
  static func standard() -> TranslationCache? {
    if getenv("BIS_NO_CACHE") != nil { return nil }
    let base: String
    if let xdg = environment("XDG_CACHE_HOME"), xdg.hasPrefix("/") {
      base = xdg
    } else if let home = environment("HOME"), home.hasPrefix("/") {
      base = home + "/.cache"
    } else {
      return nil
    }
    for path in [base, base + "/bis", base + "/bis/code"] { mkdir(path, 0o700) }
    let directory = base + "/bis/code"
    var status = stat()
    guard lstat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, isOurs(status),
      let program = try? FileStatus.of("/proc/self/exe")
    else { return nil }
    let runtime = UnsafeRawBufferPointer(start: bis_runtime_bytes(), count: bis_runtime_size())
    let build = [
      xxHash64(runtime), UInt64(program.size), UInt64(bitPattern: program.modified), program.inode,
      UInt64(program.device.major) << 32 | UInt64(program.device.minor),
    ]
    return TranslationCache(directory: directory, key: build.withUnsafeBytes { xxHash64($0) })
  }

  private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  private static func isOurs(_ s: stat) -> Bool { s.st_uid == geteuid() && s.st_mode & 0o022 == 0 }

  // MARK: Reading

  /// Fills a new domain with what earlier sessions translated of the same code, if anything.
  ///
  /// - Returns: what must be kept as long as the domain has this code.
  func load(_ domain: DomainID, _ view: CodeView, into translator: Translator) -> KeptMapping? {
    let file = path(view, translator.isPaired(domain))
    let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, Self.isOurs(status),
      status.st_size > Self.headerSize, status.st_size < Self.limit,
      let mapping = try? Mapping.map(
        fd: descriptor, offset: 0, length: Int(status.st_size), protection: [.read], shared: false)
    else { return nil }
    let bytes = UnsafeRawBufferPointer(mapping.bytes)
    let snapshot = UnsafeRawBufferPointer(rebasing: bytes[Self.headerSize...])
    guard bytes.load(as: UInt64.self) == Self.magic,
      bytes.load(fromByteOffset: 8, as: UInt64.self) == xxHash64(snapshot, seed: key)
    else { return nil }
    guard translator.load(domain, from: snapshot, key: key, view: view, hash: { xxHash64($0) }) else { return nil }
    // Removal goes by time of last use; an hour is exact enough.
    if time(nil) - status.st_mtim.tv_sec > 3600 { futimens(descriptor, nil) }
    return KeptMapping(mapping)
  }

  private func path(_ view: CodeView, _ isPaired: Bool) -> String {
    var words = [key, view.base, UInt64(view.bytes.count), isPaired ? 1 : 0]
    let pieces = 64
    let count = view.bytes.count
    if count <= 256 << 10 {
      words.append(xxHash64(view.bytes))
    } else {
      for i in 0..<pieces {
        let at = (count - 4096) / (pieces - 1) * i
        words.append(xxHash64(UnsafeRawBufferPointer(rebasing: view.bytes[at..<at + 1024])))
      }
    }
    let name = String(words.withUnsafeBytes { xxHash64($0) }, radix: 16)
    return "\(directory)/\(name)"
  }

  // MARK: Writing

  /// Writes a domain that has grown notably since it was loaded. True if there is a new file.
  func save(_ domain: DomainID, _ view: CodeView, from translator: Translator) -> Bool {
    let growth = translator.growth(domain)
    let fresh = growth.units - growth.loaded
    guard fresh > 200 || fresh > 0 && fresh * 20 > growth.units,
      let snapshot = translator.snapshot(domain, key: key, view: view, hash: { xxHash64($0) })
    else { return false }
    var header = [UInt8](repeating: 0, count: Self.headerSize)
    header.withUnsafeMutableBytes {
      $0.storeBytes(of: Self.magic, as: UInt64.self)
      $0.storeBytes(of: snapshot.withUnsafeBytes { xxHash64($0, seed: key) }, toByteOffset: 8, as: UInt64.self)
    }
    let target = path(view, translator.isPaired(domain))
    let temporary = "\(target).\(getpid())"
    unlink(temporary)
    do throws(Errno) {
      let file = try Descriptor.open(temporary, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
      try file.writeFully(header)
      try file.writeFully(snapshot)
    } catch {
      unlink(temporary)
      return false
    }
    guard rename(temporary, target) == 0 else {
      unlink(temporary)
      return false
    }
    return true
  }

  /// Removes files that were not used for longest until the rest fits, and remains of sessions that died.
  func trim() {
    guard let stream = opendir(directory) else { return }
    defer { closedir(stream) }
    var files: [(name: String, size: Int, time: Int)] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      var status = stat()
      guard fstatat(dirfd(stream), name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG else {
        continue
      }
      if name.contains("."), time(nil) - status.st_mtim.tv_sec > 600 {
        unlinkat(dirfd(stream), name, 0)
      } else {
        files.append((name, Int(status.st_size), status.st_mtim.tv_sec))
      }
    }
    var total = files.reduce(0) { $0 + $1.size }
    guard total > Self.limit else { return }
    for file in files.sorted(by: { $0.time < $1.time }) where total > Self.limit / 4 * 3 {
      if unlinkat(dirfd(stream), file.name, 0) == 0 { total -= file.size }
    }
  }
}
