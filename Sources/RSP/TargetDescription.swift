/// The registers of a target: what `qXfer:features:read` says and how `g` lays them out.
public struct TargetDescription: Equatable, Sendable {
  /// One register; its number is its place in `registers`.
  public struct Register: Equatable, Sendable {
    public var name: String
    public var bitSize: Int
    /// A type that gdb knows or that the feature defines.
    public var type: String
    /// gdb's group ("float", "vector", …) when the type does not say it.
    public var group: String?
    /// The feature it belongs to.
    public var feature: String

    public init(name: String, bitSize: Int, type: String, group: String? = nil, feature: String) {
      self.name = name
      self.bitSize = bitSize
      self.type = type
      self.group = group
      self.feature = feature
    }

    public var byteCount: Int { bitSize / 8 }
  }

  /// A feature, and the XML of the types it defines.
  public struct Feature: Equatable, Sendable {
    public var name: String
    public var typesXML: String

    public init(name: String, typesXML: String = "") {
      self.name = name
      self.typesXML = typesXML
    }
  }

  public var architecture: String
  public var osABI: String
  public var features: [Feature]
  /// In order; those of one feature stand together, in the order of `features`.
  public var registers: [Register]
  /// Registers that stop replies hold, so that gdb need not ask: instruction and stack pointer.
  public var expedited: [Int]

  public init(
    architecture: String, osABI: String, features: [Feature], registers: [Register], expedited: [Int] = []
  ) {
    self.architecture = architecture
    self.osABI = osABI
    self.features = features
    self.registers = registers
    self.expedited = expedited
  }

  /// The number of a register.
  public func index(of name: String) -> Int? { registers.firstIndex { $0.name == name } }
  /// Where each register begins in the `g` packet's bytes.
  public var offsets: [Int] {
    var offset = 0
    return registers.map { register in
      defer { offset += register.byteCount }
      return offset
    }
  }
  /// How many bytes `g` has.
  public var byteCount: Int { registers.reduce(0) { $0 + $1.byteCount } }
}

extension TargetDescription {
  /// The document that `qXfer:features:read:target.xml` gives.
  public var xml: String {
    var text = "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n"
    text += "<architecture>\(escapedXML(architecture))</architecture>\n<osabi>\(escapedXML(osABI))</osabi>\n"
    for feature in features {
      text += "<feature name=\"\(escapedXML(feature.name))\">\n\(feature.typesXML)"
      for (number, register) in registers.enumerated() where register.feature == feature.name {
        text += "<reg name=\"\(escapedXML(register.name))\" bitsize=\"\(register.bitSize)\""
        text += " type=\"\(escapedXML(register.type))\" regnum=\"\(number)\""
        if let group = register.group { text += " group=\"\(escapedXML(group))\"" }
        text += "/>\n"
      }
      text += "</feature>\n"
    }
    return text + "</target>\n"
  }
}

/// For XML text and attributes; what XML cannot hold becomes "?".
func escapedXML(_ text: String) -> String {
  var escaped = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": escaped += "&amp;"
    case "<": escaped += "&lt;"
    case ">": escaped += "&gt;"
    case "\"": escaped += "&quot;"
    case "\0"..<" ": escaped += "?"
    default: escaped.unicodeScalars.append(scalar)
    }
  }
  return escaped
}

/// Which register sets an x86-64 target has besides core, SSE and segments.
public struct X86Features: OptionSet, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let avx = X86Features(rawValue: 1)
  public static let avx512 = X86Features(rawValue: 2)
  public static let pkeys = X86Features(rawValue: 4)
}
