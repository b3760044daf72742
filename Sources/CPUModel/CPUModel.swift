// CPUModel: a CPU as a value. What programs can see of it (CPUID, XCR0, the XSAVE layout), how it is captured,
// masked, written down and compared. Pure: no I/O, no libc; the host's instructions come in as closures.
// Docs/cpu-profiles.md says what bis shows, what it hides and why.

/// One of the four registers that CPUID fills.
public enum CPURegister: UInt8, Sendable, Hashable {
  case eax, ebx, ecx, edx
}

/// What CPUID returns for one leaf and subleaf.
public struct CPUIDResult: Sendable, Hashable {
  public var eax: UInt32
  public var ebx: UInt32
  public var ecx: UInt32
  public var edx: UInt32

  public init(eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0) {
    self.eax = eax
    self.ebx = ebx
    self.ecx = ecx
    self.edx = edx
  }

  /// All four registers are zero: what a CPU answers for a leaf it does not have.
  public var isZero: Bool { eax | ebx | ecx | edx == 0 }

  public subscript(register: CPURegister) -> UInt32 {
    get {
      switch register {
      case .eax: eax
      case .ebx: ebx
      case .ecx: ecx
      case .edx: edx
      }
    }
    set {
      switch register {
      case .eax: eax = newValue
      case .ebx: ebx = newValue
      case .ecx: ecx = newValue
      case .edx: edx = newValue
      }
    }
  }
}

/// One row of a profile's CPUID table.
public struct CPUIDRow: Sendable, Hashable {
  public var leaf: UInt32
  public var subleaf: UInt32
  /// Whether ECX selects a subleaf. If not, the row answers for every ECX.
  public var subleafMatters: Bool
  public var result: CPUIDResult

  public init(leaf: UInt32, subleaf: UInt32, subleafMatters: Bool, result: CPUIDResult) {
    self.leaf = leaf
    self.subleaf = subleaf
    self.subleafMatters = subleafMatters
    self.result = result
  }

  static func precedes(_ a: CPUIDRow, _ b: CPUIDRow) -> Bool {
    (a.leaf, a.subleaf) < (b.leaf, b.subleaf)
  }
}

/// The host's CPUID instruction.
public typealias CPUIDReader =
  (_ leaf: UInt32, _ subleaf: UInt32) -> (eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32)
