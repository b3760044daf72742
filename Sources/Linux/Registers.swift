/// The general registers of a stopped thread, laid out as the kernel's `struct user_regs_struct` (sys/user.h).
public struct Registers: Equatable, Sendable {
  public var r15: UInt64 = 0
  public var r14: UInt64 = 0
  public var r13: UInt64 = 0
  public var r12: UInt64 = 0
  public var rbp: UInt64 = 0
  public var rbx: UInt64 = 0
  public var r11: UInt64 = 0
  public var r10: UInt64 = 0
  public var r9: UInt64 = 0
  public var r8: UInt64 = 0
  public var rax: UInt64 = 0
  public var rcx: UInt64 = 0
  public var rdx: UInt64 = 0
  public var rsi: UInt64 = 0
  public var rdi: UInt64 = 0
  /// The system call's number while in one. Set to all ones, it keeps the kernel from restarting a call.
  public var orig_rax: UInt64 = 0
  public var rip: UInt64 = 0
  public var cs: UInt64 = 0
  public var rflags: UInt64 = 0
  public var rsp: UInt64 = 0
  public var ss: UInt64 = 0
  public var fs_base: UInt64 = 0
  public var gs_base: UInt64 = 0
  public var ds: UInt64 = 0
  public var es: UInt64 = 0
  public var fs: UInt64 = 0
  public var gs: UInt64 = 0

  public init() {}

  /// TF: an exception behind each instruction (SDM 3A, 2.3).
  public var hasTrapFlag: Bool { rflags & 0x100 != 0 }

  /// By the number instructions use: 0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8…15. Traps above.
  public subscript(number: Int) -> UInt64 {
    get {
      switch number {
      case 0: rax
      case 1: rcx
      case 2: rdx
      case 3: rbx
      case 4: rsp
      case 5: rbp
      case 6: rsi
      case 7: rdi
      case 8: r8
      case 9: r9
      case 10: r10
      case 11: r11
      case 12: r12
      case 13: r13
      case 14: r14
      case 15: r15
      default: preconditionFailure("register number \(number)")
      }
    }
    set {
      switch number {
      case 0: rax = newValue
      case 1: rcx = newValue
      case 2: rdx = newValue
      case 3: rbx = newValue
      case 4: rsp = newValue
      case 5: rbp = newValue
      case 6: rsi = newValue
      case 7: rdi = newValue
      case 8: r8 = newValue
      case 9: r9 = newValue
      case 10: r10 = newValue
      case 11: r11 = newValue
      case 12: r12 = newValue
      case 13: r13 = newValue
      case 14: r14 = newValue
      case 15: r15 = newValue
      default: preconditionFailure("register number \(number)")
      }
    }
  }

  /// Arguments 0…5 of a system call: rdi, rsi, rdx, r10, r8, r9. Traps above.
  public func argument(_ index: Int) -> UInt64 {
    switch index {
    case 0: rdi
    case 1: rsi
    case 2: rdx
    case 3: r10
    case 4: r8
    case 5: r9
    default: preconditionFailure("system call argument \(index)")
    }
  }

  /// Sets the arguments from the first on; the others stay.
  public mutating func setArguments(_ values: [UInt64]) {
    precondition(values.count <= 6, "\(values.count) system call arguments")
    if values.count > 0 { rdi = values[0] }
    if values.count > 1 { rsi = values[1] }
    if values.count > 2 { rdx = values[2] }
    if values.count > 3 { r10 = values[3] }
    if values.count > 4 { r8 = values[4] }
    if values.count > 5 { r9 = values[5] }
  }
}
