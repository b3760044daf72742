import CABI
import Guest
import Linux
import Tape

/// Memory of traced processes: by ptrace, by process_vm_writev, by /proc/PID/mem.
extension RecordSession {
  /// Bytes of a tracee's memory; nil when they are not all there.
  func programBytes(_ q: RecordedProcess, _ tid: ThreadID, _ address: UInt64, _ count: Int) -> [UInt8]? {
    let end = address &+ UInt64(count)
    guard end > address, end <= UInt64(BIS_REGION_BASE) || address >= UInt64(BIS_REGION_END) else { return nil }
    return try? readBytes(tid, address, count: count)
  }

  /// Writes to a tracee's memory. False: it cannot be written.
  func pokeChecked(
    _ q: RecordedProcess, _ t: Tracee, _ address: UInt64, _ bytes: [UInt8]
  ) throws(GuestError) -> Bool {
    guard programBytes(q, t.tid, address, bytes.count) != nil else { return false }
    let end = address + UInt64(bytes.count)
    if q.views.contains(where: { $0.low < end && $0.high > address }) {
      warn("a tracer writes to memory that its tracee shares: not supported in this version; it fails with EIO")
      return false
    }
    guard standsStill(q) else {
      warn("a tracer writes to memory while another thread of its tracee runs: not supported; it fails with EIO")
      return false
    }
    do throws(GuestError) {
      try poke(q, t, address, bytes)
      return true
    } catch {
      if case .kernel = error { return false }
      throw error
    }
  }

  /// process_vm_writev to a tracee.
  func writeOther(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    let a = call.arguments
    let tid = ThreadID(Int32(truncatingIfNeeded: a[0]))
    guard let t = ptrace.tracees[tid], t.tracer == p.guest.pid, t.stop != nil, let q = processes[tid] else {
      warn("process_vm_writev to a process that the caller does not trace: not supported; it fails with EPERM")
      return try finish(p, call, -1)
    }
    func vectors(_ address: UInt64, _ count: UInt64) -> [(UInt64, UInt64)]? {
      guard count <= 1024, let b = try? readBytes(p.guest.tid, address, count: Int(count) * 16) else { return nil }
      let words = b.withUnsafeBytes { w in
        (0..<Int(count) * 2).map { w.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
      }
      return stride(from: 0, to: words.count, by: 2).map { (words[$0], words[$0 + 1]) }
    }
    guard let local = vectors(a[1], a[2]), let remote = vectors(a[3], a[4]) else { return try finish(p, call, -14) }
    var bytes: [UInt8] = []
    for (address, length) in local where length > 0 {
      guard length <= 1 << 30, let b = try? readBytes(p.guest.tid, address, count: Int(length)) else { break }
      bytes += b
    }
    var done = 0
    for (address, length) in remote where length > 0 && done < bytes.count {
      let part = Array(bytes[done..<min(bytes.count, done + Int(min(length, 1 << 30)))])
      guard try pokeChecked(q, t, address, part) else { break }
      done += part.count
    }
    try finish(p, call, done > 0 || bytes.isEmpty ? Int64(done) : -14)
  }

  // MARK: /proc/PID/mem

  /// A program opens a file to write to it: if that is the memory of a process, its writes are seen from now on.
  func noteMemoryFile(_ p: RecordedProcess, _ path: String) {
    let parts = path.split(separator: "/")
    guard parts.first == "proc", parts.last == "mem", parts.count == 3 || parts.count == 5 else { return }
    p.writesMemoryFiles = true
    updateTracing(p)
  }

  /// A write of a process that has such a file.
  func writeFile(_ p: RecordedProcess, _ call: PendingCall) throws(GuestError) {
    let a = call.arguments
    let fd = Int32(truncatingIfNeeded: a[0])
    guard let path = readLink("/proc/\(p.guest.tid)/fd/\(fd)"), path.hasPrefix("/proc/"), path.hasSuffix("/mem") else {
      p.control.block.pointee.answer = UInt64(BIS_ANSWER_HOT.rawValue)
      return
    }
    let parts = path.split(separator: "/")
    guard call.number == 1 || call.number == 18, a[2] <= 1 << 30, parts.count > 2,
      let number = Int32(parts[parts.count - 2])
    else {
      warn("writev to /proc/PID/mem is not supported in this version: it fails with EIO")
      return try finish(p, call, -5)
    }
    guard let bytes = try? readBytes(p.guest.tid, a[1], count: Int(a[2])) else { return try finish(p, call, -14) }
    var address = a[3]
    if call.number == 1 {
      address = UInt64(bitPattern: try p.guest.remoteCall(8, UInt64(UInt32(bitPattern: fd)), 0, 1))
    }
    let result = try writeMemoryFile(p, ThreadID(number), address, bytes)
    if call.number == 1, result.result > 0 {
      _ = try p.guest.remoteCall(8, UInt64(UInt32(bitPattern: fd)), UInt64(result.result), 1)
    }
    try finish(p, call, result.result, result.effects)
  }

  private func writeMemoryFile(
    _ p: RecordedProcess, _ tid: ThreadID, _ address: UInt64, _ bytes: [UInt8]
  ) throws(GuestError) -> TraceAnswer {
    if tid.rawValue == p.guest.pid {  // its own memory
      guard isWritable(p, address, bytes.count) else {
        warn("\(p.executable) writes to its own code or to read-only memory by /proc: not supported; it fails with EIO")
        return .error(5)
      }
      try p.guest.write(address, bytes)
      return TraceAnswer(result: Int64(bytes.count), effects: memoryEffects(address, bytes))
    }
    let mine = ptrace.tracees.values.first {
      $0.tracer == p.guest.pid && $0.stop != nil && ($0.tid == tid || processes[$0.tid]?.guest.pid == tid.rawValue)
    }
    guard let t = mine, let q = processes[t.tid] else {
      warn("a write to /proc/PID/mem of a process that the caller does not trace (or that runs): it fails with EIO")
      return .error(5)
    }
    return try pokeChecked(q, t, address, bytes) ? TraceAnswer(result: Int64(bytes.count)) : .error(5)
  }

  /// Whether the program itself could write there.
  private func isWritable(_ p: RecordedProcess, _ address: UInt64, _ count: Int) -> Bool {
    let end = address &+ UInt64(count)
    guard end >= address, !p.guest.hasCode(low: address, high: end),
      !p.views.contains(where: { $0.low < end && $0.high > address }), let maps = try? memoryMaps(of: p.guest.tid)
    else { return false }
    return maps.contains {
      $0.start <= address && end <= $0.end && $0.write
        && ($0.start >= UInt64(BIS_REGION_END) || $0.end <= UInt64(BIS_REGION_BASE))
    }
  }
}
