import Glibc
import Synchronization

/// Counts what has been done and not yet been waited for. sem_overview(7)
public final class Semaphore: @unchecked Sendable {
  private let raw = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  /// With nothing to wait for yet.
  public init() { sem_init(raw, 0, 0) }

  deinit {
    sem_destroy(raw)
    raw.deallocate()
  }

  public func signal() { sem_post(raw) }

  /// Returns after as many waits as there have been signals.
  public func wait() { while sem_wait(raw) != 0 {} }  // (EINTR)
}

/// Does jobs one after the other on a thread of its own, which gets no signals and may run on any of the process's CPUs.
public final class Worker: Sendable {
  private let jobs = Mutex<[@Sendable () -> Void]>([])
  private let count = Semaphore()

  /// Starts the thread; it lives as long as the process. pthread_create(3)
  ///
  /// - Parameter cpus: where it may run: the calling thread may be kept on one.
  public init(cpus: [Int]) throws(Errno) {
    try startThread { [self] in
      try? Machine.setAllowedCPUs(nil, cpus)
      while true {
        count.wait()
        jobs.withLock { $0.removeFirst() }()
      }
    }
  }

  /// Hands a job over.
  public func run(_ job: @escaping @Sendable () -> Void) {
    jobs.withLock { $0.append(job) }
    count.signal()
  }
}
