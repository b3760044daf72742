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

/// A mapping that lives as long as somebody keeps it.
final class KeptMapping {
  let mapping: Mapping
  init(_ mapping: consuming Mapping) { self.mapping = mapping }
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
  /// What was loaded from the cache; the translator reads it while the domain has code.
  private var loaded: [DomainID: KeptMapping] = [:]
  /// Units of what the cache has of some code, if it was in use here: less is not worth keeping.
  private var known: [Key: Int] = [:]
  /// When a domain was wanted last.
  private var uses: [DomainID: Int] = [:]
  private var useCount = 0
  private var members: [ObjectIdentifier: Member] = [:]
  private struct Member { unowned let process: GuestProcess }
  /// Who can stop the processes; nil: they are all stopped.
  public weak var users: (any CodeUsers)?
  /// Translations are being given up.
  var isFlushing = false
  private var unitsAtFlush = 0
  let translator: Translator
  /// What the translator writes to, for as long as a process of the session is known.
  private let region: Region
  init(_ region: Region) {
    self.region = region
    translator = region.translator
  }

  /// What translated code executes between one instruction and the next although it stands behind the runtime.
  func isReturning(_ rip: UInt64) -> Bool { region.pairedReturn.range.contains(rip) }

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
    useCount += 1
    if let domain = domains[key] {
      uses[domain] = useCount
      return CodeRange(low: low, high: high, domain: domain, image: image, imageBase: low &- offset)
    }
    let domain = try make(low, high, movable: cache != nil)
    domains[key] = domain
    keys[domain] = key
    uses[domain] = useCount
    let range = CodeRange(low: low, high: high, domain: domain, image: image, imageBase: low &- offset)
    if let cache, let view = range.view, let mapping = cache.load(domain, view, into: translator) {
      loaded[domain] = mapping
      known[key] = translator.growth(domain).units
    }
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
    var saved = false
    for (key, domain) in domains where save(key, domain) { saved = true }
    if saved { cache?.trim() }
  }

  private func save(_ key: Key, _ domain: DomainID) -> Bool {
    guard let cache, let image = images[key.file] else { return false }
    let units = translator.growth(domain).units
    guard units > known[key, default: 0] else { return false }
    let range = CodeRange(low: key.low, high: key.high, domain: domain, image: image, imageBase: key.base)
    guard let view = range.view, cache.save(domain, view, from: translator) else { return false }
    known[key] = units
    return true
  }

  /// A range of memory that only one process has (anonymous, or written to), whose code goes to `area`.
  func privateRange(
    low: UInt64, high: UInt64, in area: AreaID, watching: Watching
  ) throws(GuestError) -> CodeRange {
    let domain = try make(low, high, in: area, watching: watching)
    return CodeRange(low: low, high: high, domain: domain, image: nil, imageBase: 0)
  }

  private func make(
    _ low: UInt64, _ high: UInt64, movable: Bool = false, in area: AreaID? = nil, watching: Watching = .nothing
  ) throws(GuestError) -> DomainID {
    let place = movable ? nil : area ?? translator.makeArea()
    let made: DomainID
    do throws(TranslateError) {
      made = try translator.makeDomain(low: low, high: high, movable: movable, area: place, watching: watching)
    } catch { throw .translate(error) }
    if translator.isPaired(made) {
      try kernel("make room for landings") { () throws(Errno) in try region.prepareLandings() }
    }
    return made
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
    let area = isShared(domain) ? nil : translator.area(of: domain)
    let made = try make(bounds.low, bounds.high, in: area, watching: watching)
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

  // MARK: Giving back (Flush.swift)

  func add(_ p: GuestProcess) { members[ObjectIdentifier(p)] = Member(process: p) }
  func remove(_ p: GuestProcess) { members[ObjectIdentifier(p)] = nil }
  var processes: [GuestProcess] { members.values.map(\.process) }

  /// Most of a process's own code is dead, and there is much of it.
  func isWasteful(_ area: AreaID) -> Bool {
    let usage = translator.usage(area)
    return usage.deadUnits * 2 > usage.units && usage.byteCount >= translator.worthEmptying
  }

  /// Something was translated since everything was given up last.
  var mayFlush: Bool { translator.statistics.units - unitsAtFlush >= 256 }

  /// Gives up code of files that no process has any more, longest unused first, until there is plenty of room.
  func dropUnused() {
    var used = Set<DomainID>()
    for p in processes {
      for r in p.ranges where r.image != nil { used.formUnion(allVariants(of: r.domain)) }
    }
    let unused = domains.filter { !used.contains($0.value) }.sorted {
      uses[$0.value, default: 0] < uses[$1.value, default: 0]
    }
    for (key, domain) in unused where !translator.hasPlenty {
      _ = save(key, domain)
      for d in allVariants(of: domain) {
        translator.dropArea(translator.area(of: d))
        variants[d] = nil
        keys[d] = nil
      }
      domains[key] = nil
      loaded[domain] = nil
      uses[domain] = nil
    }
    let files = Set(domains.keys.map(\.file))
    images = images.filter { files.contains($0.key) }
  }

  /// All translations go. Those of files are saved.
  func forgetAll() {
    for (key, domain) in domains { _ = save(key, domain) }
    translator.empty(nil)
    loaded = [:]
    unitsAtFlush = translator.statistics.units
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
