import CABI
import Linux
import Translate

/// A file of the trace, mapped by the supervisor to translate from.
public final class CodeImage {
  let mapping: Mapping
  init(path: String) throws(Errno) {
    let file = try Descriptor.open(path, flags: 0o2000000)
    let size = Int(try file.stat().size)
    mapping = try Mapping.map(fd: file.raw, offset: 0, length: max(size, 1), protection: [.read], shared: true, at: nil)
  }
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: mapping.base, count: mapping.count) }
}

/// Executable guest memory of one process.
public struct CodeRange {
  public var low: UInt64
  public var high: UInt64
  public var domain: DomainID
  /// File-backed and never writable: translations are shared by all processes that map the same bytes there.
  public var image: CodeImage?
  /// Guest address of the image's first byte (image ranges).
  public var imageBase: UInt64

  /// The bytes to translate from, as far as the file has any; nil if it has none (or there is no file).
  var view: CodeView? {
    guard let image else { return nil }
    let offset = low &- imageBase
    guard offset < UInt64(image.bytes.count) else { return nil }
    let count = min(Int(high - low), image.bytes.count - Int(offset))
    return CodeView(base: low, bytes: UnsafeRawBufferPointer(rebasing: image.bytes[Int(offset)..<Int(offset) + count]))
  }
}

/// Domains of file-backed code, shared by all processes of a session.
public final class CodeSpace {
  private struct Key: Hashable {
    let file: Int
    let base: UInt64
    let low: UInt64
    let high: UInt64
  }
  private var domains: [Key: DomainID] = [:]
  private var keys: [DomainID: Key] = [:]
  /// Domains of the same code that differ in what they watch, by each of them.
  private var variants: [DomainID: Variants] = [:]
  private var images: [Int: CodeImage] = [:]
  private let cache = TranslationCache.standard()
  let translator: Translator
  init(translator: Translator) { self.translator = translator }

  /// The range for `[low, high)` mapped from byte `offset` of file number `file`, whose copy is at `path`.
  public func fileRange(
    low: UInt64, high: UInt64, file: Int, offset: UInt64, path: () -> String
  ) throws(GuestError) -> CodeRange {
    let image: CodeImage
    if let known = images[file] {
      image = known
    } else {
      image = try kernel("map a code file") { () throws(Errno) in try CodeImage(path: path()) }
      images[file] = image
    }
    let key = Key(file: file, base: low &- offset, low: low, high: high)
    if let domain = domains[key] {
      return CodeRange(low: low, high: high, domain: domain, image: image, imageBase: low &- offset)
    }
    let domain = try make(low, high, movable: cache != nil)
    domains[key] = domain
    keys[domain] = key
    let range = CodeRange(low: low, high: high, domain: domain, image: image, imageBase: low &- offset)
    if let cache, let view = range.view { cache.load(domain, view, into: translator) }
    return range
  }

  /// Whether all processes that map the same bytes there share the domain.
  func isShared(_ domain: DomainID) -> Bool { keys[domain] != nil }

  /// A part of a file range whose translations know nothing of the rest.
  func part(of r: CodeRange, low: UInt64, high: UInt64) throws(GuestError) -> CodeRange {
    guard let file = keys[r.domain]?.file else {
      throw .unsupported("code of an unknown file")
    }
    return try fileRange(low: low, high: high, file: file, offset: low &- r.imageBase) { "" }
  }

  /// Keeps the translations of file-backed code for later sessions. Called once, when the session ends; what goes wrong
  /// leaves the cache as it was.
  public func saveCache() {
    guard let cache else { return }
    var saved = false
    for (key, domain) in domains {
      guard let image = images[key.file] else { continue }
      let range = CodeRange(low: key.low, high: key.high, domain: domain, image: image, imageBase: key.base)
      if let view = range.view, cache.save(domain, view, from: translator) { saved = true }
    }
    if saved { cache.trim() }
  }

  /// A range of memory that only this process has (anonymous, or written to).
  public func privateRange(
    low: UInt64, high: UInt64, watching: Watching = .nothing
  ) throws(GuestError) -> CodeRange {
    let domain = try make(low, high, watching: watching)
    return CodeRange(low: low, high: high, domain: domain, image: nil, imageBase: 0)
  }

  private func make(
    _ low: UInt64, _ high: UInt64, movable: Bool = false, watching: Watching = .nothing
  ) throws(GuestError) -> DomainID {
    do throws(TranslateError) {
      return try translator.makeDomain(low: low, high: high, movable: movable, watching: watching)
    } catch { throw .translate(error) }
  }

  // MARK: Watching

  private final class Variants {
    var list: [Watching: DomainID] = [:]
  }

  /// The domain of the same code that watches this.
  func variant(of domain: DomainID, _ watching: Watching) throws(GuestError) -> DomainID {
    let bounds = translator.bounds(domain)
    if bounds.watching == watching { return domain }
    let all = variants[domain] ?? Variants()
    if let known = all.list[watching] { return known }
    let made = try make(bounds.low, bounds.high, watching: watching)
    all.list[bounds.watching] = domain
    all.list[watching] = made
    variants[domain] = all
    variants[made] = all
    keys[made] = keys[domain]
    return made
  }

  /// A domain, and those of the same code that watch something else.
  func allVariants(of domain: DomainID) -> [DomainID] {
    variants[domain].map { Array($0.list.values) } ?? [domain]
  }

  /// Gives up a domain of memory that no process has any more.
  func drop(_ domain: DomainID) {
    for d in allVariants(of: domain) {
      translator.dropDomain(d)
      variants[d] = nil
    }
  }
}

/// Names what was tried when the kernel refuses it.
public func kernel<T>(_ what: String, _ body: () throws(Errno) -> T) throws(GuestError) -> T {
  do throws(Errno) { return try body() } catch {
    if error == .gone { throw .gone }
    throw .kernel(what, error)
  }
}

/// What goes wrong below record and replay.
public enum GuestError: Error, CustomStringConvertible {
  case kernel(String, Errno)
  case translate(TranslateError)
  case gone
  case unsupported(String)
  case boot(Int64)
  case runtime(line: UInt64)
  /// A replay stops: message, hint, divergence.
  case replay(String, String, String?)

  public var description: String {
    switch self {
    case .kernel(let what, let error): "cannot \(what): \(error)"
    case .translate(let error): "translator: \(error)"
    case .gone: "the process is gone"
    case .unsupported(let what): what
    case .boot(let code): "cannot map the region into the process (error \(code))"
    case .replay(let message, _, _): message
    case .runtime(let line): "internal error in the runtime (line \(line))"
    }
  }
}
