import BisRuntime
import CABI
import Glibc
import Guest
import Linux
import Syscalls
import Tape
import Trace

/// Shared mappings come, go and change.
extension RecordSession {
  /// Checksum of a page of zeros.
  static let zeroPage = [UInt8](repeating: 0, count: 4096).withUnsafeBytes { xxHash64($0) | 2 }

  /// What the tape has to say about a shared mapping that the kernel has just made.
  enum SharedContent { case zeros, file }

  /// How a mapping of `status` (nil: not of a file) is recorded: as the file's copy in the trace, or as zeros with what is
  /// in it logged when it is touched.
  func sharedContent(_ p: RecordedProcess, _ address: UInt64, _ status: FileStatus?, _ path: String) -> SharedContent {
    guard status != nil, let key = sharedKey(p, address)?.key else { return .zeros }
    if let object = sharedObjects[key], object.isWritable || !object.pages.isEmpty { return .zeros }
    return FileStatus.isInMemory(path) ? .zeros : .file
  }

  private func sharedKey(_ p: RecordedProcess, _ address: UInt64) -> (key: SharedObject.Key, map: MemoryMap)? {
    guard let map = (try? memoryMaps(of: p.guest.tid))?.first(where: { $0.contains(address) }) else { return nil }
    return (SharedObject.Key(device: map.device, inode: map.inode), map)
  }

  /// mmap is done and was asked for MAP_SHARED: what it is recorded as.
  func sharedMapping(_ p: RecordedProcess, _ call: inout PendingCall, _ address: UInt64) throws(GuestError)
    -> SharedContent
  {
    let a = call.arguments
    guard a[3] & 0x20 == 0 else { return .zeros }
    let path = "/proc/\(p.guest.tid)/fd/\(Int32(truncatingIfNeeded: a[4]))"
    guard let status = try? FileStatus.of(path), status.isRegular else { return .zeros }
    call.status = status
    publishFiles(with: SharedObject.FileID(status))  // (from here on nobody changes it unasked)
    guard sharedContent(p, address, status, path) == .file, let file = try? files.store(path: path)
    else {
      call.isNew = status.isEmpty
      return .zeros
    }
    call.file = file
    return .file
  }

  /// mremap of shared memory: the kernel moves only what is one mapping with one protection.
  func bringForMove(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    let low = call.arguments[0], high = low &+ call.arguments[1]
    guard p.views.contains(where: { $0.low < high && $0.high > low && $0.object.isContested }) else { return }
    let request = SharedRequest(
      process: p, tid: p.guest.tid, what: .ranges([(low, high, true)], pin: 0), since: Machine.tsc())
    for _ in 0..<20_000 {
      if try serve(request) { return }
      usleep(50)
    }
    throw .unsupported("mremap of shared memory that another process does not give away")
  }

  /// Notes a shared mapping. `isNew`: nothing was ever in it. `status`: of the file, if it is one.
  func addShared(
    _ p: RecordedProcess, _ address: UInt64, _ length: UInt64, protection: UInt64, content: SharedContent, isNew: Bool,
    status: FileStatus? = nil
  ) throws(GuestError) {
    guard let (key, map) = sharedKey(p, address) else { return }
    let object = sharedObjects[key] ?? SharedObject(key)
    sharedObjects[key] = object
    if let status {
      object.file = SharedObject.FileID(status)
      object.name = map.path
    }
    if protection & 2 != 0 { object.isWritable = true }
    // Its content is what the tape says only if nobody else has had it.
    let holds =
      object.changes.isEmpty && (content == .file || (isNew && object.views.isEmpty && object.pages.isEmpty))
    let view = SharedView(
      process: p, object: object, low: address, high: address + length,
      firstPage: (map.offset + (address - map.start)) >> 12, protection: protection,
      holdsUntouched: holds && (object.views.isEmpty || !object.isWritable), base: RecordSession.zeroPage)
    if content == .file {
      view.base = 0
      if let status { view.missingFrom = (UInt64(max(0, status.size)) + 4095) >> 12 }
    }
    object.views.append(view)
    p.views.append(view)
    if !view.holdsUntouched || (object.isWritable && object.views.count > 1) { contest(object) }
    p.publishViews()
    try applyRights(view)
  }

  /// Pages of the object may be taken away from now on.
  func contest(_ object: SharedObject) {
    guard !object.isContested else { return }
    object.isContested = true
    for view in object.views { view.process.publishViews() }
  }

  /// Protects what a mapping does not hold.
  func applyRights(_ view: SharedView) throws(GuestError) {
    guard view.object.isContested else { return }
    if view.object.pages.isEmpty {
      if !view.holdsUntouched { try protect(view, view.firstPage, view.pageCount, 0) }
      return
    }
    var page = view.firstPage
    let end = view.firstPage + view.pageCount
    while page < end {
      let rights = view.rights(page)
      var next = page + 1
      while next < end, view.rights(next) == rights { next += 1 }
      if rights != view.protection { try protect(view, page, next - page, rights) }
      page = next
    }
  }

  func protect(_ view: SharedView, _ page: UInt64, _ count: UInt64, _ rights: UInt64) throws(GuestError) {
    try protect(view, page, count, rights, in: view.process.guest.tid)
  }

  func protect(
    _ view: SharedView, _ page: UInt64, _ count: UInt64, _ rights: UInt64, in tid: ThreadID
  ) throws(GuestError) {
    _ = try kernel("change a page's protection") { () throws(Errno) in
      try remoteSyscall(
        tid, trappingAt: Region.address(BIS_LABEL_REMOTE_SYSCALL), 10, [view.address(of: page), count << 12, rights])
    }
  }

  /// Gives runs of pages of one process other rights at one stop, `tid` being a thread of it that is stopped. They are told through
  /// its window: a fork child that has its parent's still is told one by one, in registers.
  func protect(_ runs: [SharedRun], in tid: ThreadID) throws(GuestError) {
    var rest = runs[...]
    while let list = rest.first?.view.process.control.list {
      let part = rest.prefix(Control.listCapacity / 3)
      rest = rest.dropFirst(part.count)
      for (i, run) in part.enumerated() {
        list[3 * i] = run.view.address(of: run.pages.lowerBound)
        list[3 * i + 1] = UInt64(run.pages.count) << 12
        list[3 * i + 2] = run.rights
      }
      let result = try kernel("change the protection of pages") { () throws(Errno) in
        try remoteRoutine(
          tid, from: Region.address(BIS_LABEL_PROTECT_LIST), to: Region.address(BIS_LABEL_PROTECT_LIST_END),
          [0, 0, 0, 0, UInt64(BIS_WINDOW_BASE) + Control.pathOffset, UInt64(part.count)])
      }
      guard result == 0 else {
        throw .kernel("change the protection of shared pages", Errno(code: Int32(truncatingIfNeeded: -result)))
      }
    }
  }

  /// The views that lie in `[low, high)` whole, after cutting those that reach beyond.
  func sharedViews(_ p: RecordedProcess, _ low: UInt64, _ high: UInt64) -> [SharedView] {
    var inside: [SharedView] = []
    for view in p.views where view.low < high && view.high > low {
      var part = view
      if view.low < low { part = split(p, part, at: low) }
      if part.high > high { _ = split(p, part, at: high) }
      inside.append(part)
    }
    return inside
  }

  /// Cuts a view in two; the upper part is returned.
  private func split(_ p: RecordedProcess, _ view: SharedView, at address: UInt64) -> SharedView {
    let upper = view.copy(for: p, low: address, high: view.high)
    for (index, var page) in view.object.pages where index >= upper.firstPage && view.covers(index) {
      if page.writer === view { page.writer = upper }
      for i in page.readers.indices where page.readers[i] === view { page.readers[i] = upper }
      view.object.pages[index] = page
    }
    view.high = address
    view.object.views.append(upper)
    p.views.append(upper)
    return upper
  }

  func removeShared(_ p: RecordedProcess, _ low: UInt64, _ high: UInt64) {
    guard !p.views.isEmpty else { return }
    for view in sharedViews(p, low, high) {
      view.object.remove(view)
      p.views.removeAll { $0 === view }
      forgetFile(view.object)
    }
    p.publishViews()
  }

  /// A file that nobody has mapped any more need not be watched.
  private func forgetFile(_ object: SharedObject) {
    guard object.views.isEmpty, let file = object.file else { return }
    watches.remove(file)
    object.changes = []
    publishFiles()
  }

  /// The process (or its address space) is gone.
  func removeAllShared(_ p: RecordedProcess) {
    for view in p.views {
      view.object.remove(view)
      forgetFile(view.object)
    }
    p.views = []
    if sharedTurn?.process === p { sharedTurn = nil }
    sharedRequests.removeAll { $0.process === p }
  }

  /// mprotect by the program, done.
  func sharedProtected(_ p: RecordedProcess, _ low: UInt64, _ high: UInt64, _ protection: UInt64) throws(GuestError) {
    guard !p.views.isEmpty else { return }
    for view in sharedViews(p, low, high) {
      view.protection = protection
      if protection & 2 != 0, !view.object.isWritable {
        view.object.isWritable = true
        if view.object.views.count > 1 { contest(view.object) }
      }
      if protection & 2 != 0, view.holdsUntouched, view.object.views.count > 1 {
        // Others may hold the same pages for reading: nobody writes before it has asked.
        view.holdsUntouched = view.object.views.allSatisfy { $0 === view || !$0.holdsUntouched }
      }
      try applyRights(view)
    }
    p.publishViews()
  }

  /// mremap by the program, done. (All of it was brought in before.)
  func sharedMoved(
    _ p: RecordedProcess, _ old: UInt64, _ oldLength: UInt64, _ new: UInt64, _ newLength: UInt64
  ) throws(GuestError) {
    guard !p.views.isEmpty else { return }
    let moved = sharedViews(p, old, old + oldLength)
    if new != old { removeShared(p, new, new + newLength) }
    if newLength < oldLength { removeShared(p, old + newLength, old + oldLength) }
    for view in moved where p.views.contains(where: { $0 === view }) {
      view.low = view.low - old + new
      view.high = view.high - old + new
    }
    if newLength > oldLength, let last = moved.first(where: { $0.high == new + oldLength }) {
      let grown = SharedView(
        process: p, object: last.object, low: last.high, high: new + newLength,
        firstPage: last.firstPage + last.pageCount, protection: last.protection, holdsUntouched: false,
        base: last.missingFrom == .max ? RecordSession.zeroPage : 0)
      grown.missingFrom = last.missingFrom
      last.object.views.append(grown)
      p.views.append(grown)
      contest(last.object)
      try applyRights(grown)
    }
    p.publishViews()
  }

  /// A fork child has its parent's mappings and holds none of the pages that may be written.
  func inheritShared(_ child: RecordedProcess, from parent: RecordedProcess) {
    for view in parent.views {
      let copy = view.copy(for: child, low: view.low, high: view.high)
      copy.losses = [:]
      if view.object.isWritable {
        copy.holdsUntouched = false
        if view.holdsUntouched { copy.base = 0 }
        for (index, page) in view.object.pages where view.covers(index) {
          if page.writer === view || page.readers.contains(where: { $0 === view }) { copy.seen[index] = 0 }
        }
      }
      view.object.views.append(copy)
      child.views.append(copy)
      if view.object.isWritable { contest(view.object) }
    }
    child.publishViews()
  }

  /// MADV_DONTNEED and the like, done: private memory in the range is as new, shared memory as it was.
  func advised(_ p: RecordedProcess, _ call: PendingCall, _ result: Int64) throws(GuestError) {
    let a = call.arguments
    let end = a[0] &+ (a[1] &+ 4095) & ~4095
    var effects: [Effect] = []
    if result == 0, a[2] & 0xFFFF_FFFF == 4 || a[2] & 0xFFFF_FFFF == 24 {
      var at = a[0]
      for view in p.views.sorted(by: { $0.low < $1.low }) where view.low < end && view.high > at {
        if view.low > at { effects.append(.advise(address: at, length: view.low - at, advice: 4)) }
        at = view.high
      }
      if at < end { effects.append(.advise(address: at, length: end - at, advice: 4)) }
    }
    try finish(p, call, result, effects)
  }

  // MARK: System V

  func attached(_ p: RecordedProcess, _ call: PendingCall, _ address: UInt64) throws(GuestError) {
    guard let map = sharedKey(p, address)?.map else { throw .unsupported("a segment that is not there") }
    let flags = call.arguments[2]
    let protection: UInt64 = 1 | (flags & 0o10000 == 0 ? 2 : 0)
    removeShared(p, address, map.end)  // SHM_REMAP
    if try p.guest.remove(low: address, high: map.end) { try changed(p) }
    try finish(
      p, call, Int64(bitPattern: address),
      [
        .map(
          Tape.Mapping(
            address: address, length: map.end - address, protection: UInt32(protection), flags: 0x21, file: nil,
            offset: 0))
      ])
    try addShared(p, address, map.end - address, protection: protection, content: .zeros, isNew: false)
  }

  func detached(_ p: RecordedProcess, _ call: PendingCall, _ result: Int64) throws(GuestError) {
    let address = call.arguments[0]
    guard let object = p.view(at: address)?.object else { return try finish(p, call, result) }
    let parts = p.views.filter { $0.object === object && $0.low &- $0.firstPage << 12 == address }
    let end = parts.map(\.high).max() ?? address
    removeShared(p, address, end)
    try finish(p, call, result, [.unmap(address: address, length: end - address)])
  }
}
