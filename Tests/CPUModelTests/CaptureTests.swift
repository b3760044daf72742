import CABI
import CPUModel
import Testing

@Suite struct CaptureTests {
  @Test func `host keeps what a program may use`() {
    let host = FakeMachine.zen4.capture()
    #expect(host.vendor == "AuthenticAMD")
    #expect(host.brand == "AMD EPYC")
    #expect(host.xcr0 == 0xE7)
    #expect(host.xsaveSize == 2432)
    for name in ["avx2", "avx512f", "avx512_bf16", "xsavec", "xgetbv1", "rdrand", "fsgsbase", "rdpid", "clzero"] {
      #expect(host.has(name), "\(name)")
    }
    #expect(host.levels.contains("x86-64-v4"))
    #expect(host.hwcap == 0x178b_fbff)
    #expect(host.hwcap2 == 2)
    #expect(host.minimumSignalStackSize == 3376)
  }

  @Test(arguments: [FakeMachine.zen4, .intel])
  func `what bis hides is off`(machine: FakeMachine) {
    let host = machine.capture()
    for feature in CPUFeature.all where feature.hiddenBecause != nil { #expect(!host.has(feature), "\(feature)") }
    for leaf in [UInt32(0x3), 0x12, 0x14, 0x19, 0x1A, 0x1D, 0x1E] { #expect(host.cpuid(leaf, 0).isZero) }
  }

  @Test(arguments: [FakeMachine.zen4, .intel])
  func `the profile is the same on every core`(machine: FakeMachine) {
    var other = machine
    other[1, 0].ebx = other[1, 0].ebx & 0xFFFFFF | 0x3300_0000
    for subleaf in UInt32(0)...2 { other[0xB, subleaf].edx = 77 }
    other[0x8000_001E, 0].eax = machine.isAMD ? 77 : 0
    other[6, 0].edx ^= 0x0055_0000
    other[0xD, 1].ebx += 64  // the kernel's IA32_XSS
    #expect(other.capture() == machine.capture())
    #expect(other.capture().encode() == machine.capture().encode())
  }

  @Test func `leaf 0xD tells the profile's sizes, not the host's`() {
    let host = FakeMachine.intel.capture()
    #expect(host.xcr0 == 0xE7)
    #expect(host.cpuid(0xD, 0) == CPUIDResult(eax: 0xE7, ebx: 2688, ecx: 2688))
    #expect(host.cpuid(0xD, 1) == CPUIDResult(eax: 6, ebx: 576 + 256 + 64 + 512 + 1024))
    #expect(host.cpuid(0xD, 5) == CPUIDResult(eax: 64, ebx: 1088))
    for subleaf in [UInt32(3), 8, 9, 11, 12, 17, 18, 63, 64] { #expect(host.cpuid(0xD, subleaf).isZero) }
    #expect(host.components.map { $0.offset } == [576, 1088, 1152, 1664])
  }

  @Test func `leaves above the maximum are answered as the maker does`() {
    let amd = FakeMachine.zen4.capture()
    #expect(amd.cpuid(0x100, 0).isZero)
    #expect(amd.cpuid(0x8000_0022, 0).isZero)
    #expect(amd.cpuid(0x4000_0000, 5).eax == 0x4000_0001)
    #expect(amd.cpuid(0xB, 9) == CPUIDResult(ecx: 9))
    let intel = FakeMachine.intel.capture()
    #expect(intel.cpuid(0x21, 0) == CPUIDResult(ebx: 1))
    #expect(intel.cpuid(0x4000_0000, 0) == CPUIDResult(ebx: 1))  // no hypervisor
    #expect(intel.cpuid(0x8000_0009, 0) == CPUIDResult(ebx: 1))
    #expect(intel.cpuid(0x7, 99).isZero)
  }

  @Test func `a machine without XSAVE`() {
    var machine = FakeMachine.zen4
    machine[1, 0].ecx &= ~(3 << 26)
    machine.xcr0 = 0
    let host = machine.capture()
    #expect(!host.hasXSAVE && host.xcr0 == 3 && host.xsaveSize == 576 && host.signalStateSize == 512)
    #expect(!host.has("avx") && !host.has("avx512f") && !host.has("xsavec") && host.has("sse4_2"))
    #expect(host.cpuid(0xD, 0).isZero)
    let header = host.tablesHeader(hostXCR0: 0, hostComponents: [])
    #expect(header.has_xsave == 0 && header.xsave_size == 576 && header.component_count == 0)
  }

  @Test func `a kernel that enables no AVX-512`() {
    var machine = FakeMachine.intel
    machine.xcr0 = 7
    let host = machine.capture()
    #expect(host.xcr0 == 7 && host.has("avx2") && !host.has("avx512f") && !host.has("avx512_fp16"))
  }

  @Test func `hostile answers of CPUID end`() {
    let all = CPUProfile.capture(cpuid: { _, _ in (~0, ~0, ~0, ~0) }, xcr0: ~0, mxcsrMask: ~0)
    #expect(all.rows.count < 2048)
    let none = CPUProfile.capture(cpuid: { _, _ in (0, 0, 0, 0) }, xcr0: 0, mxcsrMask: 0)
    #expect(none.rows.isEmpty && none.mxcsrMask == 0xFFBF)
    #expect(none.cpuid(5, 5).isZero)
  }

  @Test func `the tables page holds the profile`() throws {
    let recorded = FakeMachine.intel.capture()
    let machine = FakeMachine.zen4
    let components = XSAVELayout.components(cpuid: machine.cpuid, xcr0: machine.xcr0)
    let header = recorded.tablesHeader(hostXCR0: machine.xcr0, hostComponents: components)
    #expect(header.cpuid_count == UInt64(recorded.rows.count) && header.max_basic_leaf == 0x20)
    #expect(header.basic_overflow_leaf == 0x20 && header.vendor_amd == 0)
    #expect(header.xcr0 == 0xE7 && header.xsave_size == 2688 && header.host_xsave_size == 2432)
    #expect(header.component_count == 4 && header.host_component_count == 4)
    #expect(header.components.1.offset == 1088 && header.host_components.1.offset == 832)
    #expect(header.has_xsave == 1 && header.has_xsaveopt == 0 && header.has_pku == 0 && header.has_rdtscp == 1)
    #expect(header.mxcsr_mask == 0x2FFFF)
    let rows = recorded.cpuidRows()
    for (a, b) in zip(rows, rows.dropFirst()) { #expect((a.leaf, a.subleaf) < (b.leaf, b.subleaf)) }
    #expect(rows.count * MemoryLayout<bis_cpuid_row>.stride < 0x40000)
  }

  @Test func `flags of /proc/cpuinfo`() {
    let host = FakeMachine.zen4.capture()
    #expect(host.allowsCPUInfoFlag("avx2") && host.allowsCPUInfoFlag("rep_good"))
    #expect(
      !host.allowsCPUInfoFlag("xsaveopt") && !host.allowsCPUInfoFlag("pku") && !host.allowsCPUInfoFlag("user_shstk"))
  }
}
