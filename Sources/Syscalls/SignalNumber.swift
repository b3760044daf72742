/// Signals of x86-64 Linux (asm/signal.h). 32 and above are real-time signals.
public enum SignalNumber: UInt8, Sendable, CaseIterable {
  case SIGHUP = 1, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2,
    SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGXCPU,
    SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGSYS
}

extension Syscalls {
  /// `SIGSEGV` for 11, `SIGRT_5` for 37 (the kernel's 32 is `SIGRT_0`); the number itself for what is no signal.
  public static func signalName(_ number: Int) -> String {
    if let raw = UInt8(exactly: number), let signal = SignalNumber(rawValue: raw) { return String(describing: signal) }
    return (32...64).contains(number) ? "SIGRT_\(number - 32)" : String(number)
  }

  /// Signal number of `SIGSEGV`, `SEGV`, `SIGRT_5` or `37`.
  public static func signalNumber(named name: String) -> Int? {
    let full = name.hasPrefix("SIG") ? name : "SIG" + name
    if let signal = SignalNumber.allCases.first(where: { String(describing: $0) == full }) {
      return Int(signal.rawValue)
    }
    if full.hasPrefix("SIGRT_"), let index = Int(full.dropFirst(6)), (0...32).contains(index) { return 32 + index }
    return Int(name).flatMap { (1...64).contains($0) ? $0 : nil }
  }
}
