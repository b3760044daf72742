import BisRuntime
import CABI
import Glibc
import Guest
import Linux
import Syscalls
import Tape
import Trace

/// System calls that the supervisor handles: what changes the process, and what must not be done as asked.
extension RecordSession {
  /// The process gets children or another program, which inherit its CPUs, or is to see or change them.
  private func leaveSharedCPU(_ p: RecordedProcess) {
    attention.leave(p.guest)
    p.control.block.pointee.turn.companion = 0
  }

  /// REASON_SYSCALL: decides how the runtime goes on (enum bis_answer).
  func systemCall(_ p: RecordedProcess) throws(GuestError) {
    let block = p.control.block
    let number = UInt32(truncatingIfNeeded: p.control.answers[0])
    let call = PendingCall(
      number: number, arguments: (0..<6).map { p.control.arguments[$0] }, hash: p.control.answers[1])
    func answer(_ a: bis_answer) { block.pointee.answer = UInt64(a.rawValue) }
    if isRefused(call) {
      warnOf(call)
      return answer(BIS_ANSWER_HOT)
    }
    if [56, 57, 58, 59, 203, 204, 322, 435].contains(number) { leaveSharedCPU(p) }
    switch Int(number) {
    case 56, 57, 58, 435: try clone(p, call)
    case 59, 322: try execute(p, call)
    case 60, 231: try exit(p, call)
    case 15: try sigreturn(p, call)
    case 9: try map(p, call)
    case 30 where outsider(segment: call.arguments[0]) != nil:
      warnOfOutsider(p, "System V segment \(call.arguments[0])", outsider(segment: call.arguments[0]) ?? 0)
      try finish(p, call, -13)
    case 10 where wouldAliasCode(p, call.arguments[0], call.arguments[1], call.arguments[2]):
      warn(
        "\(p.executable) makes memory writable and executable that is mapped twice: "
          + "not supported in this version; it fails with EACCES")
      try finish(p, call, -13)
    case 10 where reachesRegion(call.arguments[0], call.arguments[1]): try finish(p, call, -12)
    case 11 where reachesRegion(call.arguments[0], call.arguments[1]): try unmapAroundRegion(p, call)
    case 25 where reachesRegion(call.arguments[0], call.arguments[1]): try finish(p, call, -14)
    case 25 where call.arguments[3] & 2 != 0 && reachesRegion(call.arguments[4], call.arguments[2]):
      try finish(p, call, -12)
    case 10, 11, 28, 30, 67:
      try through(p, call, call.arguments)
    case 25 where call.arguments[3] & 4 != 0 || call.arguments[1] == 0:
      warn("mremap that keeps a mapping where it was is not supported in this version: it fails with EINVAL")
      try finish(p, call, -22)
    case 25:
      try bringForMove(p, call)
      try through(p, call, call.arguments)
    case 61, 247: try traceWait(p, call)
    case 101: try ptraceCall(p, call)
    case 1, 18, 20, 296, 328: try writeFile(p, call)
    case 311: try writeOther(p, call)
    case 130: answer(BIS_ANSWER_HOT)  // rt_sigsuspend
    case 157: try seccompControl(p, call)
    case 317: try seccomp(p, call)
    case 2, 257, 437:
      if try !openProc(p, call) { answer(BIS_ANSWER_HOT) }
    default:
      warnOf(call)
      answer(BIS_ANSWER_HOT)
    }
  }

  /// The table says that a call is refused: the runtime does so, once it has asked.
  private func isRefused(_ call: PendingCall) -> Bool {
    guard let row = Syscalls.row(number: call.number) else { return false }
    if case .refused = Syscalls.subcall(of: row, call.arguments)?.handling ?? row.handling { return true }
    return false
  }

  private func warnOf(_ call: PendingCall) {
    guard let row = Syscalls.row(number: call.number) else {
      return warn("system call \(call.number) is not in bis's table: it fails with ENOSYS")
    }
    if let part = Syscalls.subcall(of: row, call.arguments) {
      if part.warns { warn("\(row.name)(\(part.name)) is not supported in this version: \(part.note)") }
    } else if row.number == Syscalls.ioctlNumber {
      let request = String(UInt32(truncatingIfNeeded: call.arguments[1]), radix: 16)
      warn("ioctl 0x\(request) is not in bis's table: what it writes is guessed from its number")
    } else if row.note.description == "subcalls.txt", let key = row.key.value(call.arguments) {
      warn("\(row.name) with \(key) is not in bis's table: it fails")
    } else if row.warns {
      warn("\(row.name) is not supported in this version: \(row.note)")
    }
  }

  /// Lets the kernel do the call with these arguments; `afterCall` gets the result.
  private func through(_ p: RecordedProcess, _ call: PendingCall, _ arguments: [UInt64]) throws(GuestError) {
    p.pending = call
    p.control.answers[0] = UInt64(call.number)
    for (i, a) in arguments.enumerated() { p.control.arguments[i] = a }
    p.control.block.pointee.answer = UInt64(BIS_ANSWER_AFTER.rawValue)
  }

  /// Ends a call with a result, without effects beyond those given.
  func finish(
    _ p: RecordedProcess, _ call: PendingCall, _ result: Int64, _ effects: [Effect] = [], flags: EventFlags = []
  ) throws(GuestError) {
    p.control.gpr[0] = UInt64(bitPattern: result)
    try append(
      p,
      EventHead(
        .systemCall, number: call.number, flags: flags, rip: p.control.rip, value: UInt64(bitPattern: result),
        registers: call.hash, arguments: SixWords(call.arguments)), effects)
    p.control.block.pointee.answer = UInt64(BIS_ANSWER_DONE.rawValue)
  }

  /// REASON_AFTER: the kernel has done a call that was let through.
  func afterCall(_ p: RecordedProcess) throws(GuestError) {
    let result = Int64(bitPattern: p.control.arguments[1])
    if let parent = p.vforkParents.last, p.guest.tid != parent || p.vforkCalls.count == p.vforkParents.count,
      p.control.block.pointee.vfork_depth < UInt64(p.vforkParents.count)
    {
      return try vforkReturned(p, result)
    }
    guard let call = p.pending else { throw .unsupported("a result without a call") }
    p.pending = nil
    let a = call.arguments
    let ok = result >= 0 || result < -4095
    switch Int(call.number) {
    case 9 where ok: try mapped(p, call, UInt64(bitPattern: result))
    case 9:
      try unmapped(p)
      try finish(p, call, result)
    case 10 where ok: try protected(p, call)
    case 11 where ok:
      let length = (a[1] + 4095) & ~4095
      if try p.guest.remove(low: a[0], high: a[0] + length) { try changed(p) }
      removeShared(p, a[0], a[0] + length)
      try finish(p, call, result, [.unmap(address: a[0], length: length)])
    case 25 where ok: try remapped(p, call, UInt64(bitPattern: result))
    case 28: try advised(p, call, result)
    case 30 where ok: try attached(p, call, UInt64(bitPattern: result))
    case 67 where ok: try detached(p, call, result)
    case 56, 57, 58, 435:
      if call.makesThread { try threadReturned(p, call, result) } else { try forkReturned(p, call, result) }
    case 2, 257, 437: try fillProc(p, call, result)
    default: try finish(p, call, result)
    }
  }

  func changed(_ p: RecordedProcess) throws(GuestError) {
    try p.guest.publishRanges()
    try p.guest.resetFastTable()
  }

  // MARK: Mappings

  private func map(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    p.preparedCode = nil
    var call = call
    var a = call.arguments
    let fixed = a[3] & 0x100010 != 0
    let length = (a[1] &+ 4095) & ~4095
    if fixed, a[0] < UInt64(BIS_REGION_END), a[0] &+ length > UInt64(BIS_REGION_BASE) {
      return try finish(p, call, -12)
    }
    if a[3] & 0x20 == 0 {
      let fd = Int32(truncatingIfNeeded: a[4])
      let path = "/proc/\(p.guest.tid)/fd/\(fd)"
      guard let status = try? FileStatus.of(path) else { return try through(p, call, a) }  // EBADF and the like
      if status.mode & 0o170000 == 0o020000 {  // a character device: only /dev/zero can be taken for anonymous
        guard status.device.major == 0 || (try? FileStatus.of("/dev/zero"))?.inode == status.inode else {
          warn("mmap of a device is not supported in this version: it fails with ENODEV")
          return try finish(p, call, -19)
        }
      } else if status.isRegular {
        if a[3] & 1 != 0 {
          guard !wouldAliasCode(status, a[2]) else {
            warn(
              "\(p.executable) maps memory that is writable and executable a second time: "
                + "not supported in this version; it fails with ENODEV")
            return try finish(p, call, -19)
          }
          if let other = outsider(mapping: status, path) {
            warnOfOutsider(p, FileStore.name(of: path), other)
            return try finish(p, call, -19)
          }
          watches.add(path, SharedObject.FileID(status))
          return try through(p, call, a)
        }
        guard let file = try storeMapped(path) else {
          warn("\(p.executable) maps a file that bis cannot read: it fails with EACCES")
          return try finish(p, call, -13)
        }
        call.file = file
        if !fixed, isELF(file, path) { placeLibrary(p, file, status, &a) }
      } else {  // a socket, a disk, what has no type: their memory is the kernel's
        warn("mmap of what is no file is not supported in this version: it fails with ENODEV")
        return try finish(p, call, -19)
      }
    }
    p.pending = call
    try through(p, call, a)
    try prepareMap(p, call, a, length)
  }

  /// Saves the stop after the call where its outcome is known: the runtime logs it then. Code that will be there is told
  /// to the process beforehand; `unmapped` takes that back.
  private func prepareMap(
    _ p: RecordedProcess, _ call: PendingCall, _ a: [UInt64], _ length: UInt64
  ) throws(GuestError) {
    // (what has to do with shared memory is seen by the supervisor when it is done)
    if a[3] & 1 != 0 || p.control.block.pointee.shared_count != 0 { return }
    let executable = a[2] & 4 != 0
    if a[3] & 0x10 != 0 {  // MAP_FIXED: it replaces what is there
      let (end, overflow) = a[0].addingReportingOverflow(length)
      guard !overflow, length > 0, a[0] & 4095 == 0, !p.guest.hasCode(low: a[0], high: end) else { return }
      if executable {
        try addCode(p, a[0], end, Int(a[2] & 7), call.file, a[5])
        try p.guest.publishRanges()
        p.preparedCode = (a[0], end)
      }
    } else if executable {
      return
    }
    p.control.answers[0] = call.file ?? .max
    p.control.answers[1] = executable ? 1 : 0
    p.control.block.pointee.answer = UInt64(BIS_ANSWER_MAP.rawValue)
  }

  /// A mapping failed: the code that it would have brought is not there.
  private func unmapped(_ p: RecordedProcess) throws(GuestError) {
    guard let (low, high) = p.preparedCode else { return }
    p.preparedCode = nil
    try p.guest.remove(low: low, high: high)
    try p.guest.publishRanges()
  }

  /// Copies a file that is about to be mapped into the trace; nil: it cannot be read. A full disk ends the recording.
  private func storeMapped(_ path: String) throws(GuestError) -> UInt64? {
    var status = stat()
    let identity = stat(path, &status) == 0 ? FileIdentity(status) : nil
    do throws(TraceError) { return try files.store(path: path, identity: identity) } catch {
      if error.isDiskFull { throw .unsupported("\(error)") }
      return nil
    }
  }

  private func isELF(_ file: UInt64, _ path: String) -> Bool {
    if let known = libraryFiles[file] { return known }
    guard let descriptor = try? Descriptor.open(path, flags: O_RDONLY),
      let bytes = try? descriptor.pread(count: 4, offset: 0)
    else { return false }
    let answer = bytes == [0x7F, 0x45, 0x4C, 0x46]
    libraryFiles[file] = answer
    return answer
  }

  /// The same library lies at the same address in every process of the trace, so that translations are shared; near
  /// the code cache, so that its RIP-relative operands need no detour.
  private func placeLibrary(_ p: RecordedProcess, _ file: UInt64, _ status: FileStatus, _ a: inout [UInt64]) {
    guard a[0] == 0 else { return }
    let length = (a[1] + 4095) & ~4095
    let key = file
    let base: UInt64
    if let known = libraryBases[key] {
      base = known
    } else {
      guard let free = freeLibraryPlace(status, length) else { return }
      base = free
      libraryBases[key] = base
    }
    guard !p.libraries.contains(key) else { return }  // a second copy goes where the kernel likes
    p.libraries.insert(key)
    a[0] = base
    a[3] |= 0x100000  // MAP_FIXED_NOREPLACE
  }

  /// A free place for a library. It begins to look where the file's identity says, so that other recordings find the
  /// same place (and the translations kept for it).
  private func freeLibraryPlace(_ status: FileStatus, _ length: UInt64) -> UInt64? {
    let low = UInt64(BIS_LIBRARIES_BASE), high = UInt64(BIS_LIBRARIES_END), step: UInt64 = 0x1_0000
    let room = (length + 2 * step - 1) & ~(step - 1)
    guard room < high - low else { return nil }
    let places = (high - low - room) / step
    let hash = (status.inode ^ UInt64(status.size) << 20 ^ UInt64(bitPattern: status.modified)) &* 0x9E37_79B9_7F4A_7C15
    var at = low + (hash >> 20) % places * step
    for _ in 0..<1024 {
      guard let taken = takenLibraries.first(where: { $0.low < at + room && $0.high > at }) else {
        takenLibraries.append((at, at + room))
        return at
      }
      at = taken.high + room < high ? taken.high : low
    }
    return nil
  }

  private func mapped(_ p: RecordedProcess, _ call: PendingCall, _ address: UInt64) throws(GuestError) {
    let a = call.arguments
    let length = (a[1] + 4095) & ~4095
    let touched = try p.guest.remove(low: address, high: address + length)
    removeShared(p, address, address + length)
    var call = call
    let content = a[3] & 1 != 0 ? try sharedMapping(p, &call, address) : nil
    if a[2] & 4 != 0 { try addCode(p, address, address + length, Int(a[2] & 7), call.file, a[5]) }
    if touched { try changed(p) } else if a[2] & 4 != 0 { try p.guest.publishRanges() }
    try finish(
      p, call, Int64(bitPattern: address),
      [
        .map(
          Tape.Mapping(
            address: address, length: length, protection: UInt32(a[2] & 7),
            flags: UInt32(truncatingIfNeeded: a[3] & 0xFFFFF), file: call.file, offset: call.file == nil ? 0 : a[5]))
      ])
    if let content {
      try addShared(
        p, address, length, protection: a[2] & 7, content: content, isNew: call.isNew, status: call.status)
    }
  }

  /// Whether a range of the program's contains some of what bis has in the process.
  private func reachesRegion(_ low: UInt64, _ length: UInt64) -> Bool {
    let (high, overflow) = low.addingReportingOverflow((length &+ 4095) & ~4095)
    return !overflow && low & 4095 == 0 && low < UInt64(BIS_REGION_END) && high > UInt64(BIS_REGION_BASE)
  }

  /// munmap of a range that contains the region, where the program has nothing mapped.
  private func unmapAroundRegion(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    let low = call.arguments[0], high = low + ((call.arguments[1] + 4095) & ~4095)
    var effects: [Effect] = []
    // (What the kernel refuses, it refuses for the upper part.)
    for (start, end) in [(UInt64(BIS_REGION_END), high), (low, UInt64(BIS_REGION_BASE))] where start < end {
      let result = try kernel("unmap memory") { () throws(Errno) in
        try remoteSyscall(
          p.guest.tid, trappingAt: Region.address(BIS_LABEL_REMOTE_SYSCALL), 11, [start, end - start])
      }
      guard result == 0 else { return try finish(p, call, result, effects) }
      if try p.guest.remove(low: start, high: end) { try changed(p) }
      removeShared(p, start, end)
      effects.append(.unmap(address: start, length: end - start))
    }
    try finish(p, call, 0, effects)
  }

  private func protected(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    let a = call.arguments
    let length = (a[1] + 4095) & ~4095
    let touched = try p.guest.remove(low: a[0], high: a[0] + length)
    if a[2] & 4 != 0 { try addCode(p, a[0], a[0] + length, Int(a[2] & 7), nil, 0) }
    if touched { try changed(p) } else { try p.guest.publishRanges() }
    try finish(p, call, 0, [.protect(address: a[0], length: length, protection: a[2] & 7)])
    try sharedProtected(p, a[0], a[0] + length, a[2] & 7)
  }

  private func remapped(_ p: RecordedProcess, _ call: PendingCall, _ address: UInt64) throws(GuestError) {
    let a = call.arguments
    let oldLength = (a[1] + 4095) & ~4095
    let newLength = (a[2] + 4095) & ~4095
    let wasCode = p.guest.range(at: a[0]) != nil
    var touched = try p.guest.remove(low: a[0], high: a[0] + oldLength)
    if try p.guest.remove(low: address, high: address + newLength) { touched = true }
    if wasCode { try addCode(p, address, address + newLength, 7, nil, 0) }
    if touched { try changed(p) }
    try finish(
      p, call, Int64(bitPattern: address),
      [.remap(oldAddress: a[0], oldLength: oldLength, newAddress: address, newLength: newLength)])
    try sharedMoved(p, a[0], oldLength, address, newLength)
  }

  // MARK: The end

  private func exit(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    if p.vforkParents.isEmpty {
      try append(
        p,
        EventHead(
          .exit, number: 0, rip: p.control.rip, value: call.arguments[0] & 0xFF,
          value2: UInt64(BIS_EXIT_AT_CALL.rawValue), registers: call.hash,
          arguments: SixWords(call.arguments)))
      p.endWritten = true
      // Nothing more to learn at its end: no stop there.
      try? Ptrace.setOptions(p.guest.tid, Ptrace.Options.all.subtracting(.exit))
    }
    try through(p, call, call.arguments)
  }

  private func sigreturn(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    let control = p.control
    let frame: SignalFrame.Restored
    do { frame = try SignalFrame.parse(p.guest, uc: control.gpr[4], profile: region.profile) } catch {
      if case .gone = error { throw error }
      try finish(p, call, 0)
      return try forceSegmentationFault(p)
    }
    for i in 0..<16 { control.gpr[i] = frame.gpr[i] }
    // The event's rip is where the call was; the registers after it are its effect.
    let values = RegisterValues(
      general: frame.gpr, rip: frame.rip, rflags: frame.rflags, fsBase: control.block.pointee.fs_base,
      gsBase: control.block.pointee.gs_base)
    var effects: [Effect] = [.registers(values)]
    if let image = frame.xstate {
      effects.append(.extendedState(Payload(image)))
      try codec.write(p.guest.tid, image)
    }
    try append(
      p,
      EventHead(
        .systemCall, number: call.number, flags: .noReturn, rip: control.rip, value: frame.gpr[0],
        registers: call.hash, arguments: SixWords(call.arguments)), effects)
    control.rip = frame.rip
    control.block.pointee.rflags = frame.rflags
    try setMask(p, frame.mask)
    frame.altstack.restore(in: control, sp: frame.gpr[4])
    if frame.xstate == nil { try forceSegmentationFault(p) }
    control.block.pointee.answer = UInt64(BIS_ANSWER_MOVED.rawValue)
  }

  /// Sets the program's signal mask: its own, and what the kernel may know of it.
  func setMask(_ p: RecordedProcess, _ mask: UInt64) throws(GuestError) {
    let mine = mask & ~(1 << 8 | 1 << 18)
    p.control.block.pointee.signal_mask = mine
    if p.control.block.pointee.held_signals & ~mine != 0 { p.control.block.pointee.pending_signals = 1 }
    try kernel("set the signal mask") { () throws(Errno) in
      try Ptrace.setSignalMask(p.guest.tid, mine & ~faultSignals)
    }
  }
}
