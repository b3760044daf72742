import CABI
import Linux

/// A process that asks for translations again and again is answered without stops: it waits in a loop, and so does the
/// supervisor, on another CPU, for as long as questions come.
///
/// A stop takes 7 to 10 µs where both share a CPU, such a question less than one. So nothing is translated before it is asked for, and what is
/// executed lies closer together. Not while several processes ask in turn: they need the CPUs.
public final class Attention {
  private enum Limits {
    /// So many stops of one process for translations, none of another in between, and at most so many if that was a
    /// mistake before.
    static let streak = 3, longestStreak = 1024
    /// Cycles without a question after which none is expected (0.2 ms or so).
    static let patience: UInt64 = 600_000
    /// Questions that nobody took in time, stops of other processes: so many are too many.
    static let withdrawn: UInt64 = 16, rivals = 16
    /// Questions that make up for them.
    static let goodStay = 64
    /// Looks for a question before the kernel is asked whether somebody has stopped.
    static let looks: UInt32 = 64
  }

  private let cpus: SharedCPU
  private var process: GuestProcess?
  private var last: ObjectIdentifier?
  private var streak = 0
  private var wanted = Limits.streak
  private var lastQuestion: UInt64 = 0
  private var withdrawn: UInt64 = 0
  private var rivals = 0
  /// Questions answered since it began, and since the last rival.
  private var stay = 0
  /// All questions that were answered without a stop.
  public private(set) var answered: UInt64 = 0

  public init(_ cpus: SharedCPU) { self.cpus = cpus }

  public var isActive: Bool { process != nil }

  /// What may be asked without a stop.
  public static func isQuestion(_ reason: bis_reason) -> Bool {
    reason == BIS_REASON_MISS || reason == BIS_REASON_MISS_INDIRECT || reason == BIS_REASON_EXIT_DIRECT
  }

  /// A process has stopped, and asks for a translation or for something else.
  ///
  /// - Parameter mayAsk: it needs no stop when it asks for code of a file.
  /// - Returns: whether the process is attended.
  public func stopped(_ p: GuestProcess, asks: Bool, mayAsk: Bool) -> Bool {
    guard cpus.hasOthers else { return false }
    guard process == nil else { return goesOn(p, asks: asks, mayAsk: mayAsk) }
    guard asks, mayAsk else {
      streak = 0
      return false
    }
    streak = last == ObjectIdentifier(p) ? streak + 1 : 1
    last = ObjectIdentifier(p)
    guard streak >= wanted else { return false }
    streak = 0
    let cpu = p.control.block.pointee.turn.cpu
    guard let moved = cpus.separate(p.tid, of: p.pid, keptOn: cpu == 0 ? nil : Int(cpu) - 1) else {
      failed()
      return false
    }
    if moved { p.control.block.pointee.turn.companion = 1 }
    process = p
    stay = 0
    rivals = 0
    lastQuestion = Machine.tsc()
    withdrawn = p.control.block.pointee.ask.withdrawn
    bis_ask_attend(p.control.ask, 1)
    return true
  }

  private func goesOn(_ p: GuestProcess, asks: Bool, mayAsk: Bool) -> Bool {
    if p === process {
      if mayAsk, p.control.block.pointee.ask.withdrawn &- withdrawn < Limits.withdrawn { return true }
      end()
    } else if asks {
      rivals += 1
      if rivals >= Limits.rivals { end() }
    }
    return false
  }

  /// No process is attended any more: before processes are stopped wherever they are.
  ///
  /// - Parameter only: unless it is another one.
  public func end(_ only: GuestProcess? = nil) {
    guard let p = process, only == nil || only === p else { return }
    bis_ask_attend(p.control.ask, 0)
    process = nil
    cpus.release()
    if stay < Limits.goodStay { failed() } else { wanted = Limits.streak }
  }

  private func failed() { wanted = min(wanted * 2, Limits.longestStreak) }

  /// The process may run where it might before bis came: see `SharedCPU.release`.
  public func leave(_ p: GuestProcess) {
    end(p)
    cpus.release(p.pid)
  }

  /// Before a report is served: nobody is attended while a process is made, becomes another program or ends.
  public func noticed(_ status: WaitStatus) {
    if case .stopped(.signal) = status.kind { return }
    end()
  }

  /// Answers questions until a thread reports; nil: for some time, or none come any more.
  public func attend() throws(Errno) -> WaitStatus? {
    for _ in 0..<64 {
      guard let p = process else { return nil }
      var count = 0
      while count < 64, answer(p) { count += 1 }
      if let status = try waitAny(nohang: true) { return status }
      if count == 0, Machine.tsc() &- lastQuestion > Limits.patience { end() }
    }
    return nil
  }

  private func answer(_ p: GuestProcess) -> Bool {
    let ask = p.control.ask
    let reason = bis_ask_take(ask, Limits.looks)
    guard reason != 0 else { return false }
    guard
      let found = p.translateUnstopped(bis_reason(rawValue: UInt32(truncatingIfNeeded: reason)), ask.pointee.argument)
    else {
      bis_ask_answer(ask, 0, 0)
      return true
    }
    bis_ask_answer(ask, found.guest, found.host)
    answered += 1
    stay += 1
    if stay % Limits.goodStay == 0 {
      rivals = 0
      withdrawn = ask.pointee.withdrawn
    }
    lastQuestion = Machine.tsc()
    return true
  }
}
