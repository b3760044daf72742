// The contract between what executes a recorded process (the translate engine; later the kvm engine) and what looks at
// it (Timeline, Debug). One engine replays one process of a trace; it belongs to the thread that made it (ptrace).
//
// An engine is always stopped at a position when none of its functions is running. What runs is checked against the tape
// event by event: a difference is thrown as GuestError.replay with a divergence, and the engine is of no use afterwards.

import Guest

/// General and vector registers of one thread.
public struct RegisterFile: Sendable {
  /// rax rcx rdx rbx rsp rbp rsi rdi r8…r15: the order of instruction encodings.
  public var general: [UInt64]
  public var rip: UInt64
  public var rflags: UInt64
  public var fsBase: UInt64
  public var gsBase: UInt64
  /// XSAVE image in the standard format of the recording's CPU profile.
  public var extended: [UInt8]
}

public struct EngineThread: Sendable, Hashable {
  /// The recorded tid.
  public var tid: Int32
  public var name: String
}

/// Stop before the instruction at `address`.
public struct Breakpoint: Hashable, Sendable {
  public var address: UInt64
  /// gdb agent expressions: it stops if one of them is not 0 or cannot be evaluated; empty: always.
  public var conditions: [[UInt8]]
  public init(address: UInt64, conditions: [[UInt8]] = []) {
    self.address = address
    self.conditions = conditions
  }
}

/// Stop after an instruction (or an event) that touches `[address, address + length)`. No limit in number and size.
public struct Watchpoint: Hashable, Sendable {
  public enum Kind: Sendable { case write, read, access }
  public var address: UInt64
  public var length: UInt64
  public var kind: Kind
  public init(address: UInt64, length: UInt64, kind: Kind) {
    self.address = address
    self.length = length
    self.kind = kind
  }
}

/// What stops a run besides its limit.
public struct StopSet: Sendable, Equatable {
  public var breakpoints: [Breakpoint] = []
  public var watchpoints: [Watchpoint] = []
  /// Signals to stop at, before they are delivered; bit n: signal n.
  public var signals: UInt64 = 0
  /// System calls to stop at, before and after; nil: none, empty: all.
  public var systemCalls: Set<UInt32>?
  public var forks = false
  public var execs = false
  public init() {}
}

/// How far to run. Whatever comes first stops: the limit, something of the stop set, the end.
public enum RunLimit: Sendable, Equatable {
  /// To the end of the tape.
  case end
  /// The first moment at or after `ticks`, before an event that happens there: the landing of that tick, an instruction
  /// that follows a transfer.
  case ticks(UInt64)
  /// Right after event number `event - 1` was applied (the first moment that has this event index).
  case event(UInt64)
  /// Exactly here. Throws when the recording does not come by.
  case position(Position)
}

public enum Stop: Sendable, Equatable {
  /// The limit, or one step.
  case limit
  case breakpoint(UInt64)
  /// The watchpoint that was touched and where. The position is the one after the access.
  case watchpoint(Watchpoint, address: UInt64)
  /// The recorded signal is delivered when the replay goes on.
  case signal(Int32)
  /// Before a system call is made (position: its instruction) and after.
  case systemCallEntry(UInt32)
  case systemCallReturn(UInt32)
  /// The process forked: pid of the child, which has a tape of its own.
  case fork(Int32)
  /// The same; the child shared this process's memory and is gone, or another program.
  case vfork(Int32)
  /// This tape ends with exec; the process goes on in tape `tape`.
  case exec(tape: UInt64)
  /// The position is the last one of the tape: before the call or fault that ended it.
  case exited(Int32)
  case killed(Int32)
  /// The recording ended before the process did.
  case cutOff
  case interrupted
}

/// How a run ended, and what it passed.
public struct RunOutcome: Sendable, Equatable {
  public var stop: Stop
  /// With `collecting`: the last moment before the limit at which something of the stop set would have stopped. What would
  /// have stopped at the limit's own moment is `stop`.
  public var last: (position: Position, stop: Stop)?
  public static func == (a: RunOutcome, b: RunOutcome) -> Bool {
    a.stop == b.stop && a.last?.position == b.last?.position && a.last?.stop == b.last?.stop
  }
}

/// A copy of the replayed process at a position, to come back to.
public struct CheckpointID: Hashable, Sendable {
  public let number: Int
  public init(number: Int) { self.number = number }
}

public protocol Engine: AnyObject {
  var position: Position { get }
  /// Nothing is left to run: the last stop was the tape's end.
  var isAtEnd: Bool { get }
  /// Events of the tape.
  var eventCount: UInt64 { get }
  /// Ticks at which event number `event` happened (tape index; no running). nil: past the end.
  func ticks(atEvent event: UInt64) -> UInt64?

  // What is there now.
  /// The thread that has the turn: the one that moves.
  var currentThread: Int32 { get }
  var threads: [EngineThread] { get }
  func registers(of thread: Int32) throws(GuestError) -> RegisterFile
  /// Bytes from `address` on, as far as they are readable, at most `count`.
  func read(_ address: UInt64, _ count: Int) -> [UInt8]
  /// The program's memory, by address.
  func mappings() throws(GuestError) -> [EngineMapping]
  /// siginfo (128 bytes) of the signal that the last stop reported.
  func signalInformation() -> [UInt8]?

  // Moving.
  /// Runs forwards. With `collecting`, the stop set does not stop: the last hit before the limit is reported instead.
  /// A stop that the position is at already does not count again: a run always makes progress, unless the limit is here.
  /// Where the limit (or an interruption) and a stop meet in one moment the stop is reported; of several stops in one
  /// moment a touched watchpoint. So nothing is lost when a long run is made of short ones.
  /// `interrupted` is asked now and then (about every 50 ms).
  func run(
    to limit: RunLimit, stops: StopSet, collecting: Bool, interrupted: () -> Bool
  ) throws(GuestError) -> RunOutcome
  /// One instruction (a system call with all that the tape says happened there, a delivery of a signal).
  func step(stops: StopSet) throws(GuestError) -> Stop

  // Checkpoints.
  func checkpoint() throws(GuestError) -> CheckpointID
  /// Goes back (or forward) to a checkpoint; it stays valid.
  func restore(_ checkpoint: CheckpointID) throws(GuestError)
  func discard(_ checkpoint: CheckpointID)
  /// Bytes of memory that this checkpoint alone keeps alive, about.
  func cost(of checkpoint: CheckpointID) -> Int
  /// Checksum of all registers and all writable memory at the position: equal positions have equal ones.
  func checksum() throws(GuestError) -> UInt64

  /// A live copy of the process at this position. The engine itself does not move.
  func divert(_ policy: DiversionPolicy) throws(GuestError) -> any Diversion
}

/// What a diversion may do to the world.
public struct DiversionPolicy: Sendable, Equatable {
  public var mayWriteFiles = false
  public var maySignal = false
  public var mayOpenSockets = false
  public init() {}
}

/// A replay turned back into a live process on a throw-away copy. Ends with `end`.
public protocol Diversion: AnyObject {
  var currentThread: Int32 { get }
  func registers() throws(GuestError) -> RegisterFile
  func setRegisters(_ registers: RegisterFile) throws(GuestError)
  func read(_ address: UInt64, _ count: Int) -> [UInt8]
  func write(_ address: UInt64, _ bytes: [UInt8]) throws(GuestError)
  /// Runs until a breakpoint, a signal it has no handler for, its end or an interruption.
  func run(breakpoints: [Breakpoint], interrupted: () -> Bool) throws(GuestError) -> Stop
  func step() throws(GuestError) -> Stop
  func end()
}
