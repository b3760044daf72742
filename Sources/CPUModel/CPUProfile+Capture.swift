extension CPUProfile {
  /// The profile `host`: what bis shows of this machine. The closure executes CPUID; call from a thread that stays on one
  /// core if the machine's cores differ.
  ///
  /// - Parameters:
  ///   - xcr0: XGETBV(0), or 0 if the host has no XSAVE (CPUID leaf 1 ECX bit 27 is 0).
  ///   - mxcsrMask: bytes 28 to 31 of an FXSAVE image; 0 means 0xFFBF (SDM vol. 1, 11.6.6).
  public static func capture(cpuid: CPUIDReader, xcr0: UInt64, mxcsrMask: UInt32) -> CPUProfile {
    let raw = captureRows(cpuid)
    let components = XSAVELayout.components(cpuid: cpuid, xcr0: xcr0 & XCR0.supported)
    let profile = CPUProfile(
      rows: raw.compactMap(constant), xcr0: usableXCR0(xcr0, components), components: components,
      mxcsrMask: mxcsrMask == 0 ? 0xFFBF : mxcsrMask)
    let shown = CPUFeature.all.filter { profile.has($0) && $0.hiddenBecause == nil }
    return profile.restricted(to: Set(shown), xcr0: profile.xcr0)
  }

  /// The part of the host's XCR0 that bis shows: AVX-512 only whole, and only what leaf 0xD describes.
  private static func usableXCR0(_ host: UInt64, _ components: [XSAVEComponent]) -> UInt64 {
    var described: UInt64 = 3
    for component in components where component.offset + component.size <= XSAVELayout.maximumSize {
      described |= 1 << UInt64(component.number)
    }
    var xcr0 = (host & XCR0.supported & described) | 3
    if xcr0 & XCR0.avx512 != XCR0.avx512 || xcr0 & XCR0.avx == 0 { xcr0 &= ~XCR0.avx512 }
    return xcr0
  }

  // MARK: reading

  /// Highest number of leaves of one class, and of subleaves of one leaf, that are read.
  private static let leafLimit: UInt32 = 0xFF

  /// All leaves of the three classes. Rows of zeros are left out.
  private static func captureRows(_ cpuid: CPUIDReader) -> [CPUIDRow] {
    var rows: [CPUIDRow] = []
    let basic = min(cpuid(0, 0).eax, leafLimit)
    for leaf in 0...basic { captureLeaf(leaf, cpuid, &rows) }
    if cpuid(1, 0).ecx >> 31 & 1 != 0 {
      for base in [UInt32(0x4000_0000), 0x4000_0100] {
        let highest = cpuid(base, 0).eax
        guard highest >= base, highest - base <= leafLimit else { continue }
        for leaf in base...highest { captureLeaf(leaf, cpuid, &rows) }
      }
    }
    let extended = cpuid(0x8000_0000, 0).eax
    if extended >= 0x8000_0000 {
      for leaf in 0x8000_0000...min(extended, 0x8000_0000 + leafLimit) { captureLeaf(leaf, cpuid, &rows) }
    }
    return rows
  }

  /// How many subleaves a leaf has: nil if ECX does not matter (SDM vol. 2A, CPUID; AMD APM vol. 3, E.3, E.4).
  private static func subleafCount(_ leaf: UInt32, _ first: CPUIDResult) -> UInt32? {
    switch leaf {
    case 0x4, 0xB, 0x1F, 0x8000_001D, 0x8000_0026: 32  // until the first invalid one
    case 0x7, 0x14, 0x17, 0x18, 0x20, 0x24: min(first.eax, 31) + 1
    case 0xD: 64
    case 0xF: 2
    case 0x10, 0x8000_0020: 8
    case 0x12, 0x1D, 0x1E, 0x23: 16
    default: nil
    }
  }

  private static func captureLeaf(_ leaf: UInt32, _ cpuid: CPUIDReader, _ rows: inout [CPUIDRow]) {
    func read(_ subleaf: UInt32) -> CPUIDResult {
      let r = cpuid(leaf, subleaf)
      return CPUIDResult(eax: r.eax, ebx: r.ebx, ecx: r.ecx, edx: r.edx)
    }
    let first = read(0)
    guard let count = subleafCount(leaf, first) else {
      if !first.isZero { rows.append(CPUIDRow(leaf: leaf, subleaf: 0, subleafMatters: false, result: first)) }
      return
    }
    var described = UInt64.max
    switch leaf {
    case 0xD:  // only components that XCR0 or IA32_XSS could hold have a subleaf
      let extended = read(1)
      described = UInt64(first.edx | extended.edx) << 32 | UInt64(first.eax | extended.ecx) | 3
    case 0xF, 0x10, 0x12, 0x14, 0x17, 0x18, 0x1D, 0x1E, 0x20, 0x23, 0x24, 0x8000_0020:
      if first.isZero { return }  // not there
    default: break
    }
    for subleaf in 0..<count where described >> UInt64(subleaf) & 1 != 0 {
      let result = subleaf == 0 ? first : read(subleaf)
      if isLast(leaf, result) { break }
      if result.isZero { continue }
      rows.append(CPUIDRow(leaf: leaf, subleaf: subleaf, subleafMatters: true, result: result))
    }
  }

  /// Whether an enumeration of caches or topology levels ends here.
  private static func isLast(_ leaf: UInt32, _ result: CPUIDResult) -> Bool {
    switch leaf {
    case 0x4, 0x8000_001D: result.eax & 0x1F == 0
    case 0xB, 0x1F, 0x8000_0026: result.ecx & 0xFF00 == 0
    default: false
    }
  }

  // MARK: making constant

  /// A row without what differs from core to core, or belongs to what bis never shows; nil: leave the row out.
  /// Leaf 0xD is rebuilt later (`restricted`).
  private static func constant(_ row: CPUIDRow) -> CPUIDRow? {
    var row = row
    switch row.leaf {
    case 0x1: row.result.ebx &= 0x00FF_FFFF  // initial APIC id
    case 0x3: return nil  // processor serial number
    case 0x6: row.result.edx &= 0xFFFF  // this core's row in the hardware feedback table
    case 0xB, 0x1F: row.result.edx = 0  // x2APIC id
    case 0x12, 0x1B: return nil  // enclaves, PCONFIG
    case 0x14: return nil  // processor trace
    case 0x19: return nil  // key locker
    case 0x1A: return nil  // core type: differs on hybrid CPUs
    case 0x1D, 0x1E: return nil  // AMX
    case 0x8000_001C: return nil  // lightweight profiling
    case 0x8000_001E:  // extended APIC id, core id, node id
      row.result.eax = 0
      row.result.ebx &= ~0xFF
      row.result.ecx &= ~0xFF
    case 0x8000_0026: row.result.edx = 0  // extended x2APIC id
    case 0x4000_0004, 0x4000_0104: row.result.ebx = 0  // Xen: virtual CPU id
    default: break
    }
    return row
  }
}
