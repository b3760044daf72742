// Events as lines for people and as JSON.
import Syscalls
import Tape
import Trace

/// Describes the events of one recording.
struct EventDescriber {
  let manifest: Manifest

  /// `1234     17  17:30:05.123456  read(...) = 832  0x7ffe10 <- "\x7fELF"...`
  func line(_ event: Event, of tape: Manifest.TapeInfo) -> String {
    let pid = String(tape.pid)
    let number = String(event.index)
    let time = wallClock(manifest.recording.nanoseconds(ofTSC: event.head.tsc), date: false)
    let effects = event.effects.prefix(4).compactMap(text).map { "  " + $0 }.joined()
    let more = event.effects.count > 4 ? "  and \(event.effects.count - 4) more" : ""
    return "\(right(pid, 7)) \(right(number, 7))  \(time)  \(call(event))\(effects)\(more)"
  }

  /// What happened, without the effects.
  private func call(_ event: Event) -> String {
    let head = event.head
    switch head.kind {
    case .systemCall:
      let hasResult = !head.flags.contains(.noReturn)
      let stream =
        head.flags.contains(.echoOut)
        ? "  (standard output)" : head.flags.contains(.echoError) ? "  (standard error)" : ""
      let text = Syscalls.describe(
        number: head.number, arguments: head.arguments.array,
        result: hasResult ? Int64(bitPattern: head.value) : nil)
      return text + stream
    case .cpu:
      return "\(Self.instruction(head.number)) = \(hexadecimal(head.value))"
        + (head.value2 != 0 ? ", \(hexadecimal(head.value2))" : "")
    case .signal:
      let cause =
        head.flags.contains(.asynchronous) ? "at tick \(head.ticks)" : head.value == 1 ? "fault" : "at the event before"
      let what = head.number == 0 ? "changed by its tracer" : Syscalls.signalName(Int(head.number))
      return "--- \(what) (\(cause)) at \(hexadecimal(head.rip)) ---"
    case .start: return head.number == 2 ? "+++ born by fork +++" : "+++ starts +++"
    case .exit:
      return head.number == 0
        ? "+++ exited with \(head.value) +++" : "+++ killed by \(Syscalls.signalName(Int(head.value))) +++"
    case .exec: return "+++ goes on as \(manifest.tape(head.value)?.commandLine ?? "tape \(head.value)") +++"
    case .checksum: return "checksum of registers \(hexadecimal(head.value)), of memory \(hexadecimal(head.value2))"
    case .vforkLeave: return "vfork returns \(head.value)"
    case .threadSwitch: return "switch to thread \(head.tid)"
    case .lost: return "+++ the recording stopped here +++"
    case .page: return "shared memory at \(hexadecimal(head.value)) has changed"
    }
  }

  /// One effect; nil for those that every event of its kind has and nobody wants to see.
  private func text(_ effect: Effect) -> String? {
    switch effect {
    case .memory(let address, let payload):
      let shown = quoted(bytes: payload.bytes, limit: 32)
      return "\(hexadecimal(address)) <- \(shown)" + (payload.length > 32 ? " (\(payload.length) bytes)" : "")
    case .map(let mapping):
      let file = mapping.file.map { " of \(manifest.file($0)?.path ?? "file \($0)")" } ?? ""
      return "maps \(range(mapping.address, mapping.length))\(file)"
    case .unmap(let address, let length): return "unmaps \(range(address, length))"
    case .protect(let address, let length, let protection):
      return "protects \(range(address, length)) \(Self.protection(protection))"
    case .remap(let old, let oldLength, let new, let newLength):
      return "moves \(range(old, oldLength)) to \(range(new, newLength))"
    case .process(let tape, let pid): return "process \(pid) on tape \(tape)"
    case .advise(let address, let length, _): return "advises \(range(address, length))"
    case .output(let stream, let payload):
      return "\(payload.length) bytes to standard \(stream == 1 ? "output" : "error")"
    case .thread(let tid, let stack, _): return "thread \(tid), stack \(hexadecimal(stack))"
    case .name(let low, let high): return "is called \(threadName(low, high))"
    case .bases, .limit, .registers, .extendedState, .signalInfo, .checksumRange: return nil
    }
  }

  private func threadName(_ low: UInt64, _ high: UInt64) -> String {
    let words = (low.littleEndian, high.littleEndian)
    return withUnsafeBytes(of: words) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  private func range(_ address: UInt64, _ length: UInt64) -> String {
    "\(hexadecimal(address))-\(hexadecimal(address &+ length))"
  }

  /// The event with its effects, without bytes of memory.
  func json(_ event: Event, of tape: Manifest.TapeInfo) -> JSON {
    let head = event.head
    var fields: [(String, JSON)] = [
      ("tape", .number(tape.number)), ("pid", .signed(Int64(tape.pid))), ("event", .number(event.index)),
      ("kind", .string("\(head.kind)")), ("stamp", .number(head.stamp)), ("tid", .number(UInt64(head.tid))),
      ("nanoseconds", .signed(manifest.recording.nanoseconds(ofTSC: head.tsc))), ("ticks", .number(head.ticks)),
      ("rip", .string(hexadecimal(head.rip))),
    ]
    switch head.kind {
    case .systemCall:
      fields += [("name", .string(Syscalls.name(head.number))), ("number", .number(UInt64(head.number)))]
      if !head.flags.contains(.noReturn) { fields.append(("result", .signed(Int64(bitPattern: head.value)))) }
    case .cpu:
      fields += [("name", .string(Self.instruction(head.number))), ("value", .string(hexadecimal(head.value)))]
    case .signal: fields.append(("name", .string(Syscalls.signalName(Int(head.number)))))
    case .exit: fields.append((head.number == 0 ? "status" : "signal", .number(head.value)))
    case .exec: fields.append(("next", .number(head.value)))
    case .start, .checksum, .vforkLeave, .threadSwitch, .lost, .page: break
    }
    if !event.effects.isEmpty { fields.append(("effects", .list(event.effects.map(json)))) }
    return .object(fields)
  }

  private func json(_ effect: Effect) -> JSON {
    func fields(_ address: UInt64, _ length: UInt64, _ more: [(String, JSON)] = []) -> JSON {
      .object(
        [("kind", .string("\(effect.kind)")), ("address", .string(hexadecimal(address))), ("length", .number(length))]
          + more)
    }
    switch effect {
    case .memory(let address, let payload): return fields(address, UInt64(payload.length))
    case .map(let mapping):
      let path = mapping.file.flatMap { manifest.file($0)?.path }
      return fields(
        mapping.address, mapping.length,
        [("protection", .string(Self.protection(UInt64(mapping.protection))))]
          + (path.map { [("file", .string($0))] } ?? []))
    case .unmap(let address, let length): return fields(address, length)
    case .protect(let address, let length, let protection):
      return fields(address, length, [("protection", .string(Self.protection(protection)))])
    case .remap(let old, let oldLength, let new, let newLength):
      return fields(new, newLength, [("from", .string(hexadecimal(old))), ("fromLength", .number(oldLength))])
    case .process(let tape, let pid):
      return .object([("kind", .string("process")), ("tape", .number(tape)), ("pid", .number(pid))])
    case .checksumRange(let address, let length, let checksum):
      return fields(address, length, [("checksum", .string(hexadecimal(checksum)))])
    case .advise(let address, let length, let advice): return fields(address, length, [("advice", .number(advice))])
    case .name(let low, let high):
      return .object([("kind", .string("name")), ("name", .string(threadName(low, high)))])
    case .thread(let tid, let stack, let fs):
      return .object([
        ("kind", .string("thread")), ("tid", .number(tid)), ("stack", .string(hexadecimal(stack))),
        ("fs", .string(hexadecimal(fs))),
      ])
    case .bases, .limit, .output, .registers, .extendedState, .signalInfo:
      return .object([("kind", .string("\(effect.kind)"))])
    }
  }

  private func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  /// `r-x`
  private static func protection(_ bits: UInt64) -> String {
    (bits & 1 != 0 ? "r" : "-") + (bits & 2 != 0 ? "w" : "-") + (bits & 4 != 0 ? "x" : "-")
  }

  /// Name of `enum bis_special`.
  private static func instruction(_ number: UInt32) -> String {
    let names = [
      "", "CPUID", "RDTSC", "RDTSCP", "XGETBV", "RDRAND", "RDSEED", "RDPID", "RDPKRU", "WRPKRU", "XSAVE", "XSAVEC",
      "XSAVEOPT", "XRSTOR", "FXSAVE", "FNSTENV", "FNSAVE", "FXRSTOR", "RDGSBASE", "WRGSBASE", "INT80",
    ]
    return number > 0 && number < names.count ? names[Int(number)] : "instruction \(number)"
  }
}
