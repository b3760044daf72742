import CABI
import Guest
import Linux
import Tape
import Trace

/// A call under way that changes a file which somebody has mapped.
struct FileChange {
  let tid: ThreadID
  /// Time stamp counter.
  let since: UInt64
  /// It may wait for what somebody else does, who may need the pages to do it (splice, sendfile).
  let mayWait: Bool
  let pages: Range<UInt64>
  /// Where the descriptor stood, if the call writes there.
  let position: UInt64?

  /// Whether a thread may get pages of the file.
  func allows(_ other: ThreadID) -> Bool {
    other == tid || (mayWait && Machine.tsc() &- since > RecordSession.pinCycles)
  }
}

/// Calls that change files which are mapped: write, ftruncate and the like. While one is under way nobody has the pages
/// that it may change; who touches them next gets them anew, and its tape what is in them.
extension RecordSession {
  /// REASON_FILE.
  func fileChanges(_ p: RecordedProcess) throws(GuestError) {
    let answers = (0..<5).map { p.control.answers[$0] }
    let arguments = (0..<6).map { p.control.arguments[$0] }
    let file = SharedObject.FileID(device: answers[3], inode: answers[4])
    guard let object = sharedObjects.values.first(where: { $0.file == file && !$0.views.isEmpty }) else {
      return resume(p.guest.tid)
    }
    let tid = p.guest.tid
    var pages: Range<UInt64> = 0..<(.max)
    if answers[1] == BIS_FILE_BEFORE.rawValue {
      let change = change(tid, UInt32(truncatingIfNeeded: answers[0]), arguments)
      object.changes.append(change)
      pages = change.pages
    } else if let change = object.changes.first(where: { $0.tid == tid }) {
      watches.look { filesUnderChange }  // (what it says of the file until now is this call)
      pages = change.pages
      if let old = change.position, Int64(bitPattern: answers[2]) > 0,
        descriptorState(tid, arguments[0])?.position != old &+ answers[2]
      {
        warn("\(p.executable) writes to a mapped file while another process moves the same descriptor")
        pages = 0..<(.max)
      }
    }
    ask(
      SharedRequest(
        process: p, tid: tid,
        what: .change(object, pages: pages, phase: bis_file_phase(UInt32(truncatingIfNeeded: answers[1]))),
        since: Machine.tsc()))
  }

  /// A thread is gone: its call is over.
  func endFileChanges(of tid: ThreadID) {
    for object in sharedObjects.values where !object.changes.isEmpty { object.changes.removeAll { $0.tid == tid } }
  }

  /// What a call may change, in pages of the file.
  private func change(_ tid: ThreadID, _ number: UInt32, _ a: [UInt64]) -> FileChange {
    let all = FileChange(
      tid: tid, since: Machine.tsc(), mayWait: number == 275 || number == 40, pages: 0..<(.max), position: nil)
    let writes: Set<UInt32> = [1, 18, 20, 296, 328]
    guard writes.contains(number) || number == 77, let state = descriptorState(tid, a[0]) else { return all }
    if number == 77 { return all.of(min(state.size, a[1])..<(.max), position: nil) }
    let appends = state.flags & 0o2000 != 0 || (number == 328 && a[5] & 0x10 != 0)
    let usesPosition = number == 1 || number == 20 || (number == 328 && a[3] == .max)
    let start = usesPosition ? state.position : a[3]
    if appends { return all.of(min(start, state.size)..<(.max), position: nil) }
    let (end, overflow) = start.addingReportingOverflow(a[2])
    let known = (number == 1 || number == 18) && !overflow
    let low = min(start, state.size)
    return all.of(low..<(known ? max(end, low) : .max), position: usesPosition ? start : nil)
  }

  /// /proc/TID/fdinfo/FD, and the file's size.
  private func descriptorState(_ tid: ThreadID, _ number: UInt64) -> (position: UInt64, flags: UInt64, size: UInt64)? {
    let fd = Int32(truncatingIfNeeded: number)
    guard let status = try? FileStatus.of("/proc/\(tid)/fd/\(fd)") else { return nil }
    var position: UInt64?
    var flags: UInt64?
    for line in readText("/proc/\(tid)/fdinfo/\(fd)").split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
      guard words.count == 2 else { continue }
      if words[0] == "pos:" { position = UInt64(words[1]) }
      if words[0] == "flags:" { flags = UInt64(words[1], radix: 8) }
    }
    guard let position, let flags else { return nil }
    return (position, flags, UInt64(max(0, status.size)))
  }

  /// Nobody holds these pages of the object. False: not now.
  func revoke(
    _ object: SharedObject, _ pages: Range<UInt64>, _ request: SharedRequest?
  ) throws(GuestError) -> Bool {
    contest(object)
    for view in object.views {
      var page = max(view.firstPage, pages.lowerBound)
      let end = min(view.firstPage + view.pageCount, pages.upperBound)
      while page < end {
        let first = object.page(page)
        var next = page + 1
        while next < end, isSame(first, object.page(next)) { next += 1 }
        if view.rights(page) != 0 {
          guard try release(view, page, next - page, 0, request) else { return false }
        }
        page = next
      }
    }
    // What will be in them nobody has seen.
    for view in object.views {
      for index in view.seen.keys where pages.contains(index) { view.seen[index] = 0 }
    }
    return true
  }

  /// Tells all processes which files are mapped, so that they ask before they change one.
  func publishFiles(with file: SharedObject.FileID? = nil) {
    var files = Set(sharedObjects.values.compactMap { $0.views.isEmpty ? nil : $0.file })
    if let file { files.insert(file) }
    guard files != publishedFiles else { return }
    publishedFiles = files
    rings.publish(files: files.map { ($0.device, $0.inode) })
  }

  // MARK: Pages beyond the end

  /// A file has no page there (accesses raise SIGBUS), or has one again: what a replay has there must be the same.
  func presenceEffects(
    _ view: SharedView, _ page: UInt64, _ count: UInt64, readable: UInt64
  ) throws(GuestError) -> [Effect] {
    var effects: [Effect] = []
    var index = page
    while index < page + count {
      let isThere = index - page < readable
      guard isThere != view.isPresent(index) else {
        index += 1
        continue
      }
      let first = index
      while index < page + count, (index - page < readable) == isThere, view.isPresent(index) != isThere {
        view.presence[index] = isThere
        if isThere { view.seen[index] = RecordSession.zeroPage }
        index += 1
      }
      effects.append(
        .map(
          Tape.Mapping(
            address: view.address(of: first), length: (index - first) << 12,
            protection: UInt32(truncatingIfNeeded: view.protection & 3 | 2), flags: isThere ? 0x32 : 0x12,
            file: isThere ? nil : try storedEmptyFile(), offset: 0)))
    }
    return effects
  }

  private func storedEmptyFile() throws(GuestError) -> UInt64 {
    if let emptyFile { return emptyFile }
    let number = try tape { () throws(TraceError) in try files.store(path: "/dev/null") }
    emptyFile = number
    return number
  }

  /// SIGBUS at a page that the process may use: the file ends before it. The tape says so, so that a replay faults, too.
  func faultBeyondEnd(_ p: RecordedProcess, _ info: SignalInfo, _ r: Registers) throws(GuestError) {
    guard info.signo == 7, let view = p.view(at: info.address) else { return }
    let page = view.page(at: info.address)
    guard view.isPresent(page) else { return }
    let place = try position(p, r)
    try log(p, view, page, 1, try presenceEffects(view, page, 1, readable: 0), place)
  }
}

extension FileChange {
  /// The same call with what is known of it; `bytes` of the file.
  fileprivate func of(_ bytes: Range<UInt64>, position: UInt64?) -> FileChange {
    let end = bytes.upperBound >> 12 + (bytes.upperBound & 4095 == 0 ? 0 : 1)
    let low = bytes.lowerBound >> 12
    return FileChange(tid: tid, since: since, mayWait: mayWait, pages: low..<max(low, end), position: position)
  }
}
