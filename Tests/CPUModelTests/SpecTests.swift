import CPUModel
import Testing

@Suite struct SpecTests {
  @Test func `host is host`() throws {
    #expect(try profile("host") == FakeMachine.zen4.capture())
    #expect(try profile("HOST,+avx2") == FakeMachine.zen4.capture())
    #expect(try profile("host,-pku") == FakeMachine.zen4.capture())
  }

  @Test(arguments: [FakeMachine.zen4, .intel])
  func `without AVX-512 nothing of it is left`(machine: FakeMachine) throws {
    let masked = try profile("host,-avx512", of: machine)
    #expect(masked.xcr0 == 7 && masked.xsaveSize == 832 && masked.minimumSignalStackSize == 1776)
    #expect(masked.features.allSatisfy { !$0.name.hasPrefix("avx512") })
    #expect(masked.has("avx2") && masked.has("vaes"))
    #expect(masked.cpuid(0xD, 0) == CPUIDResult(eax: 7, ebx: 832, ecx: 832))
    for subleaf in UInt32(5)...7 { #expect(masked.cpuid(0xD, subleaf).isZero) }
    #expect(try profile("xcr0=0x7", of: machine) == masked)
    #expect(try profile("host,xcr0=7", of: machine) == masked)
  }

  @Test func `without AVX go all that stand on it`() throws {
    let masked = try profile("-avx")
    for name in ["avx", "avx2", "fma", "f16c", "vaes", "vpclmulqdq", "avx512f", "avx512_bf16"] {
      #expect(!masked.has(name), "\(name)")
    }
    for name in ["aes", "pclmulqdq", "xsave", "osxsave", "xsavec", "gfni", "bmi2"] {
      #expect(masked.has(name), "\(name)")
    }
    #expect(masked.xcr0 == 3 && masked.hasXSAVE && masked.xsaveSize == 576)
    #expect(masked.cpuid(0xD, 1) == CPUIDResult(eax: 6, ebx: 576))
  }

  @Test(arguments: ["-xsave", "-osxsave"])
  func `without XSAVE there is no XCR0 to ask for`(spec: String) throws {
    let masked = try profile(spec)
    #expect(!masked.hasXSAVE && !masked.has("avx") && !masked.has("xsavec") && masked.xcr0 == 3)
    for subleaf in UInt32(0)...7 { #expect(masked.cpuid(0xD, subleaf).isZero) }
    #expect(masked.minimumSignalStackSize == 1440)
  }

  @Test func `AVX-512 parts go alone`() throws {
    let masked = try profile("host,-avx512bw")
    #expect(masked.has("avx512f") && !masked.has("avx512bw") && !masked.has("avx512vbmi") && masked.xcr0 == 0xE7)
  }

  @Test func `levels hold what the psABI says and no more`() throws {
    let v1 = try profile("x86-64-v1")
    #expect(
      v1.has("sse2") && !v1.has("pni") && !v1.hasXSAVE && !v1.has("rdrand") && !v1.has("rdtscp") && !v1.has("bmi1"))
    let v2 = try profile("x86-64-v2")
    #expect(v2.has("sse4_2") && !v2.hasXSAVE && !v2.has("aes"))
    let v3 = try profile("x86-64-v3")
    #expect(
      v3.has("avx2") && v3.has("abm") && v3.xcr0 == 7 && !v3.has("aes") && !v3.has("avx512f") && !v3.has("xsavec"))
    let v4 = try profile("x86-64-v4")
    #expect(v4.xcr0 == 0xE7 && v4.has("avx512vl") && !v4.has("avx512_vnni"))
    #expect(v3.levels == ["x86-64-v1", "x86-64-v2", "x86-64-v3"])
    #expect(v3.has("hypervisor"))  // not an instruction: as the host
  }

  @Test func `features are added with what they need`() throws {
    let masked = try profile("x86-64-v1,+avx2")
    #expect(
      masked.has("avx2") && masked.has("avx") && masked.has("osxsave") && masked.has("sse4_2") && masked.xcr0 == 7)
    #expect(!masked.has("fma") && !masked.has("avx512f"))
    #expect(try profile("x86-64-v4,-avx512f").xcr0 == 7)
    #expect(try profile("zen4").has("avx512_bf16"))
    #expect(try !profile("haswell").has("avx512f"))
  }

  @Test(arguments: [
    ("zen9", CPUSpec.Failure.unknownBase("zen9")), ("", .unknownBase("")),
    ("host,-frobnicate", .unknownFeature("frobnicate")), ("host,avx", .malformed("avx")), ("host,", .malformed("")),
    ("host,-", .malformed("-")), ("xcr0=zz", .malformed("xcr0=zz")), ("xcr0=", .malformed("xcr0=")),
    ("xcr0=0x5", .invalidXCR0(5)), ("xcr0=0x27", .invalidXCR0(0x27)), ("xcr0=0x2", .invalidXCR0(2)),
    ("xcr0=0x207", .invalidXCR0(0x207)),
  ])
  func `what is no description`(spec: String, failure: CPUSpec.Failure) {
    #expect(throws: failure) { try CPUSpec(spec) }
  }

  @Test func `what this machine cannot be`() throws {
    #expect(throws: CPUSpec.Failure.hidden("pku", CPUFeature(named: "pku")?.hiddenBecause ?? "")) {
      try CPUSpec("host,+pku")
    }
    let small = try profile("xcr0=7")
    #expect(throws: CPUSpec.Failure.xcr0Unavailable(0xE0)) { try CPUSpec("xcr0=0xe7").profile(host: small) }
    #expect(throws: CPUSpec.Failure.self) { try CPUSpec("x86-64-v4").profile(host: small) }
    #expect(throws: CPUSpec.Failure.unavailable(["avx512_4vnniw"])) { try profile("host,+avx512_4vnniw") }
    #expect(try CPUSpec("x86-64-v4,-avx512").profile(host: small).xcr0 == 7)
  }

  @Test func `masking twice is masking once`() throws {
    for spec in CPUSpec.names.filter({ $0.hasPrefix("x86") }) + ["-avx", "-xsave", "-avx512", "-sse4_2", "-rdrand"] {
      let once = try profile(spec)
      #expect(try CPUSpec("host").profile(host: once) == once)
      #expect(try CPUSpec(spec).profile(host: once) == once, "\(spec)")
    }
  }
}
