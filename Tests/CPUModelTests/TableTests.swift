import CPUModel
import Glibc
import Testing

/// Tables/cpu-*.txt is the source; Sources/CPUModel/Tables+Generated.swift follows from it.
@Suite struct TableTests {
  static let root = String(#filePath.dropLast("/Tests/CPUModelTests/TableTests.swift".count))

  static func read(_ path: String) throws -> String {
    let file = try #require(fopen(root + "/" + path, "r"))
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = getc(file), byte != EOF { bytes.append(UInt8(byte)) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Rows of a table: words, the last one to the end of the line.
  static func rows(_ name: String, columns: Int) throws -> [[String]] {
    try read("Tables/" + name).split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
      let words = line.split(separator: " ", maxSplits: columns - 1, omittingEmptySubsequences: true)
      return words.map { word in String(word.drop(while: { $0 == " " })) }
    }
  }

  static func chunked(_ name: String, _ type: String, _ rows: [String]) -> String {
    var text = ""
    var names: [String] = []
    for start in stride(from: 0, to: rows.count, by: 50) {
      names.append("\(name)\(names.count)")
      text += "private let \(names[names.count - 1]): \(type) = [\n"
      text += rows[start..<min(start + 50, rows.count)].map { "  \($0),\n" }.joined()
      text += "]\n\n"
    }
    return text + "let \(name): \(type) = \(names.joined(separator: " + "))\n"
  }

  static func generated() throws -> String {
    func dash(_ word: String, _ prefix: String = "", none: String) -> String { word == "-" ? none : prefix + word }
    let features = try rows("cpu-features.txt", columns: 8).map { row in
      "FeatureRow(\"\(row[0])\", 0x\(row[1]), \(row[2]), .\(row[3]), \(row[4]), .\(row[5]), "
        + "\(dash(row[6], "0x", none: "0")), \"\(dash(row[7], none: ""))\")"
    }
    let hidden = try rows("cpu-hidden.txt", columns: 2).map { "(\"\($0[0])\", \"\($0[1])\")" }
    let levels = try rows("cpu-levels.txt", columns: 3).map {
      "(\"\($0[0])\", \"\(dash($0[1], none: ""))\", \"\($0[2])\")"
    }
    return """
      // Generated from Tables/cpu-features.txt, cpu-hidden.txt and cpu-levels.txt. Do not edit:
      // BIS_WRITE_TABLES=1 swift test --filter TableTests
      // swift-format-ignore-file

      \(chunked("generatedFeatureRows", "[FeatureRow]", features))
      \(chunked("generatedHiddenRows", "[(String, String)]", hidden))
      \(chunked("generatedLevelRows", "[(String, String, String)]", levels))
      """
  }

  @Test func `the generated file is in step with the tables`() throws {
    let path = "Sources/CPUModel/Tables+Generated.swift"
    let wanted = try Self.generated()
    if getenv("BIS_WRITE_TABLES") != nil {
      let file = try #require(fopen(Self.root + "/" + path, "w"))
      fputs(wanted, file)
      fclose(file)
    } else {
      #expect(try Self.read(path) == wanted)
    }
  }

  @Test func `no bit and no name stands twice`() {
    #expect(Set(CPUFeature.all.map { $0.name }).count == CPUFeature.all.count)
    let bits = CPUFeature.all.map { "\($0.leaf).\($0.subleaf).\($0.register).\($0.bit)" }
    #expect(Set(bits).count == bits.count)
    #expect(CPUFeature.all.allSatisfy { (0..<32).contains($0.bit) })
  }

  @Test func `every name resolves, and every dependency chain ends`() {
    for feature in CPUFeature.all {
      #expect(CPUFeature(named: feature.name) == feature)
      var reached: Set<CPUFeature> = []
      var next = feature.needs
      while let one = next.popLast() {
        #expect(one != feature)
        if reached.insert(one).inserted { next += one.needs }
        // What a feature needs, needs no more of XCR0 than it does.
        #expect(one.xcr0 & ~(feature.xcr0 == 0 ? one.xcr0 : feature.xcr0) == 0)
      }
    }
    for name in CPUSpec.names.dropFirst() { #expect(!CPUSpec.features(ofBase: name).isEmpty) }
  }

  @Test(arguments: ["SSE4.2", "sse4_2", "sse42", "AVX512-VBMI2", "lzcnt", "sse3", "avx512", "sha"])
  func `names are understood in many spellings`(name: String) {
    #expect(CPUFeature(named: name) != nil)
  }
}
