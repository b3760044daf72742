/// Why a text is not a profile.
public struct CPUProfileTextError: Error, Hashable, Sendable, CustomStringConvertible {
  /// From 1; 0: the text as a whole.
  public let line: Int
  public let problem: String

  public var description: String { line == 0 ? problem : "line \(line): \(problem)" }
}

// The text, all numbers hexadecimal, one fact a line, in this order:
//
//   bis-cpu 1
//   xcr0 XCR0
//   mxcsr-mask MASK
//   xsave NUMBER SIZE OFFSET ALIGNED(0|1)          each component of XCR0 from 2 on, by number
//   cpuid LEAF SUBLEAF|- EAX EBX ECX EDX           by leaf and subleaf; - : ECX does not matter
//   end
extension CPUProfile {
  static let maximumRows = 2048
  static let maximumText = 256 * 1024

  /// The profile as text. `CPUProfile(text:)` gives it back; equal profiles have equal texts.
  public func encode() -> String {
    var text = "bis-cpu 1\nxcr0 \(hex(xcr0))\nmxcsr-mask \(hex(mxcsrMask))\n"
    for c in components {
      text += "xsave \(hex(c.number)) \(hex(c.size)) \(hex(c.offset)) \(c.isAligned ? 1 : 0)\n"
    }
    for row in rows {
      let r = row.result
      text += "cpuid \(hex(row.leaf, width: 8)) \(row.subleafMatters ? hex(row.subleaf) : "-")"
      for word in [r.eax, r.ebx, r.ecx, r.edx] { text += " " + hex(word, width: 8) }
      text += "\n"
    }
    return text + "end\n"
  }

  /// Reads a text that may come from anybody: takes only what a profile of bis can be.
  public init(text: String) throws(CPUProfileTextError) {
    var parser = TextParser(profile: CPUProfile(rows: [], xcr0: 0, components: [], mxcsrMask: 0))
    guard text.utf8.count <= Self.maximumText else {
      throw CPUProfileTextError(line: 0, problem: "longer than \(Self.maximumText) bytes")
    }
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      try parser.take(line)
    }
    self = try parser.finish()
    try validate()
  }

  /// Checks what the runtime relies on, and that CPUID agrees with XCR0.
  private func validate() throws(CPUProfileTextError) {
    func fail(_ problem: String) throws(CPUProfileTextError) {
      throw CPUProfileTextError(line: 0, problem: problem)
    }
    if !XCR0.isValid(xcr0) || xcr0 & 3 != 3 { try fail("XCR0 0x\(hex(xcr0)) is not one that bis supports") }
    let numbers = components.map { $0.number }
    if numbers != (2..<63).filter({ xcr0 >> UInt64($0) & 1 != 0 }) {
      try fail("the XSAVE components are not those of XCR0")
    }
    var taken: [Range<Int>] = []
    for c in components {
      guard c.size > 0, c.size <= XSAVELayout.maximumSize, c.offset >= XSAVELayout.headerEnd,
        c.offset <= XSAVELayout.maximumSize - c.size
      else { throw CPUProfileTextError(line: 0, problem: "XSAVE component \(c.number) lies outside the area") }
      let range = c.offset..<(c.offset + c.size)
      if taken.contains(where: { $0.overlaps(range) }) { try fail("XSAVE component \(c.number) overlaps another") }
      taken.append(range)
    }
    for (number, size) in [(2, 256), (5, 64), (6, 512), (7, 1024)] {
      if let c = components.first(where: { $0.number == number }), c.size != size {
        try fail("XSAVE component \(number) has \(c.size) bytes, not \(size)")
      }
    }
    let leaf = row(1, 0)
    if leaf.edx >> 24 & 1 == 0 { try fail("no FXSAVE, no 64-bit CPU") }
    if !hasXSAVE, xcr0 != 3 { try fail("XCR0 0x\(hex(xcr0)) without OSXSAVE") }
    if mxcsrMask & 0xFFBF != 0xFFBF { try fail("MXCSR mask 0x\(hex(mxcsrMask)) lacks bits every CPU has") }
    // A profile shows only what it can keep: masking it with itself must change nothing.
    let shown = features.filter { $0.hiddenBecause == nil }
    if restricted(to: Set(shown), xcr0: xcr0) != self {
      try fail("CPUID shows features that bis does not support, that XCR0 forbids, or a wrong leaf 0xD")
    }
  }
}

/// Reads the lines of a profile in their order.
private struct TextParser {
  var profile: CPUProfile
  var line = 0
  var stage = 0  // number of the next kind of line: 0 head, 1 xcr0, 2 mask, 3 xsave or cpuid, 4 cpuid, 5 after end

  func failure(_ problem: String) -> CPUProfileTextError { CPUProfileTextError(line: line, problem: problem) }

  /// Lower-case hexadecimal, at most `bits` wide, without sign or prefix.
  func number(_ word: Substring, bits: Int) throws(CPUProfileTextError) -> UInt64 {
    let isHex = word.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66) }
    guard isHex, word.utf8.count <= bits / 4, let value = UInt64(word, radix: 16) else {
      throw failure("'\(word.prefix(20))' is not a number of \(bits) bits")
    }
    return value
  }

  mutating func take(_ text: Substring) throws(CPUProfileTextError) {
    line += 1
    if stage == 5 {
      guard text.isEmpty else { throw failure("text after the end") }
      return
    }
    let words = text.split(separator: " ", maxSplits: 8, omittingEmptySubsequences: false)
    switch (stage, words.first ?? "", words.count) {
    case (0, "bis-cpu", 2):
      guard words[1] == "1" else { throw failure("format '\(words[1].prefix(20))' is newer than this bis") }
      stage = 1
    case (1, "xcr0", 2):
      profile.xcr0 = try number(words[1], bits: 64)
      stage = 2
    case (2, "mxcsr-mask", 2):
      profile.mxcsrMask = UInt32(try number(words[1], bits: 32))
      stage = 3
    case (3, "xsave", 5): try takeComponent(words)
    case (3...4, "cpuid", 7): try takeRow(words)
    case (4, "end", 1): stage = 5
    default: throw failure("'\(text.prefix(40))' does not belong here")
    }
  }

  private mutating func takeComponent(_ words: [Substring]) throws(CPUProfileTextError) {
    let component = XSAVEComponent(
      number: Int(try number(words[1], bits: 8)), size: Int(try number(words[2], bits: 32)),
      offset: Int(try number(words[3], bits: 32)), isAligned: try number(words[4], bits: 4) != 0)
    guard profile.components.count < 62 else { throw failure("too many components") }
    profile.components.append(component)
  }

  private mutating func takeRow(_ words: [Substring]) throws(CPUProfileTextError) {
    stage = 4
    let matters = words[2] != "-"
    let subleaf = matters ? UInt32(try number(words[2], bits: 32)) : 0
    let row = CPUIDRow(
      leaf: UInt32(try number(words[1], bits: 32)), subleaf: subleaf, subleafMatters: matters,
      result: CPUIDResult(
        eax: UInt32(try number(words[3], bits: 32)), ebx: UInt32(try number(words[4], bits: 32)),
        ecx: UInt32(try number(words[5], bits: 32)), edx: UInt32(try number(words[6], bits: 32))))
    if let last = profile.rows.last {
      guard CPUIDRow.precedes(last, row) else { throw failure("rows are not in order") }
      guard last.leaf != row.leaf || (last.subleafMatters && matters) else { throw failure("a leaf twice") }
    }
    guard !row.result.isZero else { throw failure("a row of zeros") }
    guard profile.rows.count < CPUProfile.maximumRows else { throw failure("too many rows") }
    profile.rows.append(row)
  }

  func finish() throws(CPUProfileTextError) -> CPUProfile {
    guard stage == 5 else { throw CPUProfileTextError(line: 0, problem: "the end is missing") }
    return profile
  }
}
