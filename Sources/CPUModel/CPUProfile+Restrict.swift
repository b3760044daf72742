extension CPUProfile {
  /// The same CPU with only the given features and XCR0 bits, and without everything that needs what is gone:
  /// no AVX means no AVX2, FMA, F16C, VAES, AVX-512 and no bits 2 and 5 to 7 in XCR0; no XSAVE means none of these and a
  /// leaf 0xD of zeros. Bits that the feature table does not know stay. Only takes away: what this profile lacks, the
  /// result lacks.
  func restricted(to wanted: Set<CPUFeature>, xcr0 wantedXCR0: UInt64) -> CPUProfile {
    let present = Set(features).intersection(wanted)
    let (allowed, newXCR0) = Self.closure(present, xcr0: wantedXCR0 & xcr0 | 3)
    var result = self
    result.xcr0 = newXCR0
    result.components = components.filter { newXCR0 >> UInt64($0.number) & 1 != 0 }
    for feature in CPUFeature.all where !allowed.contains(feature) { result.clear(feature) }
    result.rebuildLeafD()
    if !result.has("avx10") { result.rows.removeAll { $0.leaf == 0x24 } }
    result.rows.removeAll { $0.result.isZero }
    return result
  }

  /// The largest subset that is closed under `needs` and XCR0, and the XCR0 that goes with it.
  static func closure(_ features: Set<CPUFeature>, xcr0: UInt64) -> (Set<CPUFeature>, UInt64) {
    var features = features
    var xcr0 = xcr0
    while true {
      let bits = xcr0 & ownedXCR0(features)
      let kept = features.filter { feature in
        feature.xcr0 & ~bits == 0 && feature.needs.allSatisfy { features.contains($0) }
      }
      if kept.count == features.count, bits == xcr0 { return (features, xcr0) }
      features = kept
      xcr0 = bits
    }
  }

  /// The XCR0 bits that some feature of the set uses; x87 and SSE always.
  private static func ownedXCR0(_ features: Set<CPUFeature>) -> UInt64 {
    var bits = XCR0.x87 | XCR0.sse
    for (name, owned) in [("avx", XCR0.avx), ("avx512f", XCR0.avx512)] {
      if let owner = CPUFeature(named: name), features.contains(owner) { bits |= owned }
    }
    return bits
  }

  private mutating func clear(_ feature: CPUFeature) {
    guard let index = find(feature.leaf, feature.subleaf) else { return }
    rows[index].result[feature.register] &= ~(UInt32(1) << UInt32(feature.bit))
  }

  /// Leaf 0xD for this profile's XCR0 and IA32_XSS = 0 (SDM vol. 1, 13.2): sizes are those of what the profile shows, so
  /// the host's never leak. All zeros without XSAVE.
  private mutating func rebuildLeafD() {
    let mayUse = CPUIDResult(eax: 6)  // XSAVEC, XGETBV1
    let extensions = row(0xD, 1).eax & mayUse.eax
    rows.removeAll { $0.leaf == 0xD }
    guard hasXSAVE else { return }
    let size = UInt32(xsaveSize)
    var new: [(UInt32, CPUIDResult)] = []
    new.append(
      (0, CPUIDResult(eax: UInt32(truncatingIfNeeded: xcr0), ebx: size, ecx: size, edx: UInt32(xcr0 >> 32))))
    let compacted = UInt32(XSAVELayout.compactedSize(components, xcr0: xcr0))
    new.append((1, CPUIDResult(eax: extensions, ebx: extensions & 2 != 0 ? compacted : 0)))
    for component in components {
      let flags: UInt32 = component.isAligned ? 2 : 0
      new.append(
        (
          UInt32(component.number),
          CPUIDResult(eax: UInt32(component.size), ebx: UInt32(component.offset), ecx: flags)
        ))
    }
    rows += new.map { CPUIDRow(leaf: 0xD, subleaf: $0.0, subleafMatters: true, result: $0.1) }
    rows.sort(by: CPUIDRow.precedes)
  }
}
