import Glibc
import Linux
import Synchronization

/// Signals for bis are for the program: who started bis knows no other process.
///
/// What goes to the process group (from a terminal, timeout(1), a service manager) the program gets by itself; what goes to bis alone
/// (`kill PID`) it gets from bis. The two look the same to bis, so it looks whether the program has got the same signal
/// from the same sender at about the same time. A program that has ended has left processes that are waited for
/// (record -w): the signal ends those. None of these signals ends bis itself: a recording ends with its program.
final class SignalRelay: Sendable {
  private static let signals = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2]
  private enum Milliseconds {
    /// The kernel goes through a process group in no time, but this thread may run before the program's stop is seen.
    static let patience = 20
    /// At most so long is waited for a program that stands stopped, perhaps with the signal.
    static let atMost = 1000
    /// What the program got longer ago than this has nothing to do with it.
    static let before = 1000
  }
  private struct Received {
    let signal: Int32, code: Int32, sender: Int32
    let time: Int

    init(_ info: SignalInfo) {
      (signal, code, sender) = (info.signo, info.code, info.pid)
      time = SignalRelay.now()
    }
    func isSame(as other: Received) -> Bool {
      signal == other.signal && code == other.code && sender == other.sender
        && abs(time - other.time) < Milliseconds.before
    }
  }
  private struct State {
    var received: [Received] = []
    var isEndWanted = false
    var isFinished = false
  }

  private let program: Int32
  /// Nil: an old container filter allows none.
  private let handle: ProcessHandle?
  private let main = WaitingThread()
  private let state = Mutex(State())

  /// - Parameter program: the first process, which the calling thread waits for.
  init(program: Int32) {
    self.program = program
    handle = try? ProcessHandle(program)
  }

  /// Call it when the program has been started (it inherits the mask) and before there is another thread.
  func begin() throws(Errno) {
    try takeSignals(SignalRelay.signals) { [self] in relay($0) }
  }

  /// The program has got a signal.
  func note(_ info: SignalInfo) {
    guard SignalRelay.signals.contains(info.signo) else { return }
    let new = Received(info)
    state.withLock {
      $0.received.removeAll { new.time - $0.time > Milliseconds.before }
      $0.received.append(new)
    }
  }

  /// Nobody waits for what the program has left.
  var isEndWanted: Bool { state.withLock { $0.isEndWanted } }

  /// The recording is ending: nothing is to be interrupted any more.
  func finish() { state.withLock { $0.isFinished = true } }

  // MARK: On the thread of its own

  private func relay(_ info: SignalInfo) {
    if gotIt(Received(info)) { return }
    do throws(Errno) { try send(info.signo) } catch {
      guard error == .gone, info.signo != SIGUSR1, info.signo != SIGUSR2 else { return }
      state.withLock { $0.isEndWanted = true }
      while !state.withLock({ $0.isFinished }) {
        main.interrupt()
        usleep(20_000)
      }
    }
  }

  private func send(_ signal: Int32) throws(Errno) {
    if let handle { return try handle.send(signal) }
    if kill(program, signal) != 0 { throw Errno(code: errno) }
  }

  /// Has the program got the same?
  private func gotIt(_ signal: Received) -> Bool {
    while true {
      let isNoted = state.withLock { state in
        guard let index = state.received.firstIndex(where: signal.isSame) else { return false }
        state.received.remove(at: index)
        return true
      }
      if isNoted || isPending(signal.signal, in: program) { return true }
      let waited = SignalRelay.now() - signal.time
      if waited >= Milliseconds.patience, waited >= Milliseconds.atMost || !isStopped() { return false }
      usleep(2000)
    }
  }

  /// One of its threads stands in a stop that bis has perhaps not seen yet.
  private func isStopped() -> Bool {
    let folder = "/proc/\(program)/task"
    return numbers(in: folder).contains { thread in
      readText("\(folder)/\(thread)/stat").split(separator: ")").last?.hasPrefix(" t") ?? false
    }
  }

  private static func now() -> Int { Int(monotonicNanoseconds() / 1_000_000) }
}

/// A signal for the whole process waits to be delivered.
func isPending(_ signal: Int32, in pid: Int32) -> Bool {
  statusSignals(pid, "ShdPnd") >> UInt64(signal - 1) & 1 != 0
}
