import CABI
import Guest
import Linux
import Translate

/// What the runtime says of watched memory (bis_abi.h, BIS_DEBUG_AT_WATCH, BIS_DEBUG_AT_TOUCHED).
struct Touch {
  /// Of the stop set's watchpoints; nil: not known yet.
  var index: Int?
  var address: UInt64
  var certainty: bis_touch
  /// Repeated string instructions: bytes of an element.
  var elementSize: UInt64
  /// enum bis_watch_bits.
  var bits: UInt32
  /// It has happened already, in an event.
  var isDone: Bool
}

/// The same with what is needed to tell, when the instruction is done, whether it was so.
struct Ahead {
  var touch: Touch
  var event: UInt64
  /// Where a repeated instruction begins.
  var start: UInt64
  var isDownwards: Bool
  /// Bytes of watchpoints, as they were, where the instruction itself does not tell enough.
  var before: [(watchpoint: Watchpoint, address: UInt64, bytes: [UInt8])]
}

extension Watchpoint {
  /// What a write to `[address, address + length)` touches of it; nil: nothing, or it is for reads.
  fileprivate func written(_ address: UInt64, _ length: UInt64) -> Range<UInt64>? {
    let low = max(address, self.address)
    let high = min(address &+ length, self.address &+ self.length)
    return low < high && kind != .read ? low..<high : nil
  }
}

extension Control {
  /// Something that the runtime is to tell on its way back to program code was touched.
  var isTouched: Bool { block.pointee.debug.flags & UInt64(BIS_DEBUG_TOUCHED.rawValue) != 0 }

  /// - Parameter watchpoint: its index in the stop set.
  fileprivate func setTouched(_ watchpoint: Int, _ address: UInt64) {
    block.pointee.debug.touched = UInt64(watchpoint)
    block.pointee.debug.touched_address = address
    block.pointee.debug.flags |= UInt64(BIS_DEBUG_TOUCHED.rawValue)
  }
}

extension ReplaySession {
  /// The process is about to touch watched memory, or an event did. False: the process waits.
  func debugTouch(_ p: ReplayedProcess, _ focus: Focus) throws(GuestError) -> Bool {
    let arguments = p.control.arguments
    let isDone = arguments[0] == UInt64(BIS_DEBUG_AT_TOUCHED.rawValue)
    let index = Int(exactly: arguments[1])
    let isKnown = index.map { $0 < focus.stops.watchpoints.count } ?? false
    // (a process that nobody watches runs code that asks)
    if focus.stops.watchpoints.isEmpty || (index != nil && !isKnown) { return true }
    if isDone, let l = region.translator.locate(host: p.control.block.pointee.resume_host), l.kind == .instruction {
      p.control.rip = l.guest
    }
    focus.touch = Touch(
      index: index, address: arguments[2],
      certainty: isDone ? BIS_TOUCH_EXACT : bis_touch(rawValue: UInt32(truncatingIfNeeded: arguments[3])),
      elementSize: arguments[4], bits: UInt32(truncatingIfNeeded: arguments[5]), isDone: isDone)
    focus.stop = .watchpoint(focus.stops.watchpoints[index ?? 0], address: arguments[2])
    return false
  }

  /// What is watched, before an event changes memory that others share: only what changes counts.
  func watchedBytes(_ p: ReplayedProcess, _ address: UInt64, _ length: UInt64) -> [(low: UInt64, bytes: [UInt8])?] {
    guard let focus, focus.process === p else { return [] }
    return focus.stops.watchpoints.map { w in
      w.written(address, length).map { ($0.lowerBound, p.guest.readable($0.lowerBound, $0.count)) }
    }
  }

  /// The same afterwards: the debugger wants to know if it has changed.
  func noteChanged(_ p: ReplayedProcess, _ before: [(low: UInt64, bytes: [UInt8])?]) {
    for (i, watched) in before.enumerated() {
      guard let watched, !p.control.isTouched,
        !p.guest.readable(watched.low, watched.bytes.count).elementsEqual(watched.bytes)
      else { continue }
      p.control.setTouched(i, watched.low)
    }
  }

  /// The supervisor is about to write what an event wrote: the debugger wants to know if it is watched.
  func noteWritten(_ p: ReplayedProcess, _ address: UInt64, _ bytes: [UInt8]) {
    guard let focus, focus.process === p, !p.control.isTouched else { return }
    for (i, w) in focus.stops.watchpoints.enumerated() {
      if let range = w.written(address, UInt64(bytes.count)) { return p.control.setTouched(i, range.lowerBound) }
    }
  }
}

/// Touches that code asked about before they happened.
extension TranslateEngine {
  /// The stop at hand says what is touched next: goes on to the end of that instruction. Not nil: something else stopped it.
  func finishTouch() throws(GuestError) -> Stop? {
    ahead = []
    let here = position
    try noteAhead()
    if ahead.isEmpty {  // (an event, done already)
      isAtLeave = true
      return nil
    }
    if let stop = try toLeave(from: here) { return stop }
    if position == here {
      try enterTranslated()
      isAtLeave = false
      let stop = try walk(from: here, here)
      if stop != .limit { return stop }
    }
    if touched == nil { try confirmAhead() }
    return nil
  }

  /// Remembers what the stop at hand says.
  func noteAhead() throws(GuestError) {
    guard let t = focus.touch else { return }
    focus.touch = nil
    if t.isDone {
      if let i = t.index { touched = (focus.stops.watchpoints[i], t.address) }
      return
    }
    let isSource = t.bits & BIS_WATCH_SOURCE.rawValue != 0
    var list: [(Watchpoint, UInt64, [UInt8])] = []
    if t.certainty == BIS_TOUCH_EXACT, let i = t.index {
      let w = focus.stops.watchpoints[i]
      let count = Int(min(64, w.address &+ w.length &- t.address))
      list = [(w, t.address, read(t.address, count))]
    } else if t.bits & BIS_WATCH_WRITES.rawValue != 0 {
      for w in focus.stops.watchpoints where w.kind != .read {
        list.append((w, w.address, read(w.address, Int(clamping: w.length))))
      }
    }
    ahead.append(
      Ahead(
        touch: t, event: position.event, start: control.gpr[isSource ? 6 : 7],
        isDownwards: control.block.pointee.rflags & 0x400 != 0, before: list))
  }

  /// The instruction is done: sets `touched` if it touched what is watched.
  func confirmAhead() throws(GuestError) {
    let list = ahead
    ahead = []
    for a in list {
      // (An event in between is a fault, most likely: what was written shows.)
      if position.event != a.event {
        touched = changed(a)
      } else if a.touch.certainty == BIS_TOUCH_EXACT, let i = a.touch.index {
        touched = (focus.stops.watchpoints[i], a.touch.address)
      } else if a.touch.certainty == BIS_TOUCH_REPEATED {
        touched = repeated(a)
      } else if let found = changed(a) {
        touched = found
      } else if a.touch.bits & BIS_WATCH_READS.rawValue != 0, let i = a.touch.index,
        focus.stops.watchpoints[i].kind != .write
      {
        touched = (focus.stops.watchpoints[i], a.touch.address)
      }
      if touched != nil { return }
    }
  }

  private func changed(_ a: Ahead) -> (watchpoint: Watchpoint, address: UInt64)? {
    for (w, address, bytes) in a.before {
      let now = read(address, bytes.count)
      if let i = zip(bytes, now).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset {
        return (w, address + UInt64(i))
      }
    }
    return nil
  }

  /// What a repeated instruction touched, from how far it came.
  private func repeated(_ a: Ahead) -> (watchpoint: Watchpoint, address: UInt64)? {
    let isSource = a.touch.bits & BIS_WATCH_SOURCE.rawValue != 0
    var end = control.gpr[isSource ? 6 : 7]
    var start = a.start
    if a.touch.bits & BIS_WATCH_SHORT.rawValue != 0 { (start, end) = (start & 0xFFFF_FFFF, end & 0xFFFF_FFFF) }
    if a.isDownwards { (start, end) = (end &+ a.touch.elementSize, start &+ a.touch.elementSize) }
    let reads = a.touch.bits & BIS_WATCH_READS.rawValue != 0
    let writes = a.touch.bits & BIS_WATCH_WRITES.rawValue != 0
    for w in focus.stops.watchpoints where (w.kind != .write && reads) || (w.kind != .read && writes) {
      let low = max(start, w.address)
      if low < min(end, w.address &+ w.length) { return (w, low) }
    }
    return nil
  }

  /// A write to watched code was stepped: what debug registers saw of it is told on the way back to program code.
  func steppedBehind() throws(GuestError) -> Bool {
    try noteTouch()
    guard let t = touched, let i = focus.stops.watchpoints.firstIndex(of: t.watchpoint) else { return false }
    touched = nil
    control.setTouched(i, t.address)
    return true
  }

  // MARK: Touches by events, when something else stopped the process before it told

  func keepUntold() {
    let debug = control.block.pointee.debug
    untold = nil
    guard control.isTouched, let i = Int(exactly: debug.touched),
      i < focus.stops.watchpoints.count
    else { return }
    untold = (position, focus.stops.watchpoints[i], debug.touched_address)
  }

  func takeUntold() {
    defer { untold = nil }
    guard let u = untold, u.position == position, let i = focus.stops.watchpoints.firstIndex(of: u.watchpoint) else {
      return
    }
    control.setTouched(i, u.address)
  }
}
