import CABI
import CHarness
import Translate

nonisolated(unsafe) let tickLog = UnsafeMutablePointer<h_tick>.allocate(capacity: 200_000)
nonisolated(unsafe) let nativeLog = UnsafeMutablePointer<h_state>.allocate(capacity: 200_000)
nonisolated(unsafe) let hostLog = UnsafeMutablePointer<h_state>.allocate(capacity: 1_000_000)

func registers(_ t: h_tick) -> [UInt64] {
  withUnsafeBytes(of: t.gpr) { b in (0..<16).map { b.load(fromByteOffset: $0 * 8, as: UInt64.self) } }
}
func registers(_ t: h_state) -> [UInt64] {
  withUnsafeBytes(of: t.gpr) { b in (0..<16).map { b.load(fromByteOffset: $0 * 8, as: UInt64.self) } }
}

struct FuzzTotals { var programs = 0, runs = 0, ticks = 0, expiries = 0, states = 0, skipped = 0 }

extension Guest {
  /// Compares one program with its native run in every way there is. `name` is for messages.
  func compare(_ p: UInt64, _ name: String, _ totals: inout FuzzTotals, random: inout SystemRandomNumberGenerator) {
    reset()
    let ticks = Int(h_step(p, tickLog, 100_000))
    if ticks < 0 || h_signal() != 5 {
      totals.skipped += 1
      return
    }
    // Values, without single-stepping (pushf shows TF).
    reset()
    _ = h_enter(p)
    let native = outcome(h_fault_rip() - 1)
    totals.programs += 1
    totals.ticks += ticks
    // Plain run, cold and warm.
    for round in 0..<2 {
      reset()
      plain(p, "\(name) round \(round)", native, ticks)
      totals.runs += 1
    }
    // Every tick expires.
    reset()
    setWords(repeating: 1)
    var seen = 0
    expiring(p, "\(name) each tick", native, ticks, &seen) { (0..<8).map { _ in 1 } }
    totals.expiries += seen
    for _ in 0..<2 {
      reset()
      setWords((0..<8).map { _ in UInt64.random(in: 1...20) })
      expiring(p, "\(name) random budget", native, ticks, &seen) { (0..<8).map { _ in UInt64.random(in: 1...20) } }
    }
    traced(p, name, &totals)
  }

  private func plain(_ p: UInt64, _ name: String, _ native: Outcome, _ ticks: Int) {
    let stop = run(p)
    guard case .trap(let host) = stop else { return check(false, "\(name): \(stop) \(located(stop))") }
    let got = outcome(guestAt(host) ?? 0)
    check(got == native, "\(name): \(difference(got, native))")
    check(ticksDone() == ticks, "\(name): ticks \(ticksDone()), native \(ticks)")
  }

  private func expiring(
    _ p: UInt64, _ name: String, _ native: Outcome, _ ticks: Int, _ seen: inout Int, _ refill: @escaping () -> [UInt64]
  ) {
    var total = 0
    var count = 0
    let stop = run(
      p,
      missed: { target in
        let k = total + self.ticksDone()
        let t = tickLog[k + (self.pendingUndo ? 1 : 0)]
        check(
          t.target == target && registers(t) == gpr(), "\(name): miss \(k) to \(hex(target)), native \(hex(t.target))")
      },
      expired: { guest in
        total += self.ticksDone()
        count += 1
        let t = tickLog[total - 1]
        check(total <= ticks && t.target == guest, "\(name): tick \(total) at \(hex(guest)), native \(hex(t.target))")
        check(registers(t) == gpr(), "\(name): registers at tick \(total)")
        check(t.flags == h_control()!.pointee.rflags & 0xCD5, "\(name): flags at tick \(total), \(hex(guest))")
        self.setWords(refill())
      })
    guard case .trap(let host) = stop else { return check(false, "\(name): \(stop) \(located(stop))") }
    let got = outcome(guestAt(host) ?? 0)
    check(got == native, "\(name): \(difference(got, native))")
    check(total + ticksDone() == ticks, "\(name): ticks \(total + ticksDone()), native \(ticks)")
    seen = count
  }

  var pendingUndo: Bool { false }

  /// Single-steps translated code: every state that `locate` claims must be a state of the native run, in order.
  private func traced(_ p: UInt64, _ name: String, _ totals: inout FuzzTotals) {
    var nativeCount = 0
    reset()
    _ = h_trace(p, base, base + 0x80000, nativeLog, 200_000, &nativeCount)
    if nativeCount >= 200_000 { return }
    var hostCount = 0
    reset()
    let stop = run(p, trace: hostLog, limit: 1_000_000, count: &hostCount)
    guard case .trap = stop, hostCount < 1_000_000 else { return check(false, "\(name) traced: \(stop)") }
    var j = 0
    var unknown = 0
    for k in 0..<hostCount {
      let s = hostLog[k]
      guard let l = translator.locate(host: s.rip) else {
        unknown += 1
        continue
      }
      if l.kind != .instruction { continue }
      var regs = registers(s)
      withUnsafeBytes(of: s.spill) { b in
        for r in l.restores { regs[r.register] = b.load(fromByteOffset: r.spill * 8, as: UInt64.self) }
      }
      var m = j
      while m < nativeCount && m < j + 12 && !(nativeLog[m].rip == l.guest && registers(nativeLog[m]) == regs) {
        m += 1
      }
      if m >= nativeCount || m >= j + 12 {
        check(
          false,
          "\(name): located \(hex(s.rip)) -> \(hex(l.guest)) after native \(hex(nativeLog[j].rip)) step \(j): \(zip(regs, registers(nativeLog[j])).enumerated().filter { $0.1.0 != $0.1.1 }.map { ($0.0, hex($0.1.0), hex($0.1.1)) })"
        )
        return
      }
      j = m
      totals.states += 1
    }
    check(unknown == 0, "\(name): \(unknown) host addresses unknown")
    check(j == nativeCount - 1, "\(name): located up to \(j) of \(nativeCount)")
  }

  func difference(_ a: Outcome, _ b: Outcome) -> String {
    var s = ""
    for i in 0..<16 where a.gpr[i] != b.gpr[i] { s += " r\(i) \(hex(a.gpr[i])) native \(hex(b.gpr[i]))" }
    if a.flags != b.flags { s += " flags \(hex(a.flags)) native \(hex(b.flags))" }
    if a.memory != b.memory { s += " memory" }
    if a.rip != b.rip { s += " rip \(hex(a.rip)) native \(hex(b.rip))" }
    return s
  }

  func located(_ stop: Stop) -> String {
    if case .fault(_, let h) = stop, let l = translator.locate(host: h) {
      return "guest \(hex(l.guest)) base \(hex(base))"
    }
    return ""
  }
}
