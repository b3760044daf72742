import CABI
import Glibc
import Guest
import Linux
import Trace

/// Files that recorded processes have mapped, watched for writes (inotify(7)). What the recorded processes write themselves
/// is seen, too, and forgotten.
struct FileWatches {
  private var descriptor: Int32 = -1
  private var files: [Int32: SharedObject.FileID] = [:]
  var isEmpty: Bool { files.isEmpty }
  private(set) var changed: Set<SharedObject.FileID> = []

  /// Watches the file at `path` (a link in /proc will do). Where that is not possible nothing is seen.
  mutating func add(_ path: String, _ file: SharedObject.FileID) {
    guard !files.values.contains(file) else { return }
    if descriptor < 0 {
      descriptor = inotify_init1(0o2004000)  // IN_NONBLOCK, IN_CLOEXEC
      guard descriptor >= 0 else { return }
      // A wait for the program is interrupted when there is something.
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { _ in }
      sigaction(SIGIO, &action, nil)
      _ = fcntl(descriptor, F_SETOWN, getpid())
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK | 0o20000)  // O_ASYNC
    }
    let watch = inotify_add_watch(descriptor, path, 2)  // IN_MODIFY
    if watch >= 0 { files[watch] = file }
  }

  mutating func remove(_ file: SharedObject.FileID) {
    for (watch, known) in files where known == file {
      inotify_rm_watch(descriptor, watch)
      files[watch] = nil
    }
    changed.remove(file)
  }

  /// Looks for changes; those of files in `own` are made by recorded processes.
  mutating func look(own: () -> Set<SharedObject.FileID>) {
    guard !files.isEmpty else { return }
    var found: Set<SharedObject.FileID> = []
    defer { if !found.isEmpty { changed.formUnion(found.subtracting(own())) } }
    var words = [UInt32](repeating: 0, count: 1024)
    while true {
      let count = words.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { return }
      var at = 0
      while at + 4 <= count / 4 {  // struct inotify_event
        if words[at + 1] & 2 != 0, let file = files[Int32(bitPattern: words[at])] { found.insert(file) }
        if words[at + 1] & 0x4000 != 0 { found.formUnion(files.values) }  // IN_Q_OVERFLOW: some are not named
        at += 4 + Int(words[at + 3]) / 4
      }
    }
  }

  mutating func handled(_ file: SharedObject.FileID) { changed.remove(file) }
}

/// Memory that processes outside of the recording have mapped for writing, MAP_SHARED.
struct ForeignMappings {
  struct Place: Hashable {
    let device: Device
    let inode: UInt64
  }
  var owners: [Place: Int32] = [:]
  /// When the last look began, when the first one did (time stamp counter), and how long all of them took.
  var since: UInt64 = 0
  var first: UInt64 = 0
  var spent: UInt64 = 0
}

/// Memory that others, who are not recorded, have as well.
extension RecordSession {
  /// How long a look at the machine's mappings counts, in cycles (about 0.5 s), when looks take more than a tenth of the time.
  private static let lookCycles: UInt64 = 1_500_000_000

  /// Changes of mapped files that no recorded process has made: the pages are taken anew from now on.
  func noticeOutsiders() throws(GuestError) {
    guard !watches.isEmpty else { return }
    watches.look { filesUnderChange }
    for file in watches.changed {
      guard let object = sharedObjects.values.first(where: { $0.file == file && !$0.views.isEmpty }) else {
        watches.handled(file)  // (not mapped yet)
        continue
      }
      warn(
        "a process that is not recorded has changed \(object.name), which \(object.views[0].process.executable) has mapped: "
          + "the replay differs where the program saw that before bis did")
      if try revoke(object, 0..<(.max), nil) { watches.handled(file) }
    }
  }

  /// Files that recorded processes are changing.
  var filesUnderChange: Set<SharedObject.FileID> {
    Set(sharedObjects.values.compactMap { $0.changes.isEmpty ? nil : $0.file })
  }

  func warnOfOutsider(_ p: RecordedProcess, _ what: String, _ pid: Int32) {
    warn(
      "\(p.executable) maps \(what), which process \(pid) (\(readText("/proc/\(pid)/comm")), not recorded) has mapped for "
        + "writing: what that one writes cannot be recorded, so the call fails")
  }

  /// The process, not recorded, that has a file mapped for writing (its stores are seen by nobody); nil: none.
  func outsider(mapping status: FileStatus, _ path: String) -> Int32? {
    if status.isEmpty && status.linkCount == 0 { return nil }  // a memory file that has just been made
    if !FileStatus.isInMemory(path), isOpenForWriting(path) == false { return nil }
    return outsider(at: ForeignMappings.Place(device: status.device, inode: status.inode))
  }

  /// The same for a System V segment.
  func outsider(segment: UInt64) -> Int32? {
    outsider(at: ForeignMappings.Place(device: Device(major: 0, minor: 1), inode: segment))
  }

  /// An older look serves only to say that there is nobody: who was seen then may have ended, and another file have its inode.
  private func outsider(at place: ForeignMappings.Place) -> Int32? {
    let now = Machine.tsc()
    let isFresh = foreign.since != 0 && now &- foreign.since <= RecordSession.lookCycles
    let isDear = foreign.spent > (now &- foreign.first + RecordSession.lookCycles) / 10
    if isFresh && isDear && foreign.owners[place] == nil { return nil }
    if foreign.first == 0 { foreign.first = now }
    lookAtOthers()
    foreign.spent += Machine.tsc() &- now
    return foreign.owners[place]
  }

  /// A lease for reading is given when nobody has the file open for writing. Nil: not known.
  private func isOpenForWriting(_ path: String) -> Bool? {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { Glibc.close(descriptor) }
    let lease: Int32 = 1024  // F_SETLEASE
    if fcntl(descriptor, lease, F_RDLCK) == 0 {
      _ = fcntl(descriptor, lease, F_UNLCK)
      return false
    }
    return errno == EAGAIN ? true : nil
  }

  private func lookAtOthers() {
    foreign.since = Machine.tsc()
    foreign.owners = [:]
    let own = Set(processes.keys.map(\.rawValue) + [getpid()])
    for pid in numbers(in: "/proc") where !own.contains(pid) {
      guard let maps = try? memoryMaps(of: ThreadID(pid)) else { continue }
      let places = maps.lazy.filter { $0.shared && $0.write && $0.inode != 0 }
        .map { ForeignMappings.Place(device: $0.device, inode: $0.inode) }
      guard !places.isEmpty, isForeign(pid) else { continue }
      for place in places { foreign.owners[place] = pid }
    }
  }

  /// A child that has not been reported yet is one of ours, too; one that has ended in between is nobody's.
  private func isForeign(_ pid: Int32) -> Bool {
    guard let tracer = statusWords(pid, "TracerPid").first else { return false }
    return tracer != "\(getpid())"
  }
}
