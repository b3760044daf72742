/// One XSAVE state component (SDM vol. 1, 13.1) and its place in the standard format.
public struct XSAVEComponent: Sendable, Hashable {
  /// Bit of XCR0, 2 or more.
  public var number: Int
  /// Bytes.
  public var size: Int
  /// Bytes from the start of the area, standard format. A fact of the CPU: Intel's and AMD's differ.
  public var offset: Int
  /// Whether it is aligned to 64 bytes in the compacted format.
  public var isAligned: Bool

  public init(number: Int, size: Int, offset: Int, isAligned: Bool) {
    self.number = number
    self.size = size
    self.offset = offset
    self.isAligned = isAligned
  }
}

/// The bits of XCR0.
public enum XCR0 {
  public static let x87: UInt64 = 1 << 0
  public static let sse: UInt64 = 1 << 1
  public static let avx: UInt64 = 1 << 2
  public static let mpx: UInt64 = 3 << 3
  public static let avx512: UInt64 = 7 << 5
  public static let pkru: UInt64 = 1 << 9
  public static let amx: UInt64 = 3 << 17
  public static let apx: UInt64 = 1 << 19

  /// What bis shows to programs: everything else is off in every profile.
  public static let supported: UInt64 = x87 | sse | avx | avx512

  /// The name of a bit (SDM vol. 3, 2.6).
  public static func name(ofBit bit: Int) -> String {
    switch bit {
    case 0: "x87"
    case 1: "SSE"
    case 2: "AVX"
    case 3: "BNDREGS"
    case 4: "BNDCSR"
    case 5: "opmask"
    case 6: "ZMM_Hi256"
    case 7: "Hi16_ZMM"
    case 8: "PT"
    case 9: "PKRU"
    case 10: "PASID"
    case 11: "CET_U"
    case 12: "CET_S"
    case 13: "HDC"
    case 14: "UINTR"
    case 15: "LBR"
    case 16: "HWP"
    case 17: "TILECFG"
    case 18: "TILEDATA"
    case 19: "APX"
    case 62: "LWP"
    default: "bit \(bit)"
    }
  }

  /// `x87 SSE AVX`.
  public static func names(_ xcr0: UInt64) -> String {
    (0..<64).filter { xcr0 >> UInt64($0) & 1 != 0 }.map { name(ofBit: $0) }.joined(separator: " ")
  }

  /// Whether XSETBV would take the value (SDM vol. 1, 13.3), among the bits that bis supports.
  public static func isValid(_ xcr0: UInt64) -> Bool {
    guard xcr0 & ~supported == 0, xcr0 & x87 != 0 else { return false }
    if xcr0 & avx != 0, xcr0 & sse == 0 { return false }
    let zmm = xcr0 & avx512
    return zmm == 0 || (zmm == avx512 && xcr0 & avx != 0)
  }
}

/// Sizes of XSAVE areas.
public enum XSAVELayout {
  /// The legacy region and the header.
  public static let headerEnd = 576
  /// No area that bis handles is larger: it must fit into the runtime's scratch memory.
  public static let maximumSize = 0x8000

  /// Bytes of the standard format for the components of `xcr0` (CPUID 0xD.0 EBX).
  public static func standardSize(_ components: [XSAVEComponent], xcr0: UInt64) -> Int {
    components.reduce(headerEnd) { size, component in
      xcr0 >> UInt64(component.number) & 1 != 0 ? max(size, component.offset + component.size) : size
    }
  }

  /// Bytes of the compacted format (CPUID 0xD.1 EBX with IA32_XSS = 0; SDM vol. 1, 13.4.3).
  public static func compactedSize(_ components: [XSAVEComponent], xcr0: UInt64) -> Int {
    var size = headerEnd
    for component in components.sorted(by: { $0.number < $1.number })
    where xcr0 >> UInt64(component.number) & 1 != 0 {
      if component.isAligned { size = (size + 63) & ~63 }
      size += component.size
    }
    return size
  }

  /// The components of `xcr0` as CPUID leaf 0xD of the host tells them. Also right for bits that bis hides.
  public static func components(cpuid: CPUIDReader, xcr0: UInt64) -> [XSAVEComponent] {
    var found: [XSAVEComponent] = []
    for bit in 2..<63 where xcr0 >> UInt64(bit) & 1 != 0 {
      let row = cpuid(0xD, UInt32(bit))
      guard row.eax != 0 else { continue }
      found.append(
        XSAVEComponent(
          number: bit, size: Int(row.eax), offset: Int(row.ebx), isAligned: row.ecx & 2 != 0))
    }
    return found
  }
}
