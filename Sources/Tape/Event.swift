// Events and effects as values. The binary form is in bis_abi.h, "Event records".

/// What kind of event; the values are `enum bis_kind`.
public enum EventKind: UInt8, Sendable, CaseIterable {
  /// A system call: `number` is its number, `value` its result.
  case systemCall = 1
  /// A reading of the CPU: `number` is `enum bis_special`.
  case cpu = 2
  /// A signal is delivered: `number` is the signal, `value` is `enum bis_signal_cause`. With number 0 a process that traces
  /// this one has changed what the effects say (Docs/ptrace.md).
  case signal = 3
  /// The tape begins: `number` is `enum bis_start`.
  case start = 4
  /// The process is gone: `number` 0 exited, 1 killed; `value` the status or the signal. Last event of a tape.
  case exit = 5
  /// The process goes on as another program, on tape `value`. Last event of a tape.
  case exec = 6
  /// Checksums of registers (`value`) and memory (`value2`).
  case checksum = 7
  /// The vfork child is gone and the parent's registers come back.
  case vforkLeave = 8
  /// Another thread has the turn.
  case threadSwitch = 9
  /// The recording stopped before the program did: `number` is `LostReason`. Last event of a tape.
  case lost = 10
  /// Memory shared with other processes has changed: `value` is the page whose access told, `value2` its protection.
  case page = 11

  /// Whether nothing follows on the same tape.
  public var endsTape: Bool { self == .exit || self == .exec || self == .lost }
}

/// `EventHead.number` of a `lost` event.
public enum LostReason: UInt32, Sendable {
  /// bis was killed.
  case killed = 1
  /// The tape could not be written (disk full).
  case unwritable = 2
  /// The ring held bytes that are no records from some point on.
  case damaged = 3
}

/// What kind of effect; the values are `enum bis_kind` from 64.
public enum EffectKind: UInt8, Sendable, CaseIterable {
  case memory = 64
  case map = 65
  case unmap = 66
  case protect = 67
  case remap = 68
  case process = 69
  case registers = 70
  case extendedState = 71
  case signalInfo = 72
  case checksumRange = 73
  case advise = 74
  case bases = 75, limit = 76, output = 77, thread = 78, name = 79
}

/// `enum bis_record_flags`.
public struct EventFlags: OptionSet, Hashable, Sendable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  /// It wrote to bis's standard output.
  public static let echoOut = EventFlags(rawValue: 1)
  /// It wrote to bis's standard error.
  public static let echoError = EventFlags(rawValue: 2)
  /// Replay must ask the supervisor.
  public static let supervisor = EventFlags(rawValue: 4)
  /// A vfork child goes on in this address space.
  public static let vforkEnter = EventFlags(rawValue: 8)
  /// It happens at tick `ticks`, not right after the event before.
  public static let asynchronous = EventFlags(rawValue: 16)
  /// No result is delivered: registers come from an effect.
  public static let noReturn = EventFlags(rawValue: 32)
  /// A signal taken at a system call's entry: the call is not done. A page: changes at a system call's entry.
  public static let atEntry = EventFlags(rawValue: 64)
  /// A system call: the thread is gone.
  public static let threadEnd = EventFlags(rawValue: 128)
}

/// The arguments of a system call.
public struct SixWords: Hashable, Sendable {
  public var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

  public init() { words = (0, 0, 0, 0, 0, 0) }
  public init(_ words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)) { self.words = words }
  public init(_ array: [UInt64]) {
    precondition(array.count == 6, "six words, not \(array.count)")
    words = (array[0], array[1], array[2], array[3], array[4], array[5])
  }
  public var array: [UInt64] { [words.0, words.1, words.2, words.3, words.4, words.5] }
  public static func == (a: SixWords, b: SixWords) -> Bool { a.words == b.words }
  public func hash(into hasher: inout Hasher) { for word in array { hasher.combine(word) } }
}

/// The head record of an event, `struct bis_event`.
public struct EventHead: Hashable, Sendable {
  public var kind: EventKind
  public var flags: EventFlags
  /// Effect records that follow.
  public var effectCount: UInt16
  /// System call number, signal, `enum bis_special`, ...: see `EventKind`.
  public var number: UInt32
  public var tid: UInt32
  /// Place in the order of all events of the trace.
  public var stamp: UInt64
  /// Time, in cycles of the recording machine's time stamp counter; the manifest converts.
  public var tsc: UInt64
  /// Ticks of the thread since the tape began.
  public var ticks: UInt64
  /// Guest address after the event's instruction (system call, CPU), else at the event.
  public var rip: UInt64
  public var value: UInt64
  public var value2: UInt64
  /// `bis_register_hash` at entry; 0: not checked.
  public var registers: UInt64
  /// System calls: the arguments; else 0.
  public var arguments: SixWords

  /// Makes a head; everything left out is 0.
  public init(
    _ kind: EventKind, number: UInt32 = 0, flags: EventFlags = [], effectCount: UInt16 = 0, tid: UInt32 = 0,
    stamp: UInt64 = 0, tsc: UInt64 = 0, ticks: UInt64 = 0, rip: UInt64 = 0, value: UInt64 = 0,
    value2: UInt64 = 0, registers: UInt64 = 0, arguments: SixWords = SixWords()
  ) {
    self.kind = kind
    self.flags = flags
    self.effectCount = effectCount
    self.number = number
    self.tid = tid
    self.stamp = stamp
    self.tsc = tsc
    self.ticks = ticks
    self.rip = rip
    self.value = value
    self.value2 = value2
    self.registers = registers
    self.arguments = arguments
  }
}

/// An event with its effects.
public struct Event: Hashable, Sendable {
  /// Place on its tape, from 0.
  public var index: UInt64
  public var head: EventHead
  public var effects: [Effect]

  /// Makes an event; `head.effectCount` is what the records say, also when `effects` differs.
  public init(index: UInt64, head: EventHead, effects: [Effect] = []) {
    self.index = index
    self.head = head
    self.effects = effects
  }
}

/// The bytes of an effect, or only the first of them when the decoder was told to keep few.
public struct Payload: Hashable, Sendable {
  /// Bytes in the record.
  public var length: Int
  /// The first bytes; all of them unless the decoder had a `payloadLimit`.
  public var bytes: [UInt8]
  /// Whether `bytes` is everything.
  public var isComplete: Bool { bytes.count == length }

  /// A complete payload.
  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
    length = bytes.count
  }
  init(prefixOf bytes: UnsafeRawBufferPointer, limit: Int) {
    length = bytes.count
    self.bytes = [UInt8](bytes.prefix(max(limit, 0)))
  }
}

/// What an event does to the process.
public enum Effect: Hashable, Sendable {
  /// Memory is written.
  case memory(address: UInt64, Payload)
  /// A mapping appears.
  case map(Mapping)
  /// A range is unmapped; `length` in bytes.
  case unmap(address: UInt64, length: UInt64)
  /// A range gets another protection (`PROT_*`).
  case protect(address: UInt64, length: UInt64, protection: UInt64)
  /// A mapping moves or changes its length.
  case remap(oldAddress: UInt64, oldLength: UInt64, newAddress: UInt64, newLength: UInt64)
  /// A new process with a tape of its own.
  case process(tape: UInt64, pid: UInt64)
  /// General registers after the event.
  case registers(RegisterValues)
  /// An XSAVE image, standard format of the profile.
  case extendedState(Payload)
  /// A `siginfo_t`.
  case signalInfo(Payload)
  /// Pages are as new (`MADV_DONTNEED`).
  case advise(address: UInt64, length: UInt64, advice: UInt64)
  /// The thread's FS and GS base from here on.
  case bases(fs: UInt64, gs: UInt64)
  /// Bytes that went to bis's standard output (1) or error (2) without passing through the program's memory.
  case output(stream: UInt64, Payload)
  /// A resource limit (`RLIMIT_*`) of the process from here on.
  case limit(resource: UInt64, soft: UInt64)
  /// A new thread of the process: it begins with its parent's registers, but for result 0, stack and FS base.
  case thread(tid: UInt64, stack: UInt64, fs: UInt64)
  /// The thread has a new name: 16 bytes, little-endian.
  case name(UInt64, UInt64)
  /// The checksum of a range of memory.
  case checksumRange(address: UInt64, length: UInt64, checksum: UInt64)

  /// The kind of record this is.
  public var kind: EffectKind {
    switch self {
    case .memory: .memory
    case .map: .map
    case .unmap: .unmap
    case .protect: .protect
    case .remap: .remap
    case .process: .process
    case .registers: .registers
    case .extendedState: .extendedState
    case .signalInfo: .signalInfo
    case .checksumRange: .checksumRange
    case .limit: .limit
    case .thread: .thread
    case .name: .name
    case .output: .output
    case .advise: .advise
    case .bases: .bases
    }
  }
}

/// A mapping that appears, `struct bis_effect_map`.
public struct Mapping: Hashable, Sendable {
  public var address: UInt64
  /// Bytes.
  public var length: UInt64
  /// `PROT_*`.
  public var protection: UInt32
  /// `MAP_*` as asked.
  public var flags: UInt32
  /// Number in the trace's list of files, nil: anonymous.
  public var file: UInt64?
  /// Bytes into the file.
  public var offset: UInt64

  /// Makes a description of a mapping.
  public init(
    address: UInt64, length: UInt64, protection: UInt32, flags: UInt32, file: UInt64? = nil, offset: UInt64 = 0
  ) {
    self.address = address
    self.length = length
    self.protection = protection
    self.flags = flags
    self.file = file
    self.offset = offset
  }
}

/// General registers, `struct bis_effect_registers`.
public struct RegisterValues: Hashable, Sendable {
  /// rax rcx rdx rbx rsp rbp rsi rdi r8..r15: 16 values.
  public var general: [UInt64]
  public var rip: UInt64
  public var rflags: UInt64
  public var fsBase: UInt64
  public var gsBase: UInt64

  /// - Precondition: `general` has 16 values.
  public init(general: [UInt64], rip: UInt64, rflags: UInt64, fsBase: UInt64, gsBase: UInt64) {
    precondition(general.count == 16, "16 general registers, not \(general.count)")
    self.general = general
    self.rip = rip
    self.rflags = rflags
    self.fsBase = fsBase
    self.gsBase = gsBase
  }
}
