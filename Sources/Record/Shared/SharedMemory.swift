import CABI
import Guest
import Linux
import Tape

/// Memory that mappings of several processes (or several mappings of one) have in common: a file, a memory file, a System V
/// segment, or anonymous memory across fork.
///
/// Each of its pages is held by one mapping that may write it, or by several that may read it. Who does not hold a page
/// cannot touch it: it is PROT_NONE behind the program's back. A mapping that gets a page logs what is in it, if
/// that is not what it saw last (`EventKind.page`), so that each tape is complete by itself.
final class SharedObject {
  /// What /proc/PID/maps says it is.
  struct Key: Hashable {
    let device: Device
    let inode: UInt64
  }
  struct FileID: Hashable {
    let device: UInt64
    let inode: UInt64
    init(device: UInt64, inode: UInt64) { (self.device, self.inode) = (device, inode) }
    init(_ status: FileStatus) { self.init(device: status.device.raw, inode: status.inode) }
  }
  /// Who holds a page. Pages without an entry are with the mappings that hold what nobody has asked for.
  struct Page {
    var readers: [SharedView] = []
    var writer: SharedView?
    /// When it was given away last (time stamp counter).
    var since: UInt64 = 0
    var habit = Habit()
    /// Checksum of what was in it when it was given to somebody who had asked to read it only; 0: it was not.
    var given: UInt64 = 0
  }
  /// Whether those who read a page write it soon after. They get it for writing then, at one stop instead of two.
  struct Habit {
    /// More than 0: so it was.
    var score = 0
    mutating func note(_ isRight: Bool) { score = max(-8, min(8, score + (isRight ? 1 : -4))) }
  }
  let key: Key
  /// The file as stat(2) knows it; nil: memory without a descriptor.
  var file: FileID?
  var name = ""
  var views: [SharedView] = []
  var pages: [UInt64: Page] = [:]
  /// Of pages that nobody has asked for so far.
  var habit = Habit()
  /// Some mapping may write (or could).
  var isWritable = false
  /// Pages have been, or may be, taken away: arguments of calls must be looked at.
  var isContested = false
  /// Calls under way that change the file: nobody else gets the pages.
  var changes: [FileChange] = []

  init(_ key: Key) { self.key = key }

  func page(_ index: UInt64) -> Page {
    if let page = pages[index] { return page }
    var page = Page()
    for view in views where view.holdsUntouched && view.covers(index) {
      if view.protection & 2 != 0 { page.writer = view } else { page.readers.append(view) }
    }
    return page
  }

  func remove(_ view: SharedView) {
    for (index, var page) in pages {
      guard page.writer === view || page.readers.contains(where: { $0 === view }) else { continue }
      if page.writer === view { page.writer = nil }
      page.readers.removeAll { $0 === view }
      pages[index] = page
    }
    views.removeAll { $0 === view }
    if views.isEmpty {
      pages = [:]
      isContested = false
    }
  }
}

/// One mapping of a shared object in one process.
final class SharedView {
  /// Where a page was taken away: events that happen at a place of their own, and ticks if they were exact.
  struct Loss {
    let events: UInt64
    let ticks: UInt64?
  }
  unowned let process: RecordedProcess
  let object: SharedObject
  var low: UInt64
  var high: UInt64
  /// Index of the object's page at `low`.
  var firstPage: UInt64
  /// The program's own, PROT_*.
  var protection: UInt64
  /// It holds the pages that have no entry of their own.
  var holdsUntouched: Bool
  /// Checksum of what the tape has of a page that it never held; 0: not known.
  var base: UInt64
  /// The same, of pages that it held once.
  var seen: [UInt64: UInt64] = [:]
  var losses: [UInt64: Loss] = [:]
  /// The first page that the file had not when it was mapped: a replay has it neither (.max: a replay has all).
  var missingFrom: UInt64 = .max
  /// Whether a replay has a page, where that has changed.
  var presence: [UInt64: Bool] = [:]
  /// Page after those brought in last, and how many they were: neighbours come in growing runs.
  var nextPage: UInt64 = .max
  var run: UInt64 = 1

  init(
    process: RecordedProcess, object: SharedObject, low: UInt64, high: UInt64, firstPage: UInt64, protection: UInt64,
    holdsUntouched: Bool, base: UInt64
  ) {
    self.process = process
    self.object = object
    self.low = low
    self.high = high
    self.firstPage = firstPage
    self.protection = protection
    self.holdsUntouched = holdsUntouched
    self.base = base
  }

  var pageCount: UInt64 { (high - low) >> 12 }
  func isPresent(_ page: UInt64) -> Bool { presence[page] ?? (page < missingFrom) }
  func covers(_ page: UInt64) -> Bool { page >= firstPage && page - firstPage < pageCount }
  func page(at address: UInt64) -> UInt64 { firstPage + (address - low) >> 12 }
  func address(of page: UInt64) -> UInt64 { low + (page - firstPage) << 12 }

  /// What it may do with a page now, PROT_*.
  func rights(_ index: UInt64) -> UInt64 {
    let page = object.page(index)
    if page.writer === self { return protection }
    return page.readers.contains { $0 === self } ? protection & ~2 : 0
  }

  /// A mapping of part of this one, in the same or another process.
  func copy(for process: RecordedProcess, low: UInt64, high: UInt64) -> SharedView {
    let view = SharedView(
      process: process, object: object, low: low, high: high, firstPage: page(at: low), protection: protection,
      holdsUntouched: holdsUntouched, base: base)
    view.seen = seen
    view.losses = losses
    view.missingFrom = missingFrom
    view.presence = presence
    return view
  }
}

/// Pages of one mapping, and what it may do with them, PROT_*.
struct SharedRun {
  let view: SharedView
  var pages: Range<UInt64>
  let rights: UInt64
}

extension RecordedProcess {
  func view(at address: UInt64) -> SharedView? {
    views.first { address >= $0.low && address < $0.high }
  }

  /// Tells the runtime where shared mappings are.
  func publishViews() {
    let block = control.block
    let table = UnsafeMutableRawPointer(control.base + MemoryLayout<bis_control>.offset(of: \.traced)! + 4)
      .assumingMemoryBound(to: UInt64.self)
    var ranges: [(low: UInt64, high: UInt64)] = []
    for view in views.sorted(by: { $0.low < $1.low }) {
      if let last = ranges.last, last.high == view.low || ranges.count >= Int(BIS_MAX_SHARED) {
        ranges[ranges.count - 1].high = view.high  // (what lies between is asked about for nothing)
      } else {
        ranges.append((view.low, view.high))
      }
    }
    for (i, r) in ranges.enumerated() {
      table[2 * i] = r.low
      table[2 * i + 1] = r.high
    }
    block.pointee.shared_count = UInt32(ranges.count)
    block.pointee.shared_active = views.contains { $0.object.isContested } ? 1 : 0
  }

  /// Events so far that happen at a place of their own (a page may be changed earlier than it was asked for).
  var placedEvents: UInt64 { sink.eventCount - pageEvents }
}
