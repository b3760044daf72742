/// A description of a CPU as given on the command line: a base, then changes.
///
///     host                      this machine, without what bis hides
///     x86-64-v3                 a psABI level, or a CPU by name (`CPUSpec.names`): a mask of this machine
///     host,-avx512,-rdrand      without features, and whatever needs them
///     x86-64-v2,+avx            with a feature of this machine, and whatever it needs
///     xcr0=0x7                  `host,xcr0=0x7`: only these bits of XCR0, and what they allow
public struct CPUSpec: Sendable, Hashable {
  /// Why a description is not one, or does not fit this machine.
  public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownBase(String)
    case unknownFeature(String)
    case malformed(String)
    case invalidXCR0(UInt64)
    /// `+feature` of something that bis hides, with the reason.
    case hidden(String, String)
    /// Features that are wanted and that this machine does not have.
    case unavailable([String])
    /// Bits of XCR0 that are wanted and that this machine does not have.
    case xcr0Unavailable(UInt64)

    public var description: String {
      switch self {
      case .unknownBase(let name): "no CPU or level named '\(name)'; 'bis cpu list' shows those there are"
      case .unknownFeature(let name): "no CPU feature named '\(name)'"
      case .malformed(let text): "'\(text)' is not -FEATURE, +FEATURE or xcr0=VALUE"
      case .invalidXCR0(let value):
        "no CPU allows XCR0 = 0x\(hex(value)) (x87 must be on; AVX needs SSE; AVX-512 all of bits 2, 5, 6, 7)"
      case .hidden(let name, let reason): "bis shows \(name) to no program: \(reason)"
      case .unavailable(let names): "this machine does not have \(names.joined(separator: ", "))"
      case .xcr0Unavailable(let bits): "this machine does not have \(XCR0.names(bits)) in XCR0"
      }
    }
  }

  enum Change: Sendable, Hashable {
    case remove([CPUFeature])
    case add(CPUFeature)
    case xcr0(UInt64)
  }

  let base: String
  let changes: [Change]

  /// The bases there are, `host` first.
  public static let names: [String] = ["host"] + generatedLevelRows.map { $0.0 }

  /// Parses a description.
  public init(_ text: String) throws(Failure) {
    var parts = text.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
    guard let first = parts.first, text.utf8.count <= 4096 else { throw .malformed(text) }
    if Self.isChange(first) {
      base = "host"
    } else {
      base = first.lowercased()
      parts.removeFirst()
    }
    guard Self.names.contains(base) else { throw .unknownBase(first) }
    var changes: [Change] = []
    for part in parts { changes.append(try Self.change(part)) }
    self.changes = changes
  }

  private static func isChange(_ part: String) -> Bool {
    part.hasPrefix("-") || part.hasPrefix("+") || part.hasPrefix("xcr0=")
  }

  private static func change(_ part: String) throws(Failure) -> Change {
    if part.hasPrefix("xcr0=") {
      let digits = part.dropFirst(5)
      let number = digits.hasPrefix("0x") ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits)
      guard let number, !digits.dropFirst(2).hasPrefix("+") else { throw .malformed(part) }
      guard XCR0.isValid(number) else { throw .invalidXCR0(number) }
      return .xcr0(number)
    }
    let name = part.dropFirst()
    guard isChange(part), !name.isEmpty else { throw .malformed(part) }
    let features = CPUFeature.group(named: name)
    guard let feature = features.first else { throw .unknownFeature(String(name)) }
    if part.hasPrefix("-") { return .remove(features) }
    if let reason = feature.hiddenBecause { throw .hidden(feature.name, reason) }
    return .add(feature)
  }

  /// The profile that the description means on this machine.
  /// - Parameter host: from `CPUProfile.capture`, or any other profile to mask.
  public func profile(host: CPUProfile) throws(Failure) -> CPUProfile {
    var wanted = Set(host.features)
    var required: Set<CPUFeature> = []
    if base != "host" {
      required = Self.features(ofBase: base)
      wanted = wanted.filter { $0.kind != .insn }.union(required)
    }
    var xcr0 = host.xcr0
    for change in changes {
      switch change {
      case .remove(let features):
        wanted.subtract(features)
        required = CPUProfile.closure(required.subtracting(features), xcr0: ~0).0
      case .add(let feature):
        let needed = Self.withNeeds(feature)
        required.formUnion(needed)
        wanted.formUnion(needed)
      case .xcr0(let value):
        if value & ~host.xcr0 != 0 { throw .xcr0Unavailable(value & ~host.xcr0) }
        xcr0 &= value
        required = required.filter { $0.xcr0 & ~xcr0 == 0 }
      }
    }
    let missing = required.filter { !host.has($0) }.sorted()
    guard missing.isEmpty else { throw .unavailable(missing.map { $0.name }) }
    return host.restricted(to: wanted, xcr0: xcr0)
  }

  /// What a level or a named CPU has, by the table.
  public static func features(ofBase name: String) -> Set<CPUFeature> {
    guard let row = generatedLevelRows.first(where: { $0.0 == name }) else { return [] }
    let own = row.2.split(separator: ",").map { CPUFeature(named: $0) }
    precondition(!own.contains(nil), "level table: \(name)")
    return Set(own.compactMap { $0 }).union(row.1.isEmpty ? [] : features(ofBase: row.1))
  }

  private static func withNeeds(_ feature: CPUFeature) -> Set<CPUFeature> {
    feature.needs.reduce(into: [feature]) { $0.formUnion(withNeeds($1)) }
  }
}

/// Hexadecimal digits, at least `width`.
func hex(_ value: some BinaryInteger, width: Int = 1) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
