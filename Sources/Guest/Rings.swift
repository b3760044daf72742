import CABI
import Glibc
import Linux
import Synchronization

/// One process's window in the rings file: control block and event ring. Owned by its process object.
public final class Slot {
  public let index: Int
  public let control: Control
  private let mapping: Mapping
  /// Bytes from the start of the rings file.
  public var offset: UInt64 { UInt64(index) * UInt64(BIS_WINDOW_SIZE) }

  init(index: Int, mapping: consuming Mapping) {
    self.index = index
    control = Control(base: mapping.base)
    self.mapping = mapping
    clear()
  }

  /// Zeroes the control block but for its ranges, which count only as far as `range_count` says.
  func clear() {
    control.base.initializeMemory(as: UInt8.self, repeating: 0, count: Slot.stateSize)
  }

  /// Takes over another process's state but for its ranges (`GuestProcess.inherit` brings those).
  public func copyState(of other: Slot) {
    control.base.copyMemory(from: other.control.base, byteCount: Slot.stateSize)
    control.block.pointee.ask = bis_ask()
  }
  /// Takes over another process's window as it is: state, ranges and what is in the first segment (replay uses no other).
  public func copyAll(of other: Slot) {
    let threads = max(1, other.control.usedThreads)
    // (records that another process had in use before)
    let stale = control.usedThreads
    if stale > threads {
      UnsafeMutableRawPointer(control.threads + threads).initializeMemory(
        as: UInt8.self, repeating: 0, count: (stale - threads) * MemoryLayout<bis_thread>.stride)
    }
    let state = MemoryLayout<bis_control>.offset(of: \.threads)! + threads * MemoryLayout<bis_thread>.stride
    control.base.copyMemory(from: other.control.base, byteCount: min(state, Int(BIS_CONTROL_SIZE)))
    control.block.pointee.ask = bis_ask()
    let used = max(Int(BIS_SEGMENT_HEADER), Int(other.control.block.pointee.ring_end))
    control.segment(0).copyMemory(from: other.control.segment(0), byteCount: min(used, Int(BIS_SEGMENT_SIZE)))
  }
  private static let stateSize = MemoryLayout<bis_control>.offset(of: \.ranges)!
  /// Bytes of the control block that the file has room for; more when there are many threads.
  fileprivate var allocated = Int(BIS_CONTROL_FIRST)
  /// Whether the file has room for its second segment.
  fileprivate var hasSecondSegment = false
}

/// The rings file of a session: slot 0 holds what all processes share (the order stamp), the others one process
/// each. Its blocks are allocated before anybody writes, so that a full disk is an error and not a SIGBUS.
public final class Rings {
  private let file: Descriptor
  private let shared: Mapping
  /// Slots without a process, still mapped and allocated: taking one costs nothing.
  private var free: [Slot] = []
  private var used = 1

  /// - Parameter path: a file to make, or nil for memory (replay needs no recovery).
  public init(path: String?) throws(Errno) {
    let window = Int(BIS_WINDOW_SIZE)
    if let path {
      file = try Descriptor.open(path, flags: 0o2 | 0o100 | 0o2000000, mode: 0o600)
      try file.allocate(offset: 0, length: 4096)
    } else {
      file = try Descriptor.memory(name: "bis-rings", size: window)
    }
    shared = try Mapping.map(fd: file.raw, offset: 0, length: 4096, protection: [.read, .write], shared: true, at: nil)
    isFile = path != nil
    shared.base.storeBytes(of: 1, as: UInt64.self)
  }
  private let isFile: Bool

  public var descriptor: Int32 { file.raw }
  /// The next order stamp.
  public var stamp: UInt64 {
    get { shared.base.load(as: UInt64.self) }
    set { shared.base.storeBytes(of: newValue, as: UInt64.self) }
  }
  /// Tells all processes which files somebody has mapped (struct bis_shared).
  public func publish(files: [(device: UInt64, inode: UInt64)]) {
    let all = shared.base.assumingMemoryBound(to: bis_shared.self)
    let table = shared.base + MemoryLayout<bis_shared>.offset(of: \.file_changes)! + 4
    for (i, file) in files.prefix(Int(BIS_MAX_FILES)).enumerated() {
      table.storeBytes(of: file.device, toByteOffset: 16 * i, as: UInt64.self)
      table.storeBytes(of: file.inode, toByteOffset: 16 * i + 8, as: UInt64.self)
    }
    all.pointee.file_count = UInt32(files.count)
    all.pointee.file_changes &+= 1
  }
  /// From now on there may be more than one process: they take their order stamps with care. Before the second one begins.
  public func expectSeveralProcesses() {
    shared.base.assumingMemoryBound(to: bis_shared.self).pointee.several = 1
  }
  /// Takes an order stamp for an event that the supervisor writes. (Atomic against running processes.)
  public func takeStamp() -> UInt64 {
    shared.base.assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .wrappingAdd(1, ordering: .relaxed).oldValue
  }

  /// A zeroed slot (see `Slot.clear`).
  public func allocate() throws(Errno) -> Slot {
    if let slot = free.popLast() {
      slot.clear()
      return slot
    }
    let index = used
    let window = Int(BIS_WINDOW_SIZE)
    if isFile {
      let control = Int(BIS_CONTROL_SIZE)
      try file.allocate(offset: index * window, length: Int(BIS_CONTROL_FIRST))
      try file.allocate(offset: index * window + control, length: Int(BIS_RECORD_SEGMENT))
    }
    try file.truncate(to: (index + 1) * window)
    let mapping = try Mapping.map(
      fd: file.raw, offset: index * window, length: window, protection: [.read, .write], shared: true, at: nil)
    // The kernel would read ahead 32 pages around each one that is touched first: zeros.
    madvise(mapping.base, window, MADV_RANDOM)
    used += 1
    return Slot(index: index, mapping: mapping)
  }

  /// Makes room in the file for a slot's second segment; false: there is none.
  public func allocateSecondSegment(_ slot: Slot) -> Bool {
    if isFile, !slot.hasSecondSegment {
      let offset = Int(slot.offset) + Int(BIS_CONTROL_SIZE) + Int(BIS_SEGMENT_SIZE)
      guard (try? file.allocate(offset: offset, length: Int(BIS_RECORD_SEGMENT))) != nil else { return false }
    }
    slot.hasSecondSegment = true
    return true
  }

  /// Makes room in the file for the record of a slot's thread.
  public func makeRoom(for thread: Int, in slot: Slot) throws(Errno) {
    let end = MemoryLayout<bis_control>.offset(of: \.threads)! + (thread + 1) * MemoryLayout<bis_thread>.size
    guard isFile, end > slot.allocated else { return }
    let more = min(0x10000, Int(BIS_CONTROL_SIZE) - slot.allocated)
    try file.allocate(offset: Int(slot.offset) + slot.allocated, length: more)
    slot.allocated += more
  }

  /// The slot's process is gone and its ring is flushed.
  public func release(_ slot: Slot) { free.append(slot) }
}
