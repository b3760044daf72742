import CABI
import Glibc
import Guest
import Linux
import Syscalls
import Tape
import Trace

/// Where a replay differs from its recording, in words.
extension ReplaySession {
  func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  func currentDirectory() -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    guard getcwd(&buffer, buffer.count) != nil else { return "" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func divergence(_ p: ReplayedProcess, _ what: String) -> GuestError {
    let block = p.control.block.pointee
    return .replay(
      "the replay differs from the recording",
      "this is a bug in bis, or the trace was changed: please report it with the trace",
      "tape \(p.feed.tape) (pid \(p.recordedPID)), event \(block.event_count), tick \(p.control.ticks), "
        + "address \(hex(p.control.rip)): \(what)")
  }

  /// REASON_DIVERGED: arg0 = what, arg1 = expected, arg2 = found.
  func diverged(_ p: ReplayedProcess) -> GuestError {
    let expected = p.control.arguments[1], found = p.control.arguments[2]
    let number = UInt32(truncatingIfNeeded: p.control.gpr[0])
    let call = Syscalls.name(number)
    switch bis_divergence(rawValue: UInt32(truncatingIfNeeded: p.control.arguments[0])) {
    case BIS_DIVERGED_KIND:
      let kind = EventKind(rawValue: UInt8(truncatingIfNeeded: expected)).map { "\($0)" } ?? "kind \(expected)"
      return divergence(p, "expected \(kind), found the system call \(call) or an instruction of kind \(found)")
    case BIS_DIVERGED_NUMBER:
      return divergence(
        p,
        "expected \(Syscalls.name(UInt32(truncatingIfNeeded: expected))), found \(Syscalls.name(UInt32(truncatingIfNeeded: found)))"
      )
    case BIS_DIVERGED_TICKS: return divergence(p, "expected tick \(expected), found \(found) (at \(call))")
    case BIS_DIVERGED_RIP: return divergence(p, "expected address \(hex(expected)), found \(hex(found)) (at \(call))")
    case BIS_DIVERGED_REGISTERS: return divergence(p, "registers differ at \(call)")
    case BIS_DIVERGED_END: return divergence(p, "the tape ends before the program does")
    case BIS_DIVERGED_MAPPING:
      return divergence(p, "a mapping cannot be made as recorded (\(hex(expected)): \(Int64(bitPattern: found)))")
    case BIS_DIVERGED_MALFORMED: return divergence(p, "a malformed effect (\(hex(expected)), \(found) bytes)")
    default: return divergence(p, "expected \(hex(expected)), found \(hex(found))")
    }
  }

  /// Compares registers and all recorded writable memory.
  func compareChecksums(_ p: ReplayedProcess, _ event: Event) throws(GuestError) {
    report.checksums += 1
    let registers = try p.guest.registerChecksum(codec)
    if registers != event.head.value { throw divergence(p, "the checksum of the registers differs") }
    let ofContent = event.head.number == UInt32(BIS_CHECKSUM_CONTENT)
    let maps = try kernel("read the memory map") { () throws(Errno) in try memoryMaps(of: p.guest.tid) }
    let content = MemoryContent(of: p.guest, maps)
    for case .checksumRange(let address, let length, let checksum) in event.effects {
      let found = try ofContent ? content.checksum(address, length) : p.guest.checksum(address, length)
      if found != checksum {
        throw divergence(p, "memory at \(hex(address))…\(hex(address + length)) differs")
      }
    }
  }
}
