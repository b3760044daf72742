import CABI
import Guest
import Linux
import Tape
import Trace

/// A process while it is replayed.
final class ReplayedProcess {
  let guest: GuestProcess
  let feed: TapeFeed
  /// The recorded pid.
  let recordedPID: Int32
  /// Fork: the copy's slot and tape, between the question and PTRACE_EVENT_FORK.
  var child: (slot: Slot, feed: TapeFeed, pid: Int32)?
  /// Event index within the tape of the event that is being applied.
  var control: Control { guest.control }
  /// A change of shared memory that waits for the access before which it happened.
  var awaited: EventHead?
  /// A change by a tracer is being walked to: its address; whether a debugger wants to stop soon.
  var walk: UInt64?
  var walkSteps = false
  init(guest: GuestProcess, feed: TapeFeed, recordedPID: Int32) {
    self.guest = guest
    self.feed = feed
    self.recordedPID = recordedPID
  }

  /// The record at the ring's position, nil at the end.
  func head() throws(ReplayError) -> EventHead? {
    let block = control.block
    if block.pointee.ring_end != 0, block.pointee.ring_pos >= block.pointee.ring_end { try refill() }
    guard block.pointee.ring_end != 0 else { return nil }
    return try record().head
  }

  func refill() throws(ReplayError) {
    do throws(TraceError) { try feed.fill(control) } catch { throw ReplayError(error) }
  }

  private func record() throws(ReplayError) -> Record {
    let block = control.block
    let bytes = UnsafeRawBufferPointer(
      start: control.segment + Int(block.pointee.ring_pos),
      count: Int(block.pointee.ring_end - block.pointee.ring_pos))
    var cursor = RecordCursor(bytes: bytes)
    do throws(TapeError) {
      guard let record = try cursor.next() else {
        throw TapeError(offset: Int(block.pointee.ring_pos), kind: .indexMismatch)
      }
      return record
    } catch { throw ReplayError("the tape is damaged: \(error)") }
  }

  /// Consumes the event at the ring's position with its effects.
  func takeEvent() throws(ReplayError) -> Event {
    guard let head = try head() else { throw ReplayError("the tape ends before the program does") }
    let block = control.block
    block.pointee.ring_pos += UInt64(try record().bytes.count)
    var effects: [Effect] = []
    for _ in 0..<head.effectCount {
      if block.pointee.ring_pos >= block.pointee.ring_end { try refill() }
      guard block.pointee.ring_end != 0 else { throw ReplayError("the tape ends in the middle of an event") }
      let r = try record()
      effects.append(r.effect())
      block.pointee.ring_pos += UInt64(r.bytes.count)
    }
    let index = block.pointee.event_count
    block.pointee.event_count += 1
    return Event(index: index, head: head, effects: effects)
  }
}
