// The contract of Translate: guest code in, translated code in the code cache out.
//
// Translate knows no ptrace, no tape and no files. It gets two writable mappings (code cache, domain tables), guest
// code bytes, and the addresses of the runtime's entries. See /work/shared/DESIGN.md section 4 and CABI/bis_abi.h.

import X86

/// Addresses, as the program sees them, at which translated code enters the runtime. All within +-2 GiB of the cache.
///
/// On each entry every guest register but rcx is live, flags are the guest's, guest rcx is in
/// `spill[RCX]`, and rsp is the guest's rsp.
public struct RuntimeEntries: Sendable {
  /// SYSCALL. rcx = address of `bis_descriptor`; translated code goes on right after it.
  public var syscall: UInt64
  /// A special instruction (`enum bis_special`). rcx = address of `bis_descriptor`, as for `syscall`.
  public var special: UInt64
  /// Direct exit to code without translation. ecx = exit number: see `Translator.exitTarget(_:)`.
  public var exitDirect: UInt64
  /// Indirect transfer; `spill[TARGET]` holds the guest target. No tick has been counted for it yet.
  public var indirectMiss: UInt64
  /// A tick word reached zero. rcx = body address of the head (tick counted): see `guestAddress(ofBody:)`.
  public var expired: UInt64
  /// `PairedReturn.entry`.
  public var pairedReturn: UInt64
  /// Bytes of code from which on a movable domain's calls are paired with their returns. Needs BMI2 and BIS_LANDINGS.
  public var pairedFrom = UInt64.max
  /// Code may use RDFSBASE; else the FS base is the one in the control block.
  public var readsFSBase = false

  public init(
    syscall: UInt64, special: UInt64, exitDirect: UInt64, indirectMiss: UInt64, expired: UInt64,
    pairedReturn: UInt64
  ) {
    self.syscall = syscall
    self.special = special
    self.exitDirect = exitDirect
    self.indirectMiss = indirectMiss
    self.expired = expired
    self.pairedReturn = pairedReturn
  }
}

/// Guest code bytes that may be decoded: `[base, base + bytes.count)`.
public struct CodeView {
  public let base: UInt64
  public let bytes: UnsafeRawBufferPointer
  public init(base: UInt64, bytes: UnsafeRawBufferPointer) {
    self.base = base
    self.bytes = bytes
  }

  /// 4 KiB, or what is left at the end; nil behind it.
  func page(_ number: UInt32) -> UnsafeRawBufferPointer? {
    let at = Int(number) * 4096
    guard at < bytes.count else { return nil }
    return UnsafeRawBufferPointer(rebasing: bytes[at..<min(at + 4096, bytes.count)])
  }
}

/// 64 bits that differ where pages of the guest's code do.
public typealias PageHash = (UnsafeRawBufferPointer) -> UInt64

/// A range of guest addresses whose translations are valid together.
public struct DomainID: Hashable, Sendable {
  public let number: UInt32
  init(_ number: UInt32) { self.number = number }
}

/// How control reaches a head.
public enum EntryKind: UInt8, Sendable, BitwiseCopyable {
  /// Forward direct transfer or fall-through: no tick, no check.
  case body
  /// Indirect transfer: checks `spill[TARGET]`, ticks, restores rcx.
  case indirect
  /// Backward direct transfer: ticks.
  case tick
}

public enum TranslateError: Error, Equatable, Sendable {
  /// The code cache is full: empty areas (`Translator.empty`) and try again.
  case cacheFull
  /// The area of domain tables is full.
  case domainsFull
  /// There are no code bytes for the first instruction at this guest address.
  case unreadable(UInt64)
  /// The address is not inside the domain (or the domain was dropped).
  case outsideDomain(UInt64)
}

/// Guest register `register` has its value in spill slot `spill`.
public struct Restore: Equatable, Sendable {
  public let register: Int
  public let spill: Int
}

/// What a translated address means.
public struct Location: Sendable {
  public enum Kind: Sendable, Equatable {
    /// State is that before the guest instruction at `guest`, after applying `restores` and `rspAdjust`.
    case instruction
    /// Inside the indirect entry of head `guest`, before its tick: rcx is in spill[RCX], the target in spill[TARGET].
    case indirectEntry
    /// Between instructions in the middle of a template or a tick: single-step until something else is reported.
    case stepOn
  }
  public let domain: DomainID
  public let guest: UInt64
  public let restores: [Restore]
  public let kind: Kind
  /// Bytes to add to rsp to undo a partial push or pop.
  public let rspAdjust: Int
}

/// Counters for people; nothing depends on them.
public struct TranslateStatistics: Sendable {
  public var units = 0
  public var instructions = 0
  public var guestBytes = 0
  public var hotBytes = 0
  public var coldBytes = 0
  public var exits = 0
  public var links = 0
  public var outOfLineEntries = 0
  public var unsupported = 0
  /// Heads whose translation was forgotten because their code was written to.
  public var forgotten = 0
  /// Bytes of the cache that were given back.
  public var freedBytes = 0
  /// How often all translations were given up.
  public var flushes = 0
}

/// An instruction that is translated to a #UD special because bis cannot run it.
public struct Unsupported: Sendable {
  public let guest: UInt64
  public let bytes: [UInt8]
}

/// Translates guest code on demand. One owner thread; not Sendable.
public final class Translator {
  private var core: Core

  /// `code` and `domains` are this process's writable mappings of BIS_CODE and BIS_DOMAINS (both zero-filled),
  /// from their beginnings; sizes may be smaller than the program-side ranges.
  ///
  /// - Parameters:
  ///   - willUse: told, before they are touched, how many bytes of code and of domains have been in use from now on.
  ///   - memory: takes memory back that is in use no more.
  public init(
    code: UnsafeMutableRawPointer, codeSize: Int, domains: UnsafeMutableRawPointer, domainsSize: Int,
    entries: RuntimeEntries, willUse: @escaping (_ code: Int, _ domains: Int) -> Void = { _, _ in },
    memory: CacheMemory? = nil
  ) {
    core = Core(
      code: code, codeSize: codeSize, domains: domains, domainsSize: domainsSize, entries: entries, willUse: willUse,
      memory: memory)
  }

  deinit { core.free() }

  /// A new domain for guest addresses [low, high), with an empty hash table. A movable one has an area of its own and can
  /// be saved and loaded as a snapshot.
  ///
  /// - Parameters:
  ///   - area: where its code goes, if it is not movable; nil: to where that of all such domains goes.
  ///   - watching: which accesses to memory its code asks the runtime about (Watch.swift).
  public func makeDomain(
    low: UInt64, high: UInt64, movable: Bool = false, area: AreaID? = nil, watching: Watching = .nothing
  ) throws(TranslateError) -> DomainID {
    let place = movable ? makeArea(movable: true) : area ?? AreaID(0)
    do throws(TranslateError) {
      return try core.makeDomain(low: low, high: high, area: place.number, watching: watching)
    } catch {
      if movable { dropArea(place) }
      throw error
    }
  }

  /// Whether calls within the domain are paired with their returns: processes need BIS_LANDINGS before they run its code.
  public func isPaired(_ domain: DomainID) -> Bool { core.domains[Int(domain.number)].isPaired }

  // MARK: Areas (Flush.swift)

  /// A new area: code that is given back together. It takes 64 KiB or more as soon as there is some.
  public func makeArea(movable: Bool = false) -> AreaID { AreaID(core.makeArea(movable: movable)) }

  public func area(of domain: DomainID) -> AreaID { core.area(of: domain) }

  /// Forgets all translations of an area, or of all areas (nil); their memory is used again. Its domains stay, with empty
  /// tables at other places perhaps: ask `tableInfo` again.
  ///
  /// Nobody may stand in that code, go on there, or have any of its addresses in a table.
  public func empty(_ area: AreaID?) {
    if let area { core.emptyArea(area.number) } else { core.emptyAll() }
  }

  /// The same, and the area and its domains are no more.
  public func dropArea(_ area: AreaID) { core.dropArea(area.number) }

  public func usage(_ area: AreaID) -> AreaUsage { core.usage(area.number) }

  /// Cache or tables are nearly full: time to drop and to empty areas.
  public var isShort: Bool { core.isShort }
  /// So much is free that nothing more need be dropped.
  public var hasPlenty: Bool { core.hasPlenty }
  /// Bytes of an area from which on it is worth to be emptied, if most of it is dead.
  public var worthEmptying: Int { core.shortage }

  /// Which entry of a head is at `host`: where a process is about to go on.
  public func entry(at host: UInt64) -> (domain: DomainID, guest: UInt64, kind: EntryKind)? { core.entry(at: host) }

  /// What `makeDomain` was told.
  public func bounds(_ domain: DomainID) -> (low: UInt64, high: UInt64, watching: Watching) { core.bounds(domain) }

  /// Everything a translator needs to go on with a movable domain, as bytes for `load`; nil when it cannot be moved.
  ///
  /// - Parameters:
  ///   - key: what the translations depend on outside of this module; loading asks for the same.
  ///   - hash: tells the guest's pages apart; the same for loading.
  public func snapshot(_ domain: DomainID, key: UInt64, view: CodeView, hash: PageHash) -> [UInt8]? {
    core.snapshot(domain, key: key, view: view, hash: hash)
  }

  /// Fills a new, empty, movable domain from a snapshot. False, and nothing done, if it was made with another key, for
  /// other addresses, from other guest bytes or for other runtime entries, or if there is no room.
  ///
  /// The bytes are executed: they must be known to be what `snapshot` gave. They must stay where they are, aligned to 8
  /// bytes, for as long as the translator lives.
  public func load(
    _ domain: DomainID, from snapshot: UnsafeRawBufferPointer, key: UInt64, view: CodeView, hash: PageHash
  ) -> Bool {
    core.load(domain, from: snapshot, key: key, view: view, hash: hash)
  }

  /// Units of a movable domain that came with a snapshot, and all its units.
  public func growth(_ domain: DomainID) -> (loaded: Int, units: Int) { core.growth(domain) }

  /// Program-side address and mask of the domain's `bis_translation` table, for `bis_range`.
  /// Changes when the table grows: ask again after each `translate`.
  public func tableInfo(_ domain: DomainID) -> (table: UInt64, mask: UInt64) { core.tableInfo(domain) }

  /// Counts table replacements of all domains: cheap to compare before asking `tableInfo` again.
  public var tableGeneration: Int { core.tableGeneration }

  /// The program-side address of an entry of the head at `guest`, translated now if need be.
  ///
  /// Publishes into the domain's table and patches all exits that waited for this head. Up to `lookahead` more heads
  /// that the code leads to are translated as well. An `.indirect` entry expects `spill[RCX]` and `spill[TARGET]`;
  /// `.tick` and `.body` entries expect all guest registers live.
  public func translate(
    _ domain: DomainID, at guest: UInt64, kind: EntryKind, view: CodeView, lookahead: Int = 12
  ) throws(TranslateError) -> UInt64 {
    try core.translate(domain, at: guest, kind: kind, view: view, lookahead: lookahead)
  }

  /// The entry of an already translated head, or nil. Never translates.
  public func lookup(_ domain: DomainID, at guest: UInt64, kind: EntryKind) -> UInt64? {
    core.lookup(domain, at: guest, kind: kind)
  }

  /// What the exit number in ecx at `exitDirect` stands for.
  public func exitTarget(_ number: UInt32) -> (domain: DomainID, guest: UInt64, kind: EntryKind) {
    core.exitTarget(number)
  }

  /// The guest state behind a program-side address inside the code cache; nil if nothing is there.
  public func locate(host: UInt64) -> Location? { core.locate(host: host) }

  /// Where the guest goes on at `host` (the rcx of `expired`): the head whose body starts there, or a return point.
  public func guestAddress(ofBody host: UInt64) -> UInt64? { core.guestAddress(ofBody: host) }

  /// The domain of that.
  public func domain(ofBody host: UInt64) -> DomainID? { core.domain(ofBody: host) }

  /// Forgets what was translated from the pages `[low, high)` of a domain that is not movable; who goes there comes to
  /// `exitDirect`. No thread may run translated code of the domain meanwhile, nor stand in the middle of it but after a
  /// `syscall` or `special` entry.
  public func forget(_ domain: DomainID, low: UInt64, high: UInt64) throws(TranslateError) {
    try core.forget(domain, low: low, high: high)
  }

  /// Does a domain that is in use hold all of `[low, high)`?
  public func covers(_ domain: DomainID, low: UInt64, high: UInt64) -> Bool {
    core.covers(domain, low: low, high: high)
  }

  /// Was the translation at `guest` (of a domain that is not movable) made from bytes of the page?
  public func reaches(_ domain: DomainID, at guest: UInt64, page: UInt64) -> Bool {
    core.reaches(domain, at: guest, page: page)
  }

  /// Forgets a domain that no process has any more. Its code stays where it is (`locate` still works) until its area is
  /// emptied.
  public func dropDomain(_ domain: DomainID) { core.dropDomain(domain) }

  // MARK: Breakpoints (Breakpoints.swift)

  /// From here on translated code asks the runtime (`BIS_SPECIAL_BREAKPOINT`) before the instruction at `guest`.
  /// All processes of the translator must be stopped.
  public func insertBreakpoint(_ domain: DomainID, at guest: UInt64, view: CodeView) throws(TranslateError) {
    try core.insertBreakpoint(domain, at: guest, view: view)
  }
  /// The same for all code that is translated from here on.
  public func announceBreakpoint(at guest: UInt64) { core.announceBreakpoint(at: guest) }
  /// It costs nothing any more. Inserting it again is cheap.
  public func removeBreakpoint(at guest: UInt64) { core.removeBreakpoint(at: guest) }
  /// A trap (int3) at `host` stands for a breakpoint: where to go on instead.
  public func breakpointEntry(atTrap host: UInt64) -> UInt64? { core.breakpointEntry(atTrap: host) }
  /// Whether what stands at `host` was written over by the jump of a breakpoint before it: a process that stopped there
  /// must go on through the tables.
  public func isOverwritten(_ host: UInt64) -> Bool { core.isOverwritten(host) }
  /// What follows a way into the runtime, or a question about memory, that begins at `host`, before the instruction.
  public func pastPrefix(_ host: UInt64) -> UInt64? { core.pastPrefix(host) }
  /// Program-side address of the first byte behind the template that contains `host`, if it is hot code.
  public func templateEnd(_ host: UInt64) -> UInt64? { core.templateEnd(host) }

  public var statistics: TranslateStatistics { core.statistics }

  /// Instructions that were replaced by #UD because they cannot be translated, in order of discovery (at most 1,000).
  public var unsupported: [Unsupported] { core.unsupportedList }
}
