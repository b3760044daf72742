// Registers as gdb numbers them and as an engine has them.

public import CPUModel
public import RSP
public import Replay

extension X86Features {
  /// What the program could use: what its XCR0 says.
  public init(_ profile: CPUProfile) {
    self = []
    if profile.xcr0 & XCR0.avx != 0 { insert(.avx) }
    if profile.xcr0 & XCR0.avx512 == XCR0.avx512 { insert(.avx512) }
    if profile.xcr0 & XCR0.pkru != 0 { insert(.pkeys) }
  }
}

/// Where each register of a target description is in a `RegisterFile`.
public struct RegisterLayout: Sendable {
  /// One register.
  enum Source: Equatable, Sendable {
    /// Index in encoding order.
    case general(Int)
    case rip, rflags, fsBase, gsBase
    /// A number that never changes.
    case fixed(UInt64)
    /// Bytes of the XSAVE image, of the component with this number.
    case image(component: Int, offset: Int)
    /// The x87 tag word, which the image has in short.
    case tagWord
    /// High half of FIP or FDP.
    case none
  }

  public let description: TargetDescription
  let sources: [Source]

  public init(profile: CPUProfile) {
    description = .x86_64(X86Features(profile))
    var offsets: [Int: Int] = [:]
    for component in profile.components { offsets[component.number] = component.offset }
    sources = description.registers.map { Self.source(of: $0.name, offsets) }
  }

  /// All values, in order; nil: not known.
  public func values(of file: RegisterFile) -> [[UInt8]?] {
    sources.indices.map { value($0, of: file) }
  }

  public func value(_ index: Int, of file: RegisterFile) -> [UInt8]? {
    let count = description.registers[index].byteCount
    switch sources[index] {
    case .general(let number): return Self.bytes(file.general[number], count)
    case .rip: return Self.bytes(file.rip, count)
    case .rflags: return Self.bytes(file.rflags, count)
    case .fsBase: return Self.bytes(file.fsBase, count)
    case .gsBase: return Self.bytes(file.gsBase, count)
    case .fixed(let value): return Self.bytes(value, count)
    case .tagWord: return Self.bytes(UInt64(Self.tagWord(of: file.extended)), count)
    case .image(let component, let offset):
      if !Self.isInUse(component, file.extended) { return Self.initial(offset, component, count) }
      guard offset + count <= file.extended.count else { return nil }
      var bytes = Array(file.extended[offset..<offset + count])
      if component == 0, count == 4 { bytes[2...] = [0, 0] }  // control words have 16 bits
      return bytes
    case .none: return Self.bytes(0, count)
    }
  }

  /// Sets one register; what never changes stays as it is.
  public func set(_ index: Int, of file: inout RegisterFile, to value: [UInt8]) {
    let number = value.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    switch sources[index] {
    case .general(let place): file.general[place] = number
    case .rip: file.rip = number
    case .rflags: file.rflags = file.rflags & ~0xFFFF_FFFF | number
    case .fsBase: file.fsBase = number
    case .gsBase: file.gsBase = number
    case .fixed, .none: break
    case .tagWord:
      guard file.extended.count > 4 else { return }
      use(0, &file.extended)
      file.extended[4] = (0..<8).reduce(0) { $0 | (number >> (2 * UInt64($1)) & 3 != 3 ? 1 << UInt8($1) : 0) }
    case .image(let component, let offset):
      let count = component == 0 && value.count == 4 ? 2 : value.count
      guard offset + count <= file.extended.count else { return }
      use(component, &file.extended)
      file.extended.replaceSubrange(offset..<offset + count, with: value.prefix(count))
    }
  }

  /// Whether both are the same to gdb.
  public func areEqual(_ a: RegisterFile, _ b: RegisterFile) -> Bool {
    // RF and TF are the debugger's own.
    let ignored: UInt64 = 0x1_0100
    var (a, b) = (a, b)
    a.rflags &= 0xFFFF_FFFF & ~ignored
    b.rflags &= 0xFFFF_FFFF & ~ignored
    return values(of: a) == values(of: b)
  }

  // MARK: -

  private static func source(of name: String, _ offsets: [Int: Int]) -> Source {
    let order = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"] + (8..<16).map { "r\($0)" }
    if let index = order.firstIndex(of: name) { return .general(index) }
    if let source = special[name] { return source }
    guard let digit = name.firstIndex(where: \.isNumber) else { return .none }
    let kind = name[..<digit]
    let isHigh = name.hasSuffix("h")
    guard let number = Int(name[digit...].prefix { $0.isNumber }) else { return .none }
    func component(_ component: Int, _ offset: Int) -> Source {
      offsets[component].map { .image(component: component, offset: $0 + offset) } ?? .none
    }
    switch (kind, isHigh) {
    case ("st", false): return .image(component: 0, offset: 32 + 16 * number)
    case ("xmm", false) where number < 16: return .image(component: 1, offset: 160 + 16 * number)
    case ("xmm", false): return component(7, 64 * (number - 16))
    case ("ymm", true) where number < 16: return component(2, 16 * number)
    case ("ymm", true): return component(7, 64 * (number - 16) + 16)
    case ("zmm", true) where number < 16: return component(6, 32 * number)
    case ("zmm", true): return component(7, 64 * (number - 16) + 32)
    case ("k", false): return component(5, 8 * number)
    default: return .none
    }
  }

  private static let special: [String: Source] = [
    "rip": .rip, "eflags": .rflags, "fs_base": .fsBase, "gs_base": .gsBase, "cs": .fixed(0x33), "ss": .fixed(0x2B),
    "ds": .fixed(0), "es": .fixed(0), "fs": .fixed(0), "gs": .fixed(0), "orig_rax": .fixed(.max),
    "fctrl": .image(component: 0, offset: 0), "fstat": .image(component: 0, offset: 2), "ftag": .tagWord,
    "mxcsr": .image(component: 1, offset: 24),
  ]

  private static func isInUse(_ component: Int, _ image: [UInt8]) -> Bool {
    guard image.count >= 520 else { return image.count >= 512 && component < 2 }
    // MXCSR belongs to SSE and AVX; images keep its value whatever the header says.
    return image[512 + component / 8] >> UInt8(component % 8) & 1 != 0
  }

  /// After FNINIT: control word 0x37F, everything else 0; MXCSR 0x1F80.
  private static func initial(_ offset: Int, _ component: Int, _ count: Int) -> [UInt8] {
    bytes(component == 0 && offset == 0 ? 0x37F : component == 1 && offset == 24 ? 0x1F80 : 0, count)
  }

  /// Marks a component as in use, from its initial state.
  private func use(_ component: Int, _ image: inout [UInt8]) {
    guard image.count >= 520, !Self.isInUse(component, image) else { return }
    for (index, source) in sources.enumerated() {
      guard case .image(component, let offset) = source else { continue }
      let count = description.registers[index].byteCount
      let initial = Self.initial(offset, component, count)
      let kept = component == 0 && count == 4 ? 2 : count
      if offset + kept <= image.count { image.replaceSubrange(offset..<offset + kept, with: initial.prefix(kept)) }
    }
    if component == 0 { image[4] = 0 }
    image[512 + component / 8] |= 1 << UInt8(component % 8)
  }

  /// Two bits for each physical register: valid, zero, special, empty (SDM vol. 1, 8.1.7).
  private static func tagWord(of image: [UInt8]) -> UInt16 {
    guard image.count >= 512, isInUse(0, image) else { return 0xFFFF }
    let top = Int(image[3] >> 3 & 7)
    var word: UInt16 = 0
    for physical in 0..<8 {
      var tag: UInt16 = 3
      if image[4] >> UInt8(physical) & 1 != 0 {
        let place = 32 + 16 * ((physical - top) & 7)
        let exponent = UInt16(image[place + 8]) | UInt16(image[place + 9] & 0x7F) << 8
        let isZero = image[place..<place + 8].allSatisfy { $0 == 0 }
        if exponent == 0x7FFF {
          tag = 2
        } else if exponent == 0 {
          tag = isZero ? 1 : 2
        } else {
          tag = image[place + 7] & 0x80 != 0 ? 0 : 2
        }
      }
      word |= tag << UInt16(2 * physical)
    }
    return word
  }

  private static func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) : value == .max ? 0xFF : 0 }
  }
}
