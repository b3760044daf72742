import BisRuntime
import CABI
import CPUModel
import Linux

/// The first state of a program, as the kernel left it at exec with the region put in.
public struct ProgramStart {
  public var rip: UInt64
  public var rsp: UInt64
  public var rflags: UInt64
  /// Mappings but for the region, the vDSO and the vsyscall page.
  public var maps: [MemoryMap]
  /// Memory from rsp to the end of the stack: arguments, environment, auxiliary vector.
  public var stack: [UInt8]
  /// Where the heap begins. brk(0)
  public var brk: UInt64

  /// The program's arguments.
  public var arguments: [String] {
    func word(_ index: Int) -> UInt64 {
      guard (index + 1) * 8 <= stack.count else { return 0 }
      return stack.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self) }
    }
    let count = Int(min(word(0), UInt64(stack.count / 8)))
    return (1..<count + 1).map { index in
      let offset = Int(min(word(index) &- rsp, UInt64(stack.count)))
      return String(decoding: stack[offset...].prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}

/// Puts the region into a process that stands at its exec event or at the syscall-exit stop of its execve.
///
/// Everything happens in one go, without further stops: code poked into the vDSO, which nobody has seen yet, maps the
/// runtime, which maps the rest itself and then the vDSO away (`bis_boot`). The program's stack below rsp serves as
/// scratch and is cleared again.
public struct Injector {
  let region: Region
  let rings: Rings
  private let paths: [UInt8]
  public init(region: Region, rings: Rings) {
    self.region = region
    self.rings = rings
    let supervisor = Machine.processID
    var paths = [UInt8](repeating: 0, count: 2 * Injector.pathSize)
    for (i, descriptor) in [region.descriptor, rings.descriptor].enumerated() {
      let path = Array("/proc/\(supervisor)/fd/\(descriptor)".utf8)
      paths.replaceSubrange(i * Injector.pathSize..<i * Injector.pathSize + path.count, with: path)
    }
    self.paths = paths
  }
  private static let pathSize = 64

  public func inject(into tid: ThreadID, slot: Slot) throws(GuestError) -> ProgramStart {
    let registers = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    let maps = try kernel("read the memory map") { () throws(Errno) in try memoryMaps(of: tid) }
    let hidden = maps.filter { $0.path.hasPrefix("[v") && $0.path != "[vsyscall]" }
    guard let vdso = maps.first(where: { $0.path == "[vdso]" }) else {
      throw .unsupported("the kernel maps no vDSO into new programs: no place for code to begin with")
    }
    try boot(tid, registers, slot, vdso.start, hidden)
    let stack = try hideHost(tid, registers.rsp, maps)
    return ProgramStart(
      rip: registers.rip, rsp: registers.rsp, rflags: registers.rflags & 0xCD5 | 0x202,
      maps: maps.filter { !$0.path.hasPrefix("[v") }, stack: stack, brk: slot.control.arguments[1])
  }

  /// Opens the region's file, maps the runtime and goes to `bis_boot`; int3 with -errno in rax when it cannot.
  /// In: rdi = path, rbx = BIS_RUNTIME_BASE, rbp = slot, r12 = path of the rings, r13, r14 = vDSO and its length,
  /// rsp points to the address of `bis_boot`.
  private static let code: [UInt8] = [
    0xBE, 0x02, 0x00, 0x08, 0x00,  // mov $(O_RDWR | O_CLOEXEC), %esi
    0xB8, 0x02, 0x00, 0x00, 0x00,  // mov $SYS_open, %eax
    0x0F, 0x05,  // syscall
    0x85, 0xC0,  // test %eax, %eax
    0x78, 0x38,  // js 1f
    0x41, 0x89, 0xC0,  // mov %eax, %r8d
    0x41, 0x89, 0xC7,  // mov %eax, %r15d
    0x48, 0x89, 0xDF,  // mov %rbx, %rdi
    0xBE, 0x00, 0x00, 0x10, 0x00,  // mov $BIS_RUNTIME_SIZE, %esi
    0xBA, 0x05, 0x00, 0x00, 0x00,  // mov $(PROT_READ | PROT_EXEC), %edx
    0x41, 0xBA, 0x01, 0x00, 0x10, 0x00,  // mov $(MAP_SHARED | MAP_FIXED_NOREPLACE), %r10d
    0x45, 0x31, 0xC9,  // xor %r9d, %r9d: BIS_FILE_RUNTIME
    0xB8, 0x09, 0x00, 0x00, 0x00,  // mov $SYS_mmap, %eax
    0x0F, 0x05,  // syscall
    0x48, 0x39, 0xD8,  // cmp %rbx, %rax
    0x75, 0x10,  // jne 1f
    0x44, 0x89, 0xFF,  // mov %r15d, %edi
    0x48, 0x89, 0xEE,  // mov %rbp, %rsi
    0x4C, 0x89, 0xE2,  // mov %r12, %rdx
    0x4C, 0x89, 0xE9,  // mov %r13, %rcx
    0x4D, 0x89, 0xF0,  // mov %r14, %r8
    0xC3,  // ret
    0xCC,  // 1: int3
  ]

  /// Offsets in it: the first system call, and what follows when that has a descriptor (in eax; r12 may be one, too).
  private static let openCall = 10, afterOpen = 16

  private func boot(
    _ tid: ThreadID, _ r: Registers, _ slot: Slot, _ vdso: UInt64, _ hidden: [MemoryMap]
  ) throws(GuestError) {
    precondition(BIS_RUNTIME_SIZE == 0x100000 && BIS_FILE_RUNTIME == 0, "see Injector.code")
    let scratch = (r.rsp - 512) & ~15
    try kernel("map the region into the program") { () throws(Errno) in
      for at in stride(from: 0, to: Injector.code.count, by: 8) {
        var word: UInt64 = 0
        for i in 0..<min(8, Injector.code.count - at) { word |= UInt64(Injector.code[at + i]) << UInt64(8 * i) }
        try Ptrace.pokeData(tid, vdso + UInt64(at), word)
      }
      try writeMemory(
        tid, scratch - 8, withUnsafeBytes(of: Region.address(BIS_LABEL_BOOT)) { Array($0) } + paths)
      var boot = r
      boot.rip = vdso
      boot.rsp = scratch - 8
      boot.rdi = scratch
      boot.rbx = UInt64(BIS_RUNTIME_BASE)
      boot.rbp = slot.offset
      boot.r12 = scratch + UInt64(Injector.pathSize)
      boot.r13 = hidden.map(\.start).min() ?? 0
      boot.r14 = (hidden.map(\.end).max() ?? 0) - boot.r13
      try run(tid, boot)
      if slot.control.reason != BIS_REASON_BOOT {
        let result = Int64(bitPattern: try Ptrace.getRegisters(tid).rax)
        guard [-1, -2, -13, -20].contains(result) else {
          throw Errno(code: (-4095..<0).contains(result) ? Int32(-result) : 17)
        }
        // It cannot reach our files by name: other privileges, another root, namespaces. (Nothing is mapped yet.)
        let given = try giveDescriptors(
          [region.descriptor, rings.descriptor], to: tid, at: vdso + UInt64(Injector.openCall),
          scratch: scratch + UInt64(2 * Injector.pathSize))
        boot.rip = vdso + UInt64(Injector.afterOpen)
        boot.rax = UInt64(given[0])
        boot.r12 = UInt64(given[1])
        try run(tid, boot)
        guard slot.control.reason == BIS_REASON_BOOT else { throw .accessDenied }
      }
      slot.control.block.pointee.reason = 0
      try writeMemory(tid, r.rsp - 4096, [UInt8](repeating: 0, count: 4096))
    }
  }

  /// Lets the thread go on with these registers until it reports SIGTRAP.
  private func run(_ tid: ThreadID, _ registers: Registers) throws(Errno) {
    var registers = registers
    registers.orig_rax = .max
    try Ptrace.setRegisters(tid, registers)
    let mask = try Ptrace.signalMask(tid)
    try Ptrace.setSignalMask(tid, ~(1 << 4))
    try Ptrace.cont(tid, 0)
    while true {
      let reason = try waitForStop(tid)
      if reason == .signal(5) { break }
      if case .signal(let other) = reason, [4, 7, 11].contains(other) { throw Errno(code: 14) }
      try Ptrace.cont(tid, 0)
    }
    try Ptrace.setSignalMask(tid, mask)
  }

  /// Rewrites the auxiliary vector: no vDSO, the profile's hardware capabilities and signal stack size. Returns the
  /// stack from `rsp` on as it is then.
  private func hideHost(_ tid: ThreadID, _ rsp: UInt64, _ maps: [MemoryMap]) throws(GuestError) -> [UInt8] {
    guard let stack = maps.first(where: { $0.contains(rsp) }) else { throw .unsupported("the program has no stack") }
    return try kernel("rewrite the auxiliary vector") { () throws(Errno) in
      var bytes = try readBytes(tid, rsp, count: Int(stack.end - rsp))
      let count = bytes.count / 8
      guard count > 2 else { throw .badAddress }
      let (first, last) = bytes.withUnsafeMutableBytes { raw in
        let words = raw.assumingMemoryBound(to: UInt64.self)
        var i = Int(min(words[0], UInt64(count))) + 2
        while i < count, words[i] != 0 { i += 1 }
        i += 1
        let first = i
        while i + 1 < count, words[i] != 0 {
          switch words[i] {
          case 33: words[i] = 1
          case 16: words[i + 1] = region.profile.hwcap
          case 26: words[i + 1] = region.profile.hwcap2
          case 51: words[i + 1] = UInt64(region.profile.minimumSignalStackSize)
          default: break
          }
          i += 2
        }
        return (first, i)
      }
      guard first < last else { throw .badAddress }
      try writeMemory(tid, rsp + UInt64(first * 8), Array(bytes[first * 8..<last * 8]))
      return bytes
    }
  }
}
