import BisRuntime
import CABI
import CPUModel
import Glibc
import Linux
import Syscalls
import Translate

/// What belongs to bis in every process of one session: runtime, tables, domains and translated code, in one
/// memory file that all processes map, and the translator that fills it.
///
/// Not `Sendable`: it belongs to the supervisor's thread.
public final class Region {
  public let translator: Translator
  public let profile: CPUProfile
  private let file: Descriptor
  private let runtime: Mapping
  /// Code behind the runtime's.
  let pairedReturn: PairedReturn
  private let tables: Mapping
  private let domains: Mapping
  private let code: Mapping
  private var hasLandings = false

  /// Makes the memory file and fills in runtime and tables.
  ///
  /// - Parameter pairsCalls: whether calls of large programs are paired with their returns. Not where somebody watches memory:
  ///   a paired return writes to the stack, and back what was there.
  /// - Throws: `Errno` when the kernel gives no memory file or mapping.
  public init(profile: CPUProfile, pairsCalls: Bool = true) throws(Errno) {
    self.profile = profile
    let size = Int(BIS_FILE_CODE) + Int(BIS_CODE_SIZE)
    file = try Descriptor.memory(name: "bis-region", size: size)
    runtime = try Region.map(file.raw, Int(BIS_FILE_RUNTIME), Int(BIS_RUNTIME_SIZE))
    tables = try Region.map(file.raw, Int(BIS_FILE_TABLES), Int(BIS_TABLES_SIZE))
    domains = try HugePages.map(fd: file.raw, offset: Int(BIS_FILE_DOMAINS), length: Int(BIS_DOMAINS_SIZE))
    code = try HugePages.map(fd: file.raw, offset: Int(BIS_FILE_CODE), length: Int(BIS_CODE_SIZE))
    let domainPages = HugePages(domains)
    let codePages = HugePages(code)
    let generated = Int(BIS_RUNTIME_SIZE) - PairedReturn.room
    precondition(bis_runtime_size() <= generated)
    runtime.base.copyMemory(from: bis_runtime_bytes()!, byteCount: bis_runtime_size())
    pairedReturn = PairedReturn(at: runtime.base + generated, address: UInt64(BIS_RUNTIME_BASE) + UInt64(generated))
    var entries = RuntimeEntries(
      syscall: Region.address(BIS_LABEL_SYSCALL), special: Region.address(BIS_LABEL_SPECIAL),
      exitDirect: Region.address(BIS_LABEL_EXIT_DIRECT),
      indirectMiss: Region.address(BIS_LABEL_INDIRECT_MISS), expired: Region.address(BIS_LABEL_EXPIRED),
      pairedReturn: pairedReturn.entry)
    entries.readsFSBase = Machine.readsFSBase
    if pairsCalls, Region.hasRORX { entries.pairedFrom = Region.pairedFrom }
    let bases = (code: code.base, domains: domains.base)
    translator = Translator(
      code: code.base, codeSize: min(code.count, Region.codeLimit), domains: domains.base, domainsSize: domains.count,
      entries: entries,
      willUse: {
        codePages.prepare($0)
        domainPages.prepare($1)
      },
      memory: CacheMemory { (part, offset, count) in
        (part == .code ? codePages : domainPages).forget(from: offset, count)
        return giveBack((part == .code ? bases.code : bases.domains) + offset, count)
      })
    fillTables()
  }

  /// Bytes of the code cache. `BIS_CODE_LIMIT` (MiB) makes it smaller: for tests of what happens when it is full.
  private static let codeLimit: Int = {
    guard let text = getenv("BIS_CODE_LIMIT"), let count = Int(String(cString: text)), count > 0 else { return .max }
    return min(count, 1 << 20) << 20
  }()

  /// RORX is in BMI2 (SDM, CPUID.7.0:EBX[8]). The CPU's own: nobody sees what translated code uses.
  private static let hasRORX = Machine.cpuid(0, 0).eax >= 7 && Machine.cpuid(7, 0).ebx & 1 << 8 != 0

  /// Bytes of code from which on calls are paired with their returns. `BIS_PAIRED_FROM` (KiB): for tests.
  private static let pairedFrom: UInt64 = {
    guard let text = getenv("BIS_PAIRED_FROM"), let count = UInt64(String(cString: text)) else { return 8 << 20 }
    return count << 10
  }()

  /// Before the first process has code whose calls are paired: every landing is that of a stray return.
  func prepareLandings() throws(Errno) {
    if hasLandings { return }
    let landings = try Region.map(file.raw, Int(BIS_FILE_LANDINGS), Int(BIS_LANDINGS_SIZE))
    landings.base.initializeMemory(
      as: UInt64.self, repeating: pairedReturn.stray, count: Int(BIS_LANDINGS_SIZE) / 8)
    hasLandings = true
  }

  /// The code of a session's processes; one for each region.
  public func makeCodeSpace() -> CodeSpace { CodeSpace(self) }

  private static func map(_ fd: Int32, _ offset: Int, _ length: Int) throws(Errno) -> Mapping {
    try Mapping.map(fd: fd, offset: offset, length: length, protection: [.read, .write], shared: true, at: nil)
  }

  /// The address, in every process of the session, of one of the runtime's labels.
  public static func address(_ label: bis_label) -> UInt64 {
    UInt64(BIS_RUNTIME_BASE) + bis_runtime_offset(label)
  }

  /// Descriptor of the memory file in the supervisor; a process opens it through `/proc/SUPERVISOR/fd`.
  public var descriptor: Int32 { file.raw }

  /// This machine's CPU as recorded programs see it.
  public static func hostProfile() -> CPUProfile { host }
  // Asked once: in a virtual machine each CPUID costs 15 µs.
  private static let host = CPUProfile.capture(
    cpuid: { Region.cpuid($0, $1) }, xcr0: Machine.xgetbv(0) ?? 0, mxcsrMask: Machine.mxcsrMask)

  /// Where this host's XSAVE puts its components.
  public static func hostComponents() -> [XSAVEComponent] { components }
  private static let components = XSAVELayout.components(
    cpuid: { Region.cpuid($0, $1) }, xcr0: Machine.xgetbv(0) ?? 0)
  public static func cpuid(_ leaf: UInt32, _ subleaf: UInt32) -> (eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32) {
    let r = Machine.cpuid(leaf, subleaf)
    return (r.eax, r.ebx, r.ecx, r.edx)
  }

  private func fillTables() {
    let rows = Syscalls.packedSyscalls()
    let subcalls = Syscalls.packedSubcalls()
    let cpuid = profile.cpuidRows()
    let hostXCR0 = Machine.xgetbv(0) ?? 0
    var header = profile.tablesHeader(hostXCR0: hostXCR0, hostComponents: Region.hostComponents())
    header.subcall_count = UInt64(subcalls.count / MemoryLayout<bis_subcall_row>.stride)
    header.cpuid_count = UInt64(cpuid.count)
    // (The vsyscall page has the same address in all processes, or is in none.)
    let maps = (try? memoryMaps(of: ThreadID(getpid()))) ?? []
    header.has_vsyscall = maps.contains { $0.path == "[vsyscall]" } ? 1 : 0
    put(rows, at: Int(BIS_TABLES_SYSCALLS), limit: Int(BIS_TABLES_SUBCALLS))
    put(subcalls, at: Int(BIS_TABLES_SUBCALLS), limit: Int(BIS_TABLES_CPUID))
    cpuid.withUnsafeBytes { bytes in
      precondition(bytes.count <= Int(BIS_TABLES_HEADER) - Int(BIS_TABLES_CPUID))
      (tables.base + Int(BIS_TABLES_CPUID)).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
    }
    (tables.base + Int(BIS_TABLES_HEADER)).storeBytes(of: header, as: bis_tables_header.self)
  }

  func putBreakpoints(_ bytes: [UInt8]) {
    put(bytes, at: Int(BIS_TABLES_BREAKPOINTS), limit: Int(BIS_TABLES_BREAKPOINTS + BIS_TABLES_BREAKPOINTS_SIZE))
  }

  func put(_ bytes: [UInt8], at offset: Int, limit: Int) {
    precondition(offset + bytes.count <= limit)
    bytes.withUnsafeBytes {
      (tables.base + offset).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
    }
  }
}
