import Glibc
import Linux

/// bis as part of a job: the shell that started it waits for bis, not for the program.
///
/// What a terminal sends, it sends to the whole process group, bis in it. (Signals that end programs: `SignalRelay`.) The
/// signals that stop a job wait here, blocked, until the program has stopped; if it does (it may have a handler), bis stops
/// as well, so that the shell sees a stopped job. SIGCONT goes to the group, too, and both go on; one for bis alone is
/// passed on.
enum JobControl {
  private static let stops = [SIGTSTP, SIGTTIN, SIGTTOU]

  /// Call it when the program has been started: programs inherit dispositions and mask.
  static func begin() {
    signal(SIGPIPE, SIG_IGN)
    change(SIG_BLOCK)
  }

  /// The program's first process has stopped: so does bis, if it got the same signal. Returns when the job goes on.
  static func stopped(_ pid: Int32, by signal: Int32) {
    guard stops.contains(signal), getpgid(pid) == getpgrp() else { return }
    // (The kernel goes through the group one process after the other: bis's turn may come a moment later.)
    guard wait({ isPending(signal) }) else { return }
    change(SIG_UNBLOCK)  // stops here
    change(SIG_BLOCK)
    if !wait({ Record.isPending(SIGCONT, in: pid) }) { kill(pid, SIGCONT) }
  }

  private static func wait(_ condition: () -> Bool) -> Bool {
    for _ in 0..<4 {
      if condition() { return true }
      usleep(2500)
    }
    return condition()
  }

  private static func change(_ how: Int32) {
    var set = sigset_t()
    sigemptyset(&set)
    for s in stops { sigaddset(&set, s) }
    pthread_sigmask(how, &set, nil)
  }

  private static func isPending(_ signal: Int32) -> Bool {
    var set = sigset_t()
    sigpending(&set)
    return sigismember(&set, signal) == 1
  }
}
