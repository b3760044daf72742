import CPUModel
import Testing

@Suite struct TextTests {
  @Test(
    arguments: ["host", "-avx512", "-avx", "-xsave", "x86-64-v1", "x86-64-v3", "zen2"], [FakeMachine.zen4, .intel])
  func `text and back`(spec: String, machine: FakeMachine) throws {
    guard let host = try? profile(spec, of: machine) else { return }
    let text = host.encode()
    let back = try CPUProfile(text: text)
    #expect(back == host)
    #expect(back.encode() == text)
  }

  @Test func `every line cut or changed is refused or another profile`() throws {
    let text = FakeMachine.zen4.capture().encode()
    let host = try CPUProfile(text: text)
    var bytes = Array(text.utf8)
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<3000 {
      let at = Int.random(in: 0..<bytes.count, using: &generator)
      let old = bytes[at]
      bytes[at] = [UInt8.random(in: 0...127), 0x30, 0x66, 0x20, 0x0A].randomElement() ?? 0
      if let other = try? CPUProfile(text: String(decoding: bytes, as: UTF8.self)), bytes[at] != old {
        #expect(other != host || bytes[at] == old)
        check(other)
      }
      bytes[at] = old
    }
    for end in stride(from: 0, to: bytes.count - 1, by: 97) {
      #expect(throws: CPUProfileTextError.self) { try CPUProfile(text: String(decoding: bytes[..<end], as: UTF8.self)) }
    }
  }

  /// What the runtime relies on.
  func check(_ profile: CPUProfile) {
    #expect(XCR0.isValid(profile.xcr0) && profile.xsaveSize <= XSAVELayout.maximumSize)
    for feature in profile.features { #expect(feature.hiddenBecause == nil) }
    _ = profile.listing
    _ = profile.tablesHeader(hostXCR0: 7, hostComponents: [])
  }

  @Test(arguments: [
    ("xcr0 e7", "xcr0 27"), ("xcr0 e7", "xcr0 ffffffffffffffff"), ("xcr0 e7", "xcr0 07"), ("xcr0 e7", "xcr0 0xe7"),
    ("xcr0 e7", "xcr0 1e7"), ("bis-cpu 1", "bis-cpu 2"), ("xsave 5 40 340 0", "xsave 5 40 240 0"),
    ("xsave 5 40 340 0", "xsave 5 40 ffffffff 0"), ("xsave 5 40 340 0", "xsave 5 41 340 0"),
    ("xsave 5 40 340 0", "xsave 5 40 8000 0"), ("xsave 5 40 340 0\n", ""), ("mxcsr-mask 2ffff", "mxcsr-mask 0"),
    ("end\n", "end\nx"), ("end\n", "cpuid ffffffff - 0 0 0 0\nend\n"), ("end\n", "cpuid 00000001 - 1 1 1 1\nend\n"),
  ])
  func `hostile texts`(old: String, new: String) throws {
    let text = FakeMachine.zen4.capture().encode()
    let at = try #require(text.firstRange(of: old))
    var bad = text
    bad.replaceSubrange(at, with: new)
    #expect(throws: CPUProfileTextError.self) { try CPUProfile(text: bad) }
  }

  @Test func `a text that shows what bis hides is refused`() throws {
    let text = FakeMachine.zen4.capture().encode()
    let bad = text.replacing("f1bf07ab 00405f46", with: "f1bf07ab 00405f4e")
    #expect(bad != text)
    #expect(throws: CPUProfileTextError.self) { try CPUProfile(text: bad) }
    #expect(throws: CPUProfileTextError.self) { try CPUProfile(text: String(repeating: "a", count: 1 << 20)) }
  }
}

@Suite struct CompareTests {
  @Test func `the same machine replays`() {
    let host = FakeMachine.zen4.capture()
    let differences = host.differences(from: host)
    #expect(differences.replaysHere && differences.description == "replays here")
  }

  @Test func `what is missing is named`() throws {
    let recorded = FakeMachine.zen4.capture()
    let small = try profile("-avx512")
    let differences = recorded.differences(from: small)
    #expect(!differences.replaysHere && differences.missingXCR0 == 0xE0)
    #expect(differences.missingFeatures.contains { $0.name == "avx512f" })
    #expect(differences.description.hasPrefix("does not replay here, because this machine lacks avx512f"))
    let avx2 = try #require(CPUFeature(named: "avx2"))
    #expect(recorded.differences(from: small, used: [avx2]).replaysHere)
    #expect(small.differences(from: recorded).replaysHere)
  }

  @Test func `another maker's layout is converted`() throws {
    let recorded = try profile("x86-64-v4", of: .intel)
    let differences = recorded.differences(from: FakeMachine.zen4.capture())
    #expect(differences.replaysHere && differences.movedComponents == [5, 6, 7])
    #expect(differences.warnings.contains { $0.contains("RCPPS") })
  }

  @Test func `what bis answers itself is not missing`() throws {
    let recorded = FakeMachine.zen4.capture()
    let host = try profile("host,-rdrand,-rdseed,-rdtscp,-rdpid,-fsgsbase,-xsavec,-xgetbv1")
    #expect(recorded.differences(from: host).replaysHere)
  }

  @Test func `the listing shows leaves and layout`() {
    let text = FakeMachine.zen4.capture().listing
    #expect(text.contains("ZMM_Hi256") && text.contains("0000000d    5") && text.contains("AT_MINSIGSTKSZ 3376"))
    #expect(CPUProfile.hiddenListing().contains("pku"))
  }
}
