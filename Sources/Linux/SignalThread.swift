// Signals that this process gets, taken by a thread of its own: nothing is interrupted, nothing is missed.
internal import CLinux
import Glibc

private func signalSet(_ signals: [Int32]) -> sigset_t {
  var set = sigset_t()
  sigemptyset(&set)
  for signal in signals { sigaddset(&set, signal) }
  return set
}

/// Blocks `signals` in the calling thread and gives each that comes to `take`, on a thread that waits for them until the
/// process ends. Ignored ones come, too. Call it while there is no other thread, which would get them. sigwaitinfo(2)
public func takeSignals(
  _ signals: [Int32], _ take: @escaping @Sendable (SignalInfo) -> Void
) throws(Errno) {
  var set = signalSet(signals)
  pthread_sigmask(SIG_BLOCK, &set, nil)
  do throws(Errno) {
    try startThread {
      var set = signalSet(signals)
      while true {
        var raw = siginfo_t()
        if sigwaitinfo(&set, &raw) > 0 { take(withUnsafeBytes(of: &raw) { SignalInfo(bytes: $0) }) }
      }
    }
  } catch {
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    throw error
  }
}

/// What a thread does.
private final class ThreadBody: Sendable {
  let run: @Sendable () -> Void

  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// A thread that gets no signals. pthread_create(3)
func startThread(_ run: @escaping @Sendable () -> Void) throws(Errno) {
  var all = sigset_t(), before = sigset_t()
  sigfillset(&all)
  pthread_sigmask(SIG_SETMASK, &all, &before)  // what the new thread has
  defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  defer { pthread_attr_destroy(&attributes) }
  pthread_attr_setstacksize(&attributes, 512 << 10)
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  let body = Unmanaged.passRetained(ThreadBody(run))
  var thread = pthread_t()
  let code = pthread_create(
    &thread, &attributes,
    {
      Unmanaged<ThreadBody>.fromOpaque($0!).takeRetainedValue().run()
      return nil
    }, body.toOpaque())
  guard code == 0 else {
    body.release()
    throw Errno(code: code)
  }
}

/// A thread of this process whose waits for the program can be broken off. pthread_kill(3)
public struct WaitingThread: Sendable {
  private let thread = pthread_self()

  /// The calling thread. SIGIO has no other effect on it any more.
  public init() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    sigaction(SIGIO, &action, nil)
  }

  /// If it waits now, the wait throws `.interrupted`. (If it is about to wait: call again.)
  public func interrupt() { pthread_kill(thread, SIGIO) }
}

/// A process that signals can be sent to, and to no other that has got its number meanwhile; for good. pidfd_open(2)
public struct ProcessHandle: Sendable {
  private let raw: Int32

  public init(_ pid: Int32) throws(Errno) { raw = Int32(try check(bis_pidfd_open(pid, 0))) }

  /// Throws `.gone` when it has ended. pidfd_send_signal(2)
  public func send(_ signal: Int32) throws(Errno) { try check(bis_pidfd_send_signal(raw, signal)) }
}
