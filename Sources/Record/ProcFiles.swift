import BisRuntime
import CABI
import CPUModel
import Guest
import Linux

/// Files in /proc that would show the host or bis itself: the program gets copies without that.
extension RecordSession {
  /// open, openat or openat2 of a path in /proc. True when the call has been taken over.
  func openProc(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) -> Bool {
    let pathAddress = call.arguments[call.number == 2 ? 0 : 1]
    let flags = openFlags(p, call)
    guard let path = openedPath(p, call, pathAddress) else { return false }
    if flags & 3 != 0 { noteMemoryFile(p, path) }
    guard flags & 3 == 0, let content = try procContent(p, path) else { return false }
    p.pending = call
    p.pending?.copy = (content, flags)
    p.control.answers[0] = 319  // memfd_create; any name will do, so the path itself
    p.control.arguments[0] = pathAddress
    p.control.arguments[1] = flags & 0o2000000 != 0 ? 1 : 0
    p.control.block.pointee.answer = UInt64(BIS_ANSWER_AFTER.rawValue)
    return true
  }

  /// The tracer that a process sees is not bis.
  private func withTracer(_ text: [UInt8], _ tid: ThreadID) -> [UInt8] {
    let tracer = ptrace.tracees[tid]?.tracer ?? 0
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map {
      $0.hasPrefix("TracerPid:") ? "TracerPid:\t\(tracer)" : String($0)
    }
    return Array(lines.joined(separator: "\n").utf8)
  }

  /// The program has the descriptor of an empty memory file: fills it.
  func fillProc(_ p: RecordedProcess, _ call: PendingCall, _ result: Int64) throws(GuestError) {
    if result >= 0, let copy = call.copy {
      try kernel("write a copy of a /proc file") { () throws(Errno) in
        let file = try Descriptor.open("/proc/\(p.guest.tid)/fd/\(result)", flags: 2)
        try file.writeFully(copy.content)
      }
      try openAgain(p, UInt64(result), copy.flags)
    }
    try finish(p, call, result)
  }

  private func openFlags(_ p: RecordedProcess, _ call: PendingCall) -> UInt64 {
    if call.number == 2 { return call.arguments[1] }
    if call.number == 257 { return call.arguments[2] }
    let how = try? p.guest.read(call.arguments[2], 8)  // openat2: struct open_how
    return how?.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } ?? 0
  }

  /// Absolute, as the links in /proc tell where the directory is; nil: it cannot be read.
  private func openedPath(_ p: RecordedProcess, _ call: PendingCall, _ address: UInt64) -> String? {
    guard let bytes = try? readCString(p.guest.tid, address) else { return nil }
    let path = String(decoding: bytes, as: UTF8.self)
    if path.hasPrefix("/") { return path }
    let directory = Int32(truncatingIfNeeded: call.arguments[0])
    let isCurrent = call.number == 2 || directory == -100  // AT_FDCWD
    return readLink("/proc/\(p.guest.tid)/" + (isCurrent ? "cwd" : "fd/\(directory)")).map { "\($0)/\(path)" }
  }

  /// A memory file can be written to until it is opened again. (By its name in /proc: a program without one keeps it so.)
  private func openAgain(_ p: RecordedProcess, _ descriptor: UInt64, _ flags: UInt64) throws(GuestError) {
    let closeOnExec: UInt64 = 0o2000000, nonblocking: UInt64 = 0o4000
    for (i, byte) in "/proc/self/fd/\(descriptor)\0".utf8.enumerated() { p.control.path[i] = byte }
    let other = try p.guest.remoteCall(
      2, UInt64(BIS_WINDOW_BASE) + Control.pathOffset, flags & (closeOnExec | nonblocking))
    guard other >= 0 else { return }
    _ = try p.guest.remoteCall(292, UInt64(other), descriptor, flags & closeOnExec)  // dup3
    _ = try p.guest.remoteCall(3, UInt64(other))
  }

  /// The content of a file in /proc as the program may see it; nil: as it is.
  private func procContent(_ p: RecordedProcess, _ path: String) throws(GuestError) -> [UInt8]? {
    let parts = path.split(separator: "/").map(String.init).filter { $0 != "." }
    guard parts.first == "proc" else { return nil }
    if parts.count == 2, parts[1] == "cpuinfo" {  // (the program may have another /proc, or none)
      return (try? readFile("/proc/\(p.guest.tid)/root/proc/cpuinfo")).map(filteredCPUInfo)
    }
    guard parts.count == 3 || (parts.count == 5 && parts[2] == "task"), let kind = parts.last else { return nil }
    let subject = parts[1] == "self" || parts[1] == "thread-self" ? p.guest.tid : Int32(parts[1]).map { ThreadID($0) }
    guard let tid = subject, processes[tid] != nil else { return nil }
    func original() -> [UInt8]? { try? readFile("/proc/\(tid)/\(kind)") }
    switch kind {
    case "maps": return original().map { withProgramRights(withoutRegion($0, headersOnly: false), processes[tid]) }
    case "status": return original().map { withTracer($0, tid) }
    case "numa_maps": return original().map { withoutRegion($0, headersOnly: false) }
    case "smaps": return original().map { withoutRegion($0, headersOnly: true) }
    case "auxv": return original().map(patchedAuxiliaryVector)
    default: return nil  // (not read: pagemap has no end)
    }
  }

  /// Takes the region's lines out of a maps file; in smaps the lines of detail behind each go with it.
  private func withoutRegion(_ text: [UInt8], headersOnly: Bool) -> [UInt8] {
    var out: [UInt8] = []
    var keep = true
    for line in text.split(separator: 10, omittingEmptySubsequences: true) {
      let word = line.prefix { $0 != UInt8(ascii: " ") }
      let first = String(decoding: word.prefix { $0 != UInt8(ascii: "-") }, as: UTF8.self)
      let isHeader = !headersOnly || word.contains(UInt8(ascii: "-"))
      if isHeader, let start = UInt64(first, radix: 16) {
        keep = start < UInt64(BIS_REGION_BASE) || start >= UInt64(BIS_REGION_END)
      }
      if keep { out += line + [10] }
    }
    return out
  }

  /// Shared mappings as the program made them: pages that belong to other processes now are protected behind its back.
  private func withProgramRights(_ text: [UInt8], _ process: RecordedProcess?) -> [UInt8] {
    guard let views = process?.views.sorted(by: { $0.low < $1.low }), !views.isEmpty else { return text }
    var out: [UInt8] = []
    for line in text.split(separator: 10, omittingEmptySubsequences: true) {
      let words = line.split(separator: 32, maxSplits: 2, omittingEmptySubsequences: false)
      let bounds = words[0].split(separator: UInt8(ascii: "-")).map {
        UInt64(String(decoding: $0, as: UTF8.self), radix: 16)
      }
      guard words.count == 3, bounds.count == 2, let low = bounds[0],
        let view = views.first(where: { low >= $0.low && low < $0.high })
      else {
        out += line + [10]
        continue
      }
      guard low == view.low else { continue }  // (part of the line before)
      let rights = zip("rwx", [1, 2, 4] as [UInt64]).map { view.protection & $1 != 0 ? String($0) : "-" }.joined()
      out += Array("\(String(view.low, radix: 16))-\(String(view.high, radix: 16)) \(rights)s ".utf8) + words[2] + [10]
    }
    return out
  }

  private func patchedAuxiliaryVector(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    bytes.withUnsafeMutableBytes { b in
      for at in stride(from: 0, to: b.count - 15, by: 16) {
        switch b.load(fromByteOffset: at, as: UInt64.self) {
        case 33: b.storeBytes(of: 1, toByteOffset: at, as: UInt64.self)  // AT_SYSINFO_EHDR
        case 16: b.storeBytes(of: region.profile.hwcap, toByteOffset: at + 8, as: UInt64.self)
        case 26: b.storeBytes(of: region.profile.hwcap2, toByteOffset: at + 8, as: UInt64.self)
        case 51:
          b.storeBytes(of: UInt64(region.profile.minimumSignalStackSize), toByteOffset: at + 8, as: UInt64.self)
        default: break
        }
      }
    }
    return bytes
  }

  private func filteredCPUInfo(_ bytes: [UInt8]) -> [UInt8] {
    var out = ""
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false) {
      guard line.hasPrefix("flags"), let colon = line.firstIndex(of: ":") else {
        out += line + "\n"
        continue
      }
      let flags = line[line.index(after: colon)...].split(separator: " ").filter {
        region.profile.allowsCPUInfoFlag($0)
      }
      out += line[...colon] + " " + flags.joined(separator: " ") + "\n"
    }
    if out.hasSuffix("\n\n") { out.removeLast() }
    return Array(out.utf8)
  }
}
