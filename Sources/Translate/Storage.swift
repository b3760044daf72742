// Plain growable storage without reference counting, and the records kept in it.

/// A growable array of trivial values at stable indices. Freed by its owner.
struct Pool<Element: BitwiseCopyable> {
  private(set) var base: UnsafeMutablePointer<Element>
  private(set) var count = 0
  private var capacity: Int

  init(capacity: Int) {
    self.capacity = capacity
    base = .allocate(capacity: capacity)
  }

  subscript(i: Int) -> Element {
    @inline(__always) get { base[i] }
    @inline(__always) nonmutating _modify { yield &base[i] }
  }

  @inline(__always)
  mutating func append(_ e: Element) {
    if count == capacity { grow(to: capacity * 2) }
    base[count] = e
    count += 1
  }

  mutating func append(from other: UnsafePointer<Element>, count more: Int) {
    reserve(more)
    (base + count).update(from: other, count: more)
    count += more
  }

  /// Makes room for `more` elements at once.
  mutating func reserve(_ more: Int) {
    if count + more > capacity { grow(to: max(capacity * 2, count + more)) }
  }

  mutating func removeAll() { count = 0 }

  mutating func removeLast() -> Element {
    count -= 1
    return base[count]
  }

  @inline(never)
  private mutating func grow(to larger: Int) {
    capacity = larger
    let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
    larger.update(from: base, count: count)
    base.deallocate()
    base = larger
  }

  func free() { base.deallocate() }
}

/// A guest address that control can be transferred to. Offsets are into the code cache; 0: not made.
struct Head: BitwiseCopyable {
  var guest: UInt64
  var domain: UInt32
  var body: UInt32 = 0
  var indirect: UInt32 = 0
  var tick: UInt32 = 0
  /// Lists of exits that wait for the body or for the tick entry: exit numbers, 0 ends.
  var pendingBody: UInt32 = 0
  var pendingTick: UInt32 = 0
  /// How paired calls come here (Pairs.swift), without and with a tick. Those of loaded heads are not known.
  var thunk: UInt32 = 0
  var tickThunk: UInt32 = 0
  /// A tick entry for those that come from behind this comparison (Compare.swift); 0: none. Not known of loaded heads.
  var compareTick: UInt32 = 0
  var compare = Compare.none
  /// It is the return point of a translated call.
  var isReturn = false
  /// Its last translation, forgotten since, had these entries.
  var hadIndirect = false
  var hadTick = false
}

/// A direct transfer whose target had no translation when it was emitted.
struct Exit: BitwiseCopyable {
  var head: UInt32
  /// Offset in the code cache of the rel32 to patch.
  var patch: UInt32
  var next: UInt32
  var kind: EntryKind
  /// Where in its stub its number is.
  var number: UInt32 = 0
  /// The comparison in front of a transfer that ticks. (Not of loaded ones.)
  var compare = Compare.none
}

/// A piece of the code cache that belongs to one area: hot code from 64 bytes after `start`, cold from `coldStart`.
/// Chunks do not overlap; they begin and end at pages.
struct Chunk {
  let start: UInt32
  let coldStart: UInt32
  let end: UInt32
  /// Where its code ends; stale while the emitters are in it.
  var hotEnd: UInt32
  var coldEnd: UInt32
  /// In order of address. Those of a loaded chunk are read from its snapshot.
  var units: Pool<Unit>
  var pieces: Pool<ColdPiece>
  /// Instruction maps of its units; stale while the emitters are in it.
  var maps: Pool<UInt8>
  var saved: SavedPart?

  var hotStart: UInt32 { start + 64 }
}

/// What a loaded chunk leaves in its snapshot. Offsets there count from the chunk's start, heads from `firstHead`, maps
/// from `maps`.
struct SavedPart {
  let units: UnsafeBufferPointer<Unit>
  let pieces: UnsafeBufferPointer<ColdPiece>
  let maps: UnsafePointer<UInt8>
  /// Fields as in `Area.notes`, but from the chunk's start.
  let outside: UnsafeBufferPointer<UInt32>
  let across: UnsafeBufferPointer<UInt32>
  var firstHead: UInt32 = 0
}

/// The code of one domain, or of several whose code is given back together (those of one process, say).
struct Area {
  var chunks: [Int] = []
  /// Its domains, with those that were dropped since it was empty last.
  var domains: [Int] = []
  /// Heads and exits of its domains; heads of loaded ones are `headRuns`.
  var heads: Pool<UInt32>
  var headRuns: [(start: Int, count: Int)] = []
  var exits: Pool<UInt32>
  /// Places of tables that its domains had before they grew, in bytes: some process may look there still.
  var formerTables: [(start: Int, count: Int)] = []
  /// The chunk that new code goes to; -1: none yet.
  var open = -1
  /// RIP-relative fields, as in `Emitter.note`; those of loaded chunks are in their `saved`. There, fields from hot to
  /// hot and from cold to cold code of the chunk are missing: its hot code keeps together, and so does its cold code.
  var notes: Pool<UInt32>
  /// It can be saved: all that depends on its place is in `notes`.
  var isMovable: Bool
  /// Units that were loaded, and all units.
  var loadedUnits = 0
  var unitCount = 0
  /// Units that nobody enters any more: forgotten ones, and those of dropped domains.
  var deadUnits = 0

  init(isMovable: Bool) {
    heads = Pool(capacity: 64)
    exits = Pool(capacity: 64)
    notes = Pool(capacity: isMovable ? 1024 : 1)
    self.isMovable = isMovable
  }

  func free() {
    heads.free()
    exits.free()
    notes.free()
  }
}

/// One contiguous piece of hot code: entries of one head, then its body.
struct Unit: BitwiseCopyable {
  var start: UInt32
  var body: UInt32
  var end: UInt32
  var head: UInt32
  /// Where its instruction map begins in the maps of its chunk, and how many bytes it has.
  var map: UInt64
  var mapCount: UInt32
}

/// Cold code that belongs to a head: from `start` to the next piece.
struct ColdPiece: BitwiseCopyable {
  var start: UInt32
  var head: UInt32
}

struct Domain {
  let low: UInt64
  let high: UInt64
  let area: Int
  var watching = Watching.nothing
  /// Calls within it are paired with their returns (Pairs.swift).
  var isPaired = false
  var alive = true
  /// Offset of the shared table in the domains area.
  var table: Int
  var mask: Int
  var count = 0
  /// Private: over all heads, known to the runtime or not.
  var slots = HeadSlots()

  @inline(__always) func contains(_ guest: UInt64) -> Bool { guest >= low && guest < high }
}
