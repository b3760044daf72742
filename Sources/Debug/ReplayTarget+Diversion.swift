// What gdb writes goes to a diversion: a live copy of the process at this position.
//
// gdb calls a function like this: it writes registers and perhaps memory, sets a breakpoint where the function returns,
// resumes, reads the result, writes the old registers back. It may read what the function left in memory only after that,
// and a call's arguments may need calls of their own (malloc for a string). So a diversion whose registers are the
// replay's again rests: it answers reads, and ends when something moves.

import Guest
public import RSP
import Replay

/// A diversion and what it began with.
final class DivertedState {
  let diversion: any Diversion
  let saved: RegisterFile
  var registers: RegisterFile
  var wroteMemory = false
  /// It ran: what it wrote is the called function's business.
  var hasRun = false

  init(_ diversion: any Diversion, _ registers: RegisterFile) {
    self.diversion = diversion
    saved = registers
    self.registers = registers
  }
}

extension ReplayTarget: RegisterAccess {
  public func registerValues(of thread: RSP.ThreadID) throws(TargetError) -> [[UInt8]?] {
    layout.values(of: try registerFile(of: thread))
  }

  public func registerValue(_ index: Int, of thread: RSP.ThreadID) throws(TargetError) -> [UInt8]? {
    layout.value(index, of: try registerFile(of: thread))
  }

  public func setRegisterValue(_ index: Int, of thread: RSP.ThreadID, to value: [UInt8]) throws(TargetError) {
    try setRegisterValues([(index, value)], of: thread)
  }

  public func setRegisterValues(_ values: [(index: Int, value: [UInt8])], of thread: RSP.ThreadID) throws(TargetError) {
    let now = try registerFile(of: thread)
    var changed = now
    for (index, value) in values { layout.set(index, of: &changed, to: value) }
    guard !layout.areEqual(now, changed) else { return }
    guard thread == currentID else {
      let text = "only thread \(currentID.thread), which has the turn, can be changed or called in at this position"
      onFailure(text)
      throw TargetError(text)
    }
    let state = try divert()
    try checked { () throws(GuestError) in try state.diversion.setRegisters(changed) }
    state.registers = changed
  }

  func registerFile(of thread: RSP.ThreadID) throws(TargetError) -> RegisterFile {
    try use(thread.process)
    if let diverted, thread == currentID { return diverted.registers }
    return try checked { () throws(GuestError) in try engine.registers(of: Int32(thread.thread)) }
  }
}

extension ReplayTarget {
  /// The diversion; a new one if there is none.
  func divert() throws(TargetError) -> DivertedState {
    if let diverted { return diverted }
    let state = try checked { () throws(GuestError) in
      let registers = try engine.registers(of: engine.currentThread)
      return DivertedState(try engine.divert(options.policy), registers)
    }
    diverted = state
    return state
  }

  func endDiversion() {
    diverted?.diversion.end()
    diverted = nil
  }

  /// Before something moves: a diversion that rests ends. Returns one that shall run.
  func activeDiversion() -> DivertedState? {
    guard let state = diverted else { return nil }
    guard layout.areEqual(state.registers, state.saved) else { return state }
    if state.wroteMemory, !state.hasRun {
      notify("what you wrote was in a diversion, which ends here: the replay goes on unchanged")
    }
    endDiversion()
    return nil
  }

  /// Runs a diversion, or one instruction of it.
  func resume(_ state: DivertedState, step: ResumeStep, interrupted: () -> Bool) throws(TargetError) -> StopReply {
    state.hasRun = true
    do throws(TargetError) {
      let stop = try checked { () throws(GuestError) in
        guard step != .run else {
          return try state.diversion.run(breakpoints: stopSet().breakpoints, interrupted: interrupted)
        }
        var stop = try state.diversion.step()
        if case .range(let start, let end) = step {
          while stop == .limit, (start..<end).contains(try state.diversion.registers().rip), !interrupted() {
            stop = try state.diversion.step()
          }
        }
        return stop
      }
      switch stop {
      case .exited(let status): return abandoned("the diversion exited with status \(status)")
      case .killed(let signal): return abandoned("the diversion was killed by signal \(signal)")
      case .exec: return abandoned("the diversion became another program")
      case .cutOff: return abandoned("the diversion ended")
      default: break
      }
      state.registers = try checked { () throws(GuestError) in try state.diversion.registers() }
      return reply(to: stop)
    } catch {
      endDiversion()
      throw error
    }
  }

  private func abandoned(_ text: String) -> StopReply {
    endDiversion()
    notify("\(text); this is the replay again, unchanged")
    return .stopped(currentID, signal: 5, nil)
  }
}
