// What gdb debugs, as this module sees it: a target says what it can by the capabilities it has.
//
// Everything here is called from the one thread that serves the connection, while the target is stopped, except
// `ResumeAccess.resume` and `ReverseAccess.reverse`, which run it. Signals are Linux's numbers: the packets' own numbers
// (gdb's) never leave this module. Addresses are the program's.

/// Something that can be debugged. Each capability is absent by default: what is nil is not offered to gdb, and its
/// packets get the empty answer that means "not known here". A class that has a capability conforms to its protocol
/// and returns itself.
public protocol Target: AnyObject {
  /// The registers, in the order of the `g` packet. The same value as long as the session lasts.
  var targetDescription: TargetDescription { get }
  /// Who runs.
  var threads: any ThreadAccess { get }
  /// Why the target is not running now (`?`). gdb asks when it connects.
  var lastStop: StopReply { get }
  /// Whether gdb leaves (`detach`) the processes at the end instead of killing them.
  var isAttached: Bool { get }
  /// `kill`; nil: everything. The session ends when gdb does not speak the extended protocol.
  func kill(process: Int?)
  /// `detach`; nil: everything.
  func detach(process: Int?)

  var registers: (any RegisterAccess)? { get }
  var memory: (any MemoryAccess)? { get }
  var resumption: (any ResumeAccess)? { get }
  var reverse: (any ReverseAccess)? { get }
  var breakpoints: (any BreakpointAccess)? { get }
  var systemCallCatching: (any SystemCallCatching)? { get }
  var signalPassing: (any SignalPassing)? { get }
  var threadEvents: (any ThreadEventReporting)? { get }
  var processEvents: (any ProcessEventReporting)? { get }
  var auxiliaryVector: (any AuxiliaryVectorAccess)? { get }
  var signalInfo: (any SignalInfoAccess)? { get }
  var executable: (any ExecutableAccess)? { get }
  var libraries: (any LibraryAccess)? { get }
  var systemInformation: (any SystemInformationAccess)? { get }
  var files: (any FileAccess)? { get }
  var monitor: (any MonitorAccess)? { get }
  var restarting: (any RestartAccess)? { get }
}

extension Target {
  public var isAttached: Bool { false }
  public var registers: (any RegisterAccess)? { nil }
  public var memory: (any MemoryAccess)? { nil }
  public var resumption: (any ResumeAccess)? { nil }
  public var reverse: (any ReverseAccess)? { nil }
  public var breakpoints: (any BreakpointAccess)? { nil }
  public var systemCallCatching: (any SystemCallCatching)? { nil }
  public var signalPassing: (any SignalPassing)? { nil }
  public var threadEvents: (any ThreadEventReporting)? { nil }
  public var processEvents: (any ProcessEventReporting)? { nil }
  public var auxiliaryVector: (any AuxiliaryVectorAccess)? { nil }
  public var signalInfo: (any SignalInfoAccess)? { nil }
  public var executable: (any ExecutableAccess)? { nil }
  public var libraries: (any LibraryAccess)? { nil }
  public var systemInformation: (any SystemInformationAccess)? { nil }
  public var files: (any FileAccess)? { nil }
  public var monitor: (any MonitorAccess)? { nil }
  public var restarting: (any RestartAccess)? { nil }
}

/// What a target could not do. gdb sees the message when it said that it reads messages, else the code.
public struct TargetError: Error, Equatable, Sendable {
  /// An errno; 0 is sent as 1.
  public var code: UInt8
  /// One line for the person in front of gdb, or nothing.
  public var message: String

  public init(code: UInt8 = 1, _ message: String = "") {
    self.code = code
    self.message = message
  }

  /// EFAULT: no memory there.
  public static let badAddress = TargetError(code: 14, "Cannot access memory")
  /// ESRCH.
  public static let noSuchThread = TargetError(code: 3, "No such thread")
  /// EINVAL.
  public static let invalid = TargetError(code: 22, "Malformed packet")
}
