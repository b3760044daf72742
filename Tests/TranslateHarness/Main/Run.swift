import CABI
import CHarness
import Translate

enum Stop: Equatable {
  case trap(UInt64)  // host address of the int3
  case fault(Int, UInt64)  // signal, host address
  case special(op: UInt32, next: UInt64, operand: UInt8, size: UInt8, flags: UInt8, resume: UInt64)
  case syscall(next: UInt64, resume: UInt64)
  case lost(UInt64)  // target outside of all domains
  case failed(String)
}

extension Guest {
  /// Runs translated code from a guest address until something stops it. `expired` is called with the head's guest
  /// address when a tick word ran out (it must refill the words); `missed` before an indirect transfer is resolved.
  func run(
    _ guest: UInt64, resume: UInt64? = nil, trace: UnsafeMutablePointer<h_state>? = nil, limit: Int = 0,
    count: UnsafeMutablePointer<Int>? = nil, missed: ((UInt64) -> Void)? = nil, expired: ((UInt64) -> Void)? = nil
  ) -> Stop {
    var at: UInt64
    do {
      at = try resume ?? translator.translate(domain(guest)!, at: guest, kind: .body, view: view, lookahead: lookahead)
    } catch { return .failed("\(error)") }
    while true {
      var reason: Int32
      if let trace, let count {
        reason = h_trace(at, 0x5554_E000_0000, 0x5554_F800_0000, trace, limit, count)
      } else {
        reason = h_enter(at)
      }
      let c = h_control()!
      switch Int(reason) {
      case H_EXIT:
        let number = UInt32(truncatingIfNeeded: c.pointee.descriptor)
        let t = translator.exitTarget(number)
        do {
          at = try translator.translate(t.domain, at: t.guest, kind: t.kind, view: view, lookahead: lookahead)
        } catch { return .failed("exit to \(hex(t.guest)): \(error)") }
      case H_MISS:
        let target = spill(1)
        missed?(target)
        guard let d = domain(target) else { return .lost(target) }
        do {
          at = try translator.translate(d, at: target, kind: .indirect, view: view, lookahead: lookahead)
        } catch { return .failed("miss to \(hex(target)): \(error)") }
        h_fill(target, at)
      case H_EXPIRED:
        let body = c.pointee.descriptor
        guard let g = translator.guestAddress(ofBody: body) else { return .failed("no head at body \(hex(body))") }
        guard let expired else { return .failed("expired at \(hex(g))") }
        expired(g)
        at = body
      case H_SPECIAL, H_SYSCALL:
        let p = UnsafeRawPointer(bitPattern: UInt(c.pointee.descriptor))!
        let next = p.load(as: UInt64.self)
        let op = p.load(fromByteOffset: 8, as: UInt32.self)
        if Int(reason) == H_SYSCALL { return .syscall(next: next, resume: c.pointee.descriptor + 16) }
        return .special(
          op: op, next: next, operand: p.load(fromByteOffset: 13, as: UInt8.self),
          size: p.load(fromByteOffset: 14, as: UInt8.self), flags: p.load(fromByteOffset: 15, as: UInt8.self),
          resume: c.pointee.descriptor + 16)
      default:
        if h_signal() == 5 { return .trap(h_fault_rip() - 1) }
        return .fault(Int(h_signal()), h_fault_rip())
      }
    }
  }

  /// The guest address of a host address at an instruction boundary.
  func guestAt(_ host: UInt64) -> UInt64? {
    guard let l = translator.locate(host: host), l.kind == .instruction else { return nil }
    return l.guest
  }
}

func hex(_ v: UInt64) -> String { "0x" + String(v, radix: 16) }

nonisolated(unsafe) var failures = 0
func check(_ ok: Bool, _ what: @autoclosure () -> String) {
  if ok { return }
  failures += 1
  if failures <= 30 { print("FAIL: \(what())") }
}
