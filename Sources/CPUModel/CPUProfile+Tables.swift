public import CABI

// What the runtime reads in the tables page: bis_abi.h.
extension CPUProfile {
  /// The rows of `BIS_TABLES_CPUID`, sorted as the runtime's binary search needs them.
  public func cpuidRows() -> [bis_cpuid_row] {
    rows.map { row in
      bis_cpuid_row(
        leaf: row.leaf, subleaf: row.subleaf, subleaf_matters: row.subleafMatters ? 1 : 0, eax: row.result.eax,
        ebx: row.result.ebx, ecx: row.result.ecx, edx: row.result.edx, reserved: 0)
    }
  }

  /// `BIS_TABLES_HEADER`. `subcall_count` is left 0 for the caller.
  /// - Parameters:
  ///   - hostXCR0: of the machine that executes, 0 if it has no XSAVE. Need not be the machine of the profile.
  ///   - hostComponents: `XSAVELayout.components(cpuid:xcr0:)` of that machine.
  public func tablesHeader(hostXCR0: UInt64, hostComponents: [XSAVEComponent]) -> bis_tables_header {
    var header = bis_tables_header()
    header.cpuid_count = UInt64(rows.count)
    header.max_basic_leaf = maximumBasicLeaf
    header.max_extended_leaf = maximumExtendedLeaf
    header.basic_overflow_leaf = isAMD ? 0xFFFF_FFFF : maximumBasicLeaf
    header.vendor_amd = isAMD ? 1 : 0
    header.xcr0 = xcr0
    header.xsave_size = UInt32(xsaveSize)
    // The runtime only ever moves components that the profile has: others (AMX: 8 KiB) stay out of its tables.
    let usable = hostComponents.filter { xcr0 >> UInt64($0.number) & 1 != 0 }
    header.host_xcr0 = hostXCR0
    header.host_xsave_size = UInt32(XSAVELayout.standardSize(usable, xcr0: hostXCR0))
    header.component_count = Self.fill(&header.components, components)
    header.host_component_count = Self.fill(&header.host_components, usable)
    header.has_xsave = hasXSAVE ? 1 : 0
    header.has_xsavec = has("xsavec") ? 1 : 0
    header.has_xsaveopt = has("xsaveopt") ? 1 : 0
    header.has_xgetbv1 = has("xgetbv1") ? 1 : 0
    header.has_pku = has("ospke") ? 1 : 0
    header.has_rdtscp = has("rdtscp") ? 1 : 0
    header.has_rdpid = has("rdpid") ? 1 : 0
    header.has_fsgsbase = has("fsgsbase") ? 1 : 0
    header.mxcsr_mask = mxcsrMask
    return header
  }

  /// Copies components into one of the header's C arrays; returns how many.
  private static func fill<Array32>(_ array: inout Array32, _ components: [XSAVEComponent]) -> UInt32 {
    withUnsafeMutableBytes(of: &array) { bytes in
      let slots = bytes.bindMemory(to: bis_xcomponent.self)
      let count = min(slots.count, components.count)
      for (index, c) in components.prefix(count).enumerated() {
        slots[index] = bis_xcomponent(
          number: UInt32(c.number), size: UInt32(c.size), offset: UInt32(c.offset),
          aligned: c.isAligned ? 1 : 0)
      }
      return UInt32(count)
    }
  }
}
