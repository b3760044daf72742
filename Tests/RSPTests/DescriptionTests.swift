import RSP
import Testing

@Suite struct DescriptionTests {
  @Test(
    arguments: [
      ([], 60, 560), ([.avx], 76, 816), ([.avx, .avx512], 148, 2416), ([.avx, .avx512, .pkeys], 149, 2420),
      ([.pkeys], 61, 564),
    ] as [(X86Features, Int, Int)])
  func `g has the bytes of all registers`(features: X86Features, count: Int, byteCount: Int) {
    let description = TargetDescription.x86_64(features)
    #expect(description.registers.count == count)
    #expect(description.byteCount == byteCount)
    #expect(description.offsets.last.map { $0 + description.registers[count - 1].byteCount } == byteCount)
    let text = ToySession(features).ask("g")
    #expect(text?.utf8.count == byteCount * 2)
  }

  @Test func `registers are numbered as gdb numbers them`() {
    let description = TargetDescription.x86_64([.avx, .avx512, .pkeys])
    let expected = [
      "rax": 0, "rsp": 7, "r15": 15, "rip": 16, "eflags": 17, "gs": 23, "st0": 24, "fctrl": 32, "fop": 39, "xmm0": 40,
      "mxcsr": 56, "orig_rax": 57, "fs_base": 58, "gs_base": 59, "ymm0h": 60, "xmm16": 76, "ymm16h": 92, "k0": 108,
      "zmm0h": 116, "zmm31h": 147, "pkru": 148,
    ]
    for (name, number) in expected { #expect(description.index(of: name) == number, "\(name)") }
    #expect(description.expedited == [16, 7, 6])
  }

  @Test func `the document names every register once`() {
    let xml = TargetDescription.x86_64([.avx, .avx512, .pkeys]).xml
    #expect(xml.contains("<architecture>i386:x86-64</architecture>"))
    #expect(xml.contains("<reg name=\"rip\" bitsize=\"64\" type=\"code_ptr\" regnum=\"16\"/>"))
    #expect(xml.contains("<reg name=\"fop\" bitsize=\"32\" type=\"int\" regnum=\"39\" group=\"float\"/>"))
    #expect(xml.split(separator: "<reg ").count - 1 == 149)
    #expect(xml.split(separator: "<feature ").count - 1 == 7)
  }
}
