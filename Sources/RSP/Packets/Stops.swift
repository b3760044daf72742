// Stop replies: T W X w N.

extension Session {
  /// The reply to everything that ran, and to `?`.
  func reply(to stop: StopReply) -> Reply {
    switch stop {
    case .stopped(let thread, let signal, let reason): return .bytes(stopText(thread, signal, reason))
    case .exited(let process, let status):
      return .text("W\(hexByte(UInt8(truncatingIfNeeded: status)))" + suffix(process))
    case .killed(let process, let signal): return .text("X\(hexByte(gdbSignal(signal)))" + suffix(process))
    case .threadExited(let thread, let status):
      return .text("w\(hexByte(UInt8(truncatingIfNeeded: status)));\(name(thread))")
    case .nothingLeft: return client.contains("no-resumed") ? .text("N") : .text("W00")
    }
  }

  private func suffix(_ process: Int) -> String {
    client.contains("multiprocess") ? ";process:\(hex(process))" : ""
  }

  private func stopText(_ thread: ThreadID, _ signal: Int, _ reason: StopReason?) -> [UInt8] {
    var text = "T\(hexByte(gdbSignal(signal)))thread:\(name(thread));"
    if let reason = reason.flatMap({ reasonText($0) }) { text += "\(reason);" }
    return Array(text.utf8) + expeditedText(thread)
  }

  /// Nil: this gdb cannot read it, or it is implied.
  private func reasonText(_ reason: StopReason) -> String? {
    switch reason {
    case .softwareBreakpoint: return client.contains("swbreak") ? "swbreak:" : nil
    case .hardwareBreakpoint: return client.contains("hwbreak") ? "hwbreak:" : nil
    case .watchpoint(let kind, let address):
      let names: [BreakpointKind: String] = [.write: "watch", .read: "rwatch", .access: "awatch"]
      return names[kind].map { "\($0):\(hex(address))" }
    case .systemCallEntry(let number): return "syscall_entry:\(hex(number))"
    case .systemCallReturn(let number): return "syscall_return:\(hex(number))"
    case .fork(let child): return client.contains("fork-events") ? "fork:\(name(child))" : nil
    case .vfork(let child): return client.contains("vfork-events") ? "vfork:\(name(child))" : nil
    case .vforkDone: return client.contains("vfork-events") ? "vforkdone:" : nil
    case .exec where isLLDB: return "reason:exec"
    case .exec(let path): return client.contains("exec-events") ? "exec:\(hexText(path))" : nil
    case .threadCreated: return "create:"
    case .historyBegin: return "replaylog:begin"
    case .historyEnd: return "replaylog:end"
    }
  }

  private func expeditedText(_ thread: ThreadID) -> [UInt8] {
    guard let registers = target.registers else { return [] }
    let known = target.targetDescription.registers
    var text: [UInt8] = []
    for index in target.targetDescription.expedited where known.indices.contains(index) {
      guard let value = try? registers.registerValue(index, of: thread), value.count == known[index].byteCount else {
        continue
      }
      text += Array("\(hexByte(UInt8(truncatingIfNeeded: index))):".utf8) + hexText(value) + [UInt8(ascii: ";")]
    }
    return text
  }
}
