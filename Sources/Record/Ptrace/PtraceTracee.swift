import Guest
import Linux

/// A thread of the recording that another process of the recording traces with ptrace(2). The kernel knows one tracer,
/// and that is bis: so the stops that the tracer sees are virtual ones. A thread in a virtual stop stands in a stop of
/// bis's own and is not resumed before its tracer says so. Docs/ptrace.md has the whole.
final class Tracee {
  enum Mode {
    /// To the next signal or event.
    case go
    /// To the next system call's entry or exit, too.
    case calls
    /// One instruction.
    case step
  }
  enum Step {
    case none
    /// The instruction begins when the runtime leaves for program code.
    case first
    /// It is under way in the runtime, and done when that leaves.
    case last
  }

  let tid: ThreadID
  /// The tracing process.
  let tracer: Int32
  /// Its parent is its tracer: the kernel itself reports its end.
  let isChild: Bool
  let isSeized: Bool
  /// PTRACE_O_*
  var options: UInt64
  var mode = Mode.go
  var stop: VirtualStop?
  /// What is to be reported at the next event of its tape.
  var events: [VirtualStop.What] = []
  /// The system call whose entry was reported.
  var call: (number: UInt64, arguments: [UInt64])?
  /// The call at hand was changed and begins anew; its entry was reported.
  var skipsEntry = false
  /// PTRACE_INTERRUPT waits for a point where it can stop.
  var wantsInterrupt = false
  /// PTRACE_LISTEN in a group stop.
  var isListening = false
  var step = Step.none
  /// Where the step began.
  var stepStart: (rip: UInt64, ticks: UInt64, event: UInt64)?
  /// What the stop at the end of the step says, if it is not a plain step.
  var stepInformation: SignalInfo?
  var hasWatchpoints = false
  /// What PTRACE_GETEVENTMSG says.
  var message: UInt64 = 0

  init(_ tid: ThreadID, tracer: Int32, isChild: Bool, isSeized: Bool, options: UInt64) {
    self.tid = tid
    self.tracer = tracer
    self.isChild = isChild
    self.isSeized = isSeized
    self.options = options
  }

  func has(_ option: Option) -> Bool { options & option.rawValue != 0 }

  /// PTRACE_O_*
  enum Option: UInt64 {
    case sysgood = 0x1, fork = 0x2, vfork = 0x4, clone = 0x8, exec = 0x10, vforkDone = 0x20, exit = 0x40
    case exitKill = 0x10_0000
  }
  static let knownOptions: UInt64 = 0x10_007F
}

/// A stop as the tracer sees it.
struct VirtualStop {
  enum What {
    /// Of a system call; `result` is what the tracer is shown.
    case entry, exit
    case signal(SignalInfo)
    case event(Int32)
    /// PTRACE_EVENT_STOP with SIGTRAP.
    case interrupted
    case group(Int32)
  }
  /// Where the thread really is: what may be changed, and how it goes on.
  enum Place {
    /// In the runtime, at a system call's entry.
    case entry
    /// In the runtime, which goes on to program code.
    case event
    /// The same, but the last event may lie some instructions back.
    case leave
    /// In the runtime, where signals are delivered; events carry these flags.
    case signals(SignalFlags)
    /// At an instruction that faulted.
    case fault(SignalInfo)
    /// Between two instructions in translated code.
    case stepped
    /// In the kernel, in a call that waits.
    case call(Registers)
    /// Anywhere else: nothing can be changed.
    case kernel
    /// About to exit (BIS_REASON_SYSCALL).
    case exit
  }

  let what: What
  let place: Place
  /// Registers as the tracer sees them now, and as they were.
  var registers: Registers
  let before: Registers
  var status: Int32
  var isCollected = false
  /// Vector registers were set.
  var extendedState: [UInt8]?
  var information: SignalInfo

  /// An event of this place is on the tape: what follows happens right after it.
  var isNoted = false

  var isChanged: Bool { registers != before || extendedState != nil }

  /// Whether registers can be set here.
  var canChange: Bool {
    switch place {
    case .kernel, .exit: false
    default: true
    }
  }
}

/// Why and where events of signals are written.
enum SignalFlags { case tick, entry, now }

/// The end of a tracee that is not a child of its tracer.
struct TraceeEnd {
  let tid: ThreadID
  let tracer: Int32
  let status: Int32
}

/// ptrace among the processes of a recording.
struct PtraceState {
  var tracees: [ThreadID: Tracee] = [:]
  var ends: [TraceeEnd] = []
  /// Threads that wait in the kernel (wait4, waitid) and must look again when a tracee stops.
  var waiters: Set<ThreadID> = []
  /// What SIGCHLD from bis is to say, by process.
  var childSignals: [Int32: SignalInfo] = [:]
  /// Registers that a thread shall have as soon as its state is exact.
  var changes: [ThreadID: Registers] = [:]
  /// Memory written by a tracer that is not on the tape yet, by tape.
  var pokes: [UInt64: [(address: UInt64, bytes: [UInt8])]] = [:]
}
