/// A CPU as programs see it: every CPUID leaf, XCR0 and the XSAVE layout. Constant: it depends neither on the core that
/// a program runs on nor on when it asks. Never shows what bis cannot repeat exactly (`Tables/cpu-hidden.txt`).
///
/// Made by `capture`, `CPUSpec.profile(host:)` or `init(text:)`.
public struct CPUProfile: Sendable, Hashable {
  /// CPUID, sorted by leaf and subleaf, each at most once; rows of zeros are left out.
  public internal(set) var rows: [CPUIDRow]
  /// XCR0, a subset of `XCR0.supported`. Without XSAVE it is x87 and SSE: state that exists, though XGETBV does not.
  public internal(set) var xcr0: UInt64
  /// The components of `xcr0` from 2 on, by number.
  public internal(set) var components: [XSAVEComponent]
  /// What FXSAVE writes as MXCSR_MASK.
  public internal(set) var mxcsrMask: UInt32

  init(rows: [CPUIDRow], xcr0: UInt64, components: [XSAVEComponent], mxcsrMask: UInt32) {
    self.rows = rows.sorted(by: CPUIDRow.precedes)
    self.xcr0 = xcr0
    self.components = components
    self.mxcsrMask = mxcsrMask
  }

  /// The twelve letters of leaf 0, `GenuineIntel`.
  public var vendor: String {
    let id = row(0, 0)
    var letters: [UInt8] = []
    for word in [id.ebx, id.edx, id.ecx] {
      for shift in stride(from: UInt32(0), to: 32, by: 8) { letters.append(UInt8(word >> shift & 0xFF)) }
    }
    return String(decoding: letters.map { $0 >= 0x20 && $0 < 0x7F ? $0 : 0x3F }, as: UTF8.self)
  }

  /// AMD and Hygon answer zeros above the highest leaf; others the data of the highest basic leaf.
  public var isAMD: Bool { vendor == "AuthenticAMD" || vendor == "HygonGenuine" }

  public var maximumBasicLeaf: UInt32 { row(0, 0).eax }
  /// 0 if there are no extended leaves.
  public var maximumExtendedLeaf: UInt32 { row(0x8000_0000, 0).eax }

  /// The brand string of leaves 0x80000002 to 0x80000004.
  public var brand: String {
    var letters: [UInt8] = []
    for leaf in UInt32(0x8000_0002)...0x8000_0004 {
      let result = row(leaf, 0)
      for word in [result.eax, result.ebx, result.ecx, result.edx] {
        for shift in stride(from: UInt32(0), to: 32, by: 8) { letters.append(UInt8(word >> shift & 0xFF)) }
      }
    }
    let text = letters.prefix { $0 != 0 }.map { $0 >= 0x20 && $0 < 0x7F ? $0 : 0x3F }
    return String(decoding: text, as: UTF8.self)
  }

  /// Bytes of a standard-format XSAVE area for `xcr0`.
  public var xsaveSize: Int { XSAVELayout.standardSize(components, xcr0: xcr0) }

  /// Whether programs can use XSAVE and XGETBV.
  public var hasXSAVE: Bool { row(1, 0).ecx >> 27 & 1 != 0 }

  /// Whether CPUID shows the feature.
  public func has(_ feature: CPUFeature) -> Bool {
    row(feature.leaf, feature.subleaf)[feature.register] >> UInt32(feature.bit) & 1 != 0
  }

  /// Whether CPUID shows the feature of that name; false for a name that bis does not know.
  public func has(_ name: String) -> Bool { CPUFeature(named: name).map { has($0) } ?? false }

  /// All features that CPUID shows, in the table's order.
  public var features: [CPUFeature] { CPUFeature.all.filter { has($0) } }

  /// What the CPUID instruction answers, exactly as the runtime does it (special.c).
  public func cpuid(_ leaf: UInt32, _ subleaf: UInt32) -> CPUIDResult {
    if isInRange(leaf) { return row(leaf, subleaf) }
    return isAMD ? CPUIDResult() : row(maximumBasicLeaf, subleaf)
  }

  /// Whether a leaf lies below the maximum of its class: basic, hypervisor (by 256), extended.
  func isInRange(_ leaf: UInt32) -> Bool {
    if leaf < 0x4000_0000 { return leaf <= maximumBasicLeaf }
    if leaf < 0x5000_0000 {
      let base = leaf & 0xFFFF_FF00
      return find(base, 0).map { leaf <= rows[$0].result.eax } ?? false
    }
    return leaf >= 0x8000_0000 && leaf <= maximumExtendedLeaf
  }

  /// The table's answer: zeros if it has no row. Topology leaves tell the subleaf asked for even beyond their last level.
  func row(_ leaf: UInt32, _ subleaf: UInt32) -> CPUIDResult {
    if let index = find(leaf, subleaf) { return rows[index].result }
    return Self.topologyLeaves.contains(leaf) ? CPUIDResult(ecx: subleaf & 0xFF) : CPUIDResult()
  }

  static let topologyLeaves: [UInt32] = [0xB, 0x1F, 0x8000_0026]

  /// The row that answers for a leaf and subleaf, by binary search.
  func find(_ leaf: UInt32, _ subleaf: UInt32) -> Int? {
    var low = 0
    var high = rows.count
    while low < high {
      let middle = (low + high) / 2
      let row = rows[middle]
      if row.leaf == leaf, !row.subleafMatters || row.subleaf == subleaf { return middle }
      if (row.leaf, row.subleaf) < (leaf, subleaf) { low = middle + 1 } else { high = middle }
    }
    return nil
  }
}
