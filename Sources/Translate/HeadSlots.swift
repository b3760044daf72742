/// Which heads a domain has: a table by guest address, open addressing, at most half full.
///
/// What is not there is mostly seen without reading a head: an entry has the low half of the address besides the number. Code
/// that lies together has its entries together, as units ask about one instruction after the other.
struct HeadSlots {
  /// Low half of the guest address and head + 1; 0 is free.
  private var entries: UnsafeMutablePointer<UInt64>
  private var mask: Int
  private(set) var count = 0

  /// - Parameter size: a power of two.
  init(size: Int = 1024) {
    entries = .allocate(capacity: size)
    entries.initialize(repeating: 0, count: size)
    mask = size - 1
  }

  func free() { entries.deallocate() }

  /// Within a page the order of addresses; pages lie anywhere.
  @inline(__always)
  private func start(_ guest: UInt64) -> Int {
    Int(truncatingIfNeeded: guest &+ ((guest >> 12) &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
  }

  /// The head at `guest` among those of the domain.
  @inline(__always)
  func find(_ guest: UInt64, in heads: Pool<Head>) -> Int? {
    let wanted = UInt32(truncatingIfNeeded: guest)
    var slot = start(guest)
    while entries[slot] != 0 {
      let entry = entries[slot]
      if UInt32(truncatingIfNeeded: entry >> 32) == wanted {
        let h = Int(UInt32(truncatingIfNeeded: entry)) - 1
        if heads[h].guest == guest { return h }
      }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// A head that is not there yet.
  mutating func insert(_ h: Int, at guest: UInt64, in heads: Pool<Head>) {
    reserve(count + 1, in: heads)
    put(h, guest)
    count += 1
  }

  /// Room for so many heads.
  mutating func reserve(_ wanted: Int, in heads: Pool<Head>) {
    guard wanted * 2 > mask + 1 else { return }
    let old = entries
    let oldCount = mask + 1
    var size = oldCount
    while wanted * 2 > size { size *= 2 }
    entries = .allocate(capacity: size)
    entries.initialize(repeating: 0, count: size)
    mask = size - 1
    for i in 0..<oldCount where old[i] != 0 {
      let h = Int(UInt32(truncatingIfNeeded: old[i])) - 1
      put(h, heads[h].guest)
    }
    old.deallocate()
  }

  private func put(_ h: Int, _ guest: UInt64) {
    var slot = start(guest)
    while entries[slot] != 0 { slot = (slot + 1) & mask }
    entries[slot] = (guest << 32) | UInt64(h + 1)
  }

  /// None is there any more; `size` for those that come.
  mutating func removeAll(size: Int = 1024) {
    free()
    self = HeadSlots(size: size)
  }

  // MARK: All of them

  var indices: Range<Int> { 0..<mask + 1 }

  /// The head in a slot.
  @inline(__always)
  subscript(slot: Int) -> Int? { entries[slot] == 0 ? nil : Int(UInt32(truncatingIfNeeded: entries[slot])) - 1 }
}
