// For people: `bis cpu` and `bis cpu show`.
extension CPUProfile {
  /// A few lines: name, XCR0, the levels it reaches, features.
  public var summary: String {
    var text = "\(brand.isEmpty ? vendor : brand) (\(vendor), \(signature))\n"
    text += "XCR0      0x\(hex(xcr0))  \(XCR0.names(xcr0))\(hasXSAVE ? "" : "  (no XSAVE: XGETBV is undefined)")\n"
    text += "XSAVE     \(xsaveSize) bytes"
    if has("xsavec") { text += ", compacted \(XSAVELayout.compactedSize(components, xcr0: xcr0))" }
    text += "\nlevels    \(levels.isEmpty ? "none" : levels.joined(separator: " "))\n"
    text += Self.wrapped("features  ", features.map { $0.name })
    return text
  }

  /// Everything: the summary, the XSAVE layout, auxiliary vector values, all CPUID leaves.
  public var listing: String {
    var text = summary + "\nXSAVE layout (standard format)\n"
    text += "  0  x87         offset    0  size  160\n  1  SSE         offset  160  size  256\n"
    for c in components {
      text += "  \(c.number)  \(Self.padded(XCR0.name(ofBit: c.number), 10))  offset \(Self.right(c.offset, 4))"
      text += "  size \(Self.right(c.size, 4))\(c.isAligned ? "  64-byte aligned when compacted" : "")\n"
    }
    text += "\nMXCSR mask 0x\(hex(mxcsrMask)), AT_HWCAP 0x\(hex(hwcap)), AT_HWCAP2 0x\(hex(hwcap2)), "
    text += "AT_MINSIGSTKSZ \(minimumSignalStackSize)\n"
    text += "\nCPUID     ECX       EAX      EBX      ECX      EDX\n"
    for row in rows {
      let r = row.result
      text += "\(hex(row.leaf, width: 8))  \(row.subleafMatters ? Self.right(hex(row.subleaf), 3) : "  *")  "
      text += [r.eax, r.ebx, r.ecx, r.edx].map { " " + hex($0, width: 8) }.joined() + "\n"
    }
    return text
  }

  /// The psABI levels and named CPUs whose features this profile has all.
  public var levels: [String] {
    CPUSpec.names.dropFirst().filter { name in CPUSpec.features(ofBase: name).allSatisfy { has($0) } }
  }

  /// `family 25 model 17 stepping 1` (SDM vol. 2A, CPUID leaf 1 EAX).
  public var signature: String {
    let eax = row(1, 0).eax
    let base = eax >> 8 & 0xF
    let family = base == 15 ? base + (eax >> 20 & 0xFF) : base
    let model = eax >> 4 & 0xF | (base == 15 || base == 6 ? eax >> 12 & 0xF0 : 0)
    return "family \(family) model \(model) stepping \(eax & 0xF)"
  }

  /// A table of what bis hides, one line each with the reason; the host's own features can be marked by `present`.
  public static func hiddenListing(present: (CPUFeature) -> Bool = { _ in false }) -> String {
    CPUFeature.all.compactMap { feature in
      feature.hiddenBecause.map { "\(present(feature) ? "*" : " ") \(padded(feature.name, 18)) \($0)\n" }
    }.joined()
  }

  private static func wrapped(_ head: String, _ words: [String]) -> String {
    var text = ""
    var line = head
    for word in words {
      if line.count + word.count > 100 {
        text += line + "\n"
        line = String(repeating: " ", count: head.count)
      }
      line += word + " "
    }
    return text + line + "\n"
  }

  static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  static func right(_ value: some CustomStringConvertible, _ width: Int) -> String {
    let text = value.description
    return String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
