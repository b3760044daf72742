/// A CPU feature that bis knows: one CPUID bit, a row of `Tables/cpu-features.txt`.
public struct CPUFeature: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// What a feature is about.
  public enum Kind: UInt8, Sendable {
    /// Instructions or registers that exist or not: a replay needs those that ran.
    case insn
    /// Speed, never results.
    case hint
    /// The kernel's business.
    case sys
  }

  let index: Int

  /// All features, in the table's order.
  public static let all: [CPUFeature] = table.rows.indices.map { CPUFeature(index: $0) }

  static let table = FeatureTable()

  var row: FeatureRow { Self.table.rows[index] }

  /// Its name, as in `/proc/cpuinfo` where Linux has one.
  public var name: String { row.name }
  public var leaf: UInt32 { row.leaf }
  public var subleaf: UInt32 { row.subleaf }
  public var register: CPURegister { row.register }
  public var bit: Int { Int(row.bit) }
  public var kind: Kind { row.kind }
  /// Bits of XCR0 without which it cannot be used.
  public var xcr0: UInt64 { row.xcr0 }
  /// Features without which it is switched off, too.
  public var needs: [CPUFeature] { Self.table.needs[index] }
  /// Why bis shows it to no program (a row of `Tables/cpu-hidden.txt`), or nil.
  public var hiddenBecause: String? { Self.table.hidden[index] }

  public var description: String { name }

  public static func < (a: CPUFeature, b: CPUFeature) -> Bool { a.index < b.index }

  /// The feature of that name; case, `-`, `_` and `.` do not matter, and `sse3`, `lzcnt`, ... are understood.
  public init?(named name: some StringProtocol) {
    let key = FeatureTable.key(name)
    guard let index = FeatureTable.byKey[FeatureTable.aliases[key] ?? key] else { return nil }
    self.index = index
  }

  init(index: Int) { self.index = index }

  /// The features that a name in a specification stands for: one, or a group (`avx512`, `tsx`, `amx`).
  /// Whatever needs one of these follows by closure.
  public static func group(named name: some StringProtocol) -> [CPUFeature] {
    switch FeatureTable.key(name) {
    case "tsx": ["rtm", "hle"].compactMap { CPUFeature(named: $0) }
    case "cet": ["shstk", "ibt"].compactMap { CPUFeature(named: $0) }
    default: CPUFeature(named: name).map { [$0] } ?? []
    }
  }
}

/// A row of the feature table as generated.
struct FeatureRow: Sendable, Equatable {
  let name: String
  let leaf: UInt32
  let subleaf: UInt32
  let register: CPURegister
  let bit: UInt8
  let kind: CPUFeature.Kind
  let xcr0: UInt64
  let needs: String

  init(
    _ name: String, _ leaf: UInt32, _ subleaf: UInt32, _ register: CPURegister, _ bit: UInt8,
    _ kind: CPUFeature.Kind, _ xcr0: UInt64, _ needs: String
  ) {
    self.name = name
    self.leaf = leaf
    self.subleaf = subleaf
    self.register = register
    self.bit = bit
    self.kind = kind
    self.xcr0 = xcr0
    self.needs = needs
  }
}

/// The feature table with its names resolved. A name in the table that does not resolve is our own mistake and traps.
struct FeatureTable: Sendable {
  let rows: [FeatureRow]
  let needs: [[CPUFeature]]
  let hidden: [String?]

  /// Indices by key; only for names that people write (every start of bis needs the rest).
  static let byKey = Dictionary(
    generatedFeatureRows.enumerated().map { (key($0.element.name), $0.offset) }, uniquingKeysWith: { _, new in new })

  /// Other names for features, as keys.
  static let aliases: [String: String] = [
    "sse3": "pni", "lzcnt": "abm", "avx512": "avx512f", "avx512vnni": "avx512vnni", "sha": "shani",
    "amx": "amxtile", "cmpxchg16b": "cx16", "cmpxchg8b": "cx8", "pclmul": "pclmulqdq", "cet": "shstk",
    "tsx": "rtm", "pt": "intelpt", "monitorx": "mwaitx", "xgetbv": "xgetbv1", "bmi": "bmi1", "rdrnd": "rdrand",
    "lahfsahf": "lahflm", "kl": "keylocker", "apxf": "apx", "pkey": "pku", "pkeys": "pku",
  ]

  init() {
    let rows = generatedFeatureRows
    func resolve(_ name: String, near index: Int) -> Int {
      if let found = rows[..<index].lastIndex(where: { $0.name == name }) { return found }  // (most stand close before)
      guard let found = rows.firstIndex(where: { $0.name == name }) else {
        preconditionFailure("feature table: \(name)?")
      }
      return found
    }
    self.rows = rows
    needs = rows.enumerated().map { index, row in
      row.needs.split(separator: ",").map { CPUFeature(index: resolve(String($0), near: index)) }
    }
    var hidden = [String?](repeating: nil, count: rows.count)
    for (name, reason) in generatedHiddenRows { hidden[resolve(name, near: 0)] = reason }
    self.hidden = hidden
  }

  /// Letters and digits of a name, lower case.
  static func key(_ name: some StringProtocol) -> String {
    name.lowercased().filter { $0 != "-" && $0 != "_" && $0 != "." }
  }
}
