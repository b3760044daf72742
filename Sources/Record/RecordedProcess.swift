import CABI
import Guest
import Linux
import Tape

/// A signal that has come and waits for a point where the program's state is exact.
struct QueuedSignal {
  /// The thread that the kernel has chosen.
  let thread: ThreadID
  let number: Int32
  let information: [UInt8]
  /// Its tracer has seen it.
  var isPassed = false

  init(thread: ThreadID, number: Int32, information: [UInt8]) {
    self.thread = thread
    self.number = number
    self.information = information
  }

  /// A signal that a tracer lets through.
  init(passed information: SignalInfo, _ thread: ThreadID) {
    self.init(thread: thread, number: information.signo, information: information.withBytes { Array($0) })
    isPassed = true
  }
}

/// A system call that the supervisor let through; what is to be done when it has a result.
struct PendingCall {
  let number: UInt32
  let arguments: [UInt64]
  let hash: UInt64
  var file: UInt64?
  /// mmap, shared: the file.
  var status: FileStatus?
  /// mmap, shared: nobody has written to it.
  var isNew = true
  /// clone: flags, stack, ptid, ctid, tls, and where bis is to write the child's number (0: nowhere).
  var clone: [UInt64]?
  var makesThread: Bool { (clone?[0] ?? 0) & 0x1_0000 != 0 }
  /// open in /proc: what the file shall hold, and open's flags.
  var copy: (content: [UInt8], flags: UInt64)?
}

/// What survives exec, as it was when the call was made.
struct ProgramState {
  let signalMask: UInt64
  let ignoredSignals: [Int]
  let standardStreams: [(fd: Int, stream: UInt8)]
  let seccomp: UInt64
  let filters: [SeccompFilter]
  let filtersAllThreads: Bool

  init(_ p: RecordedProcess, filters: [SeccompFilter]) {
    let control = p.control
    seccomp = control.block.pointee.seccomp
    self.filters = filters
    filtersAllThreads = p.filtersAllThreads
    signalMask = control.block.pointee.signal_mask
    ignoredSignals = (1...64).filter { control.actions[$0].handler == 1 }
    standardStreams = (0..<1024).filter { control.standardStreams[$0] != 0 }.map { ($0, control.standardStreams[$0]) }
  }
}

/// A process while it is recorded.
final class RecordedProcess {
  let guest: GuestProcess
  let sink: TapeSink
  var queue: [QueuedSignal] = []
  /// Threads of which the kernel keeps signals that they do not block.
  var heldBack: Set<ThreadID> = []
  var pending: PendingCall?
  /// Where a vfork child was that somebody killed: after the call that it was in, perhaps; 0: no such child.
  var vforkKilledAt: UInt64 = 0
  /// Threads that are suspended in vfork while a child borrows their address space; the innermost last.
  var vforkParents: [ThreadID] = []
  /// The parents' unfinished vfork calls.
  var vforkCalls: [PendingCall] = []
  /// How it was killed while a vfork child runs in its memory: the tape ends when that is gone.
  var endAfterVfork: RecordOutcome?
  /// The EXIT event is on the tape.
  var endWritten = false
  var beforeExec: ProgramState?
  /// Fork: the child's slot, prepared before the call.
  var childSlot: Slot?
  /// clone: number of the thread that is being made.
  var newThread: Int?
  /// The same, until the parent is back.
  var makingThread: Int?
  /// Its threads but for vfork children.
  var threads: Set<ThreadID>
  /// There was more than one thread at some time.
  var wasThreaded = false
  var forkFlags: UInt64 = 0
  /// Its shared mappings.
  var views: [SharedView] = []
  /// What was taken from it while it slept.
  var claims: [(view: SharedView, pages: Range<UInt64>)] = []
  /// Events of its tape that say what came with a shared page.
  var pageEvents: UInt64 = 0
  /// Its events, and the time, when somebody looked last whether it waits in a call.
  var lastLook: (events: UInt64, time: UInt64) = (0, 0)
  /// Where the time that a restarted call has left was written last.
  var limitSlot = 0
  /// When its control block's `pinned` was set (time stamp counter).
  var pinnedSince: UInt64 = 0
  /// Where it was when it got a page last: host rip, ticks, rcx.
  var lastGrant: (rip: UInt64, ticks: UInt64, counter: UInt64)?
  /// Children made by the fork under way.
  var children: [(pid: Int32, tape: UInt64)] = []
  /// It (or a process it comes from) has opened /proc/PID/mem to write to it.
  var writesMemoryFiles = false
  var executable = ""
  var arguments: [String] = []
  /// Code of the mapping under way, told to the process before it is there.
  var preparedCode: (low: UInt64, high: UInt64)?
  /// Library files that lie at their place (file numbers).
  var libraries: Set<UInt64> = []
  /// Seccomp filters of its threads, in the order of their addresses.
  var filters: [SeccompFilter] = []
  /// A thread has installed a filter for all.
  var filtersAllThreads = false
  var control: Control { guest.control }

  /// A call that is under way may have been stopped, or lost a page: the runtime finishes what is half done. (While it is
  /// stopped.)
  func noteDisturbance() { control.block.pointee.disturbances &+= 1 }

  init(guest: GuestProcess, sink: TapeSink) {
    self.guest = guest
    self.sink = sink
    threads = [guest.tid]
  }
}
