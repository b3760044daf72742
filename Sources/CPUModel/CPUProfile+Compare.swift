/// What keeps a profile from replaying on a machine, or may.
public struct CPUDifferences: Sendable, Hashable, CustomStringConvertible {
  /// Features that instructions of the recording used (or may have used) and that the host lacks.
  public var missingFeatures: [CPUFeature]
  /// Components of the recording's XCR0 that the host lacks: there is no place to keep these registers.
  public var missingXCR0: UInt64
  /// Components that lie elsewhere in the host's XSAVE area. No obstacle: the runtime converts.
  public var movedComponents: [Int]
  /// Components that have another size: an obstacle.
  public var resizedComponents: [Int]
  /// Results that the host may compute otherwise, though it has the instructions.
  public var warnings: [String]

  /// Whether nothing stands in the way.
  public var replaysHere: Bool { missingFeatures.isEmpty && missingXCR0 == 0 && resizedComponents.isEmpty }

  /// Why not, a sentence each; empty if it replays here.
  public var obstacles: [String] {
    var list: [String] = []
    if !missingFeatures.isEmpty {
      list.append("this machine lacks " + missingFeatures.map { $0.name }.joined(separator: ", "))
    }
    if missingXCR0 != 0 { list.append("this machine's XCR0 lacks \(XCR0.names(missingXCR0))") }
    if !resizedComponents.isEmpty {
      let names = resizedComponents.map { XCR0.name(ofBit: $0) }.joined(separator: ", ")
      list.append("the size of \(names) state differs here")
    }
    return list
  }

  public var description: String {
    let verdict = replaysHere ? "replays here" : "does not replay here, because " + obstacles.joined(separator: "; ")
    let moved =
      movedComponents.isEmpty
      ? "" : "; XSAVE layout converted (" + movedComponents.map { XCR0.name(ofBit: $0) }.joined(separator: ", ") + ")"
    return verdict + moved + warnings.map { "; " + $0 }.joined()
  }
}

extension CPUProfile {
  /// What this (recorded) profile has that the host lacks.
  /// - Parameters:
  ///   - host: `capture` of the machine that would replay.
  ///   - used: the features of the instructions that the recording executed, if known: then only these count, and
  ///     AVX and AVX-512 state that was never used is kept as zeros by the runtime.
  public func differences(from host: CPUProfile, used: Set<CPUFeature>? = nil) -> CPUDifferences {
    let counted = CPUFeature.all.filter { feature in
      feature.kind == .insn && has(feature) && !host.has(feature) && (used?.contains(feature) ?? true)
        && !Self.emulated.contains(feature.name)
    }
    var neededXCR0 = xcr0
    if let used { neededXCR0 &= used.reduce(3) { $0 | $1.xcr0 } }
    var moved: [Int] = []
    var resized: [Int] = []
    for component in components {
      guard let there = host.components.first(where: { $0.number == component.number }) else { continue }
      if there.size != component.size { resized.append(component.number) }
      if there.offset != component.offset { moved.append(component.number) }
    }
    return CPUDifferences(
      missingFeatures: counted, missingXCR0: neededXCR0 & ~host.xcr0, movedComponents: moved,
      resizedComponents: resized, warnings: warnings(from: host))
  }

  /// Instructions that bis answers itself: the host need not have them.
  static let emulated: Set<String> = [
    "xsave", "osxsave", "xsavec", "xsaveopt", "xgetbv1", "rdtscp", "rdpid", "fsgsbase", "rdrand", "rdseed", "tsc",
    "syscall", "sep", "lm",
  ]

  private func warnings(from host: CPUProfile) -> [String] {
    var list: [String] = []
    if isAMD != host.isAMD {
      list.append("RCPPS, RSQRTPS and the last bits of x87 functions differ between makers")
    }
    if mxcsrMask & ~host.mxcsrMask != 0 {
      list.append("MXCSR bits 0x\(hex(mxcsrMask & ~host.mxcsrMask)) do not exist here")
    }
    for name in ["abm", "bmi1"] where !has(name) && host.has(name) {
      list.append("LZCNT and TZCNT encodings mean BSR and BSF on the CPU recorded")
      break
    }
    return list
  }
}
