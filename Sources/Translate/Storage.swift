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
    if count == capacity { grow() }
    base[count] = e
    count += 1
  }

  mutating func removeAll() { count = 0 }

  mutating func removeLast() -> Element {
    count -= 1
    return base[count]
  }

  @inline(never)
  private mutating func grow() {
    let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity * 2)
    larger.update(from: base, count: count)
    base.deallocate()
    base = larger
    capacity *= 2
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
  /// It is the return point of a translated call.
  var isReturn = false
}

/// A direct transfer whose target had no translation when it was emitted.
struct Exit: BitwiseCopyable {
  var head: UInt32
  /// Offset in the code cache of the rel32 to patch.
  var patch: UInt32
  var next: UInt32
  var kind: EntryKind
}

/// One contiguous piece of hot code: entries of one head, then its body.
struct Unit: BitwiseCopyable {
  var start: UInt32
  var body: UInt32
  var end: UInt32
  var head: UInt32
  /// Where its instruction map begins in `Core.maps`, and how many entries it has.
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
  var alive = true
  /// Offset of the shared table in the domains area.
  var table: Int
  var mask: Int
  var count = 0
  /// Private hash table: head index + 1, 0 free. Open addressing like the shared one.
  var slots: UnsafeMutablePointer<UInt32>
  var slotMask: Int
  var slotCount = 0

  @inline(__always) func contains(_ guest: UInt64) -> Bool { guest >= low && guest < high }
}
