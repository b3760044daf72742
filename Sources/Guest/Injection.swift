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
}

/// Puts the region into a process that stands at the syscall-exit stop of its execve.
///
/// Two remote calls map the runtime, which then maps the rest itself (`bis_boot`). The program's stack below rsp
/// serves as scratch and is cleared again.
public struct Injector {
  let region: Region
  let rings: Rings
  public init(region: Region, rings: Rings) {
    self.region = region
    self.rings = rings
  }

  public func inject(into tid: ThreadID, slot: Slot) throws(GuestError) -> ProgramStart {
    let registers = try kernel("read registers") { () throws(Errno) in try Ptrace.getRegisters(tid) }
    let maps = try kernel("read the memory map") { () throws(Errno) in try memoryMaps(of: tid) }
    let hidden = maps.filter { $0.path.hasPrefix("[v") && $0.path != "[vsyscall]" }
    guard let vdso = maps.first(where: { $0.path == "[vdso]" }) else {
      throw .unsupported("the kernel maps no vDSO into new programs: no system call instruction to begin with")
    }
    let instruction = try syscallInstruction(in: vdso, of: tid)
    try mapRuntime(tid, registers, instruction)
    try boot(tid, registers, slot, hidden)
    try hideHost(tid, registers.rsp, maps)
    return ProgramStart(
      rip: registers.rip, rsp: registers.rsp, rflags: registers.rflags & 0xCD5 | 0x202,
      maps: maps.filter { !$0.path.hasPrefix("[v") })
  }

  /// Address of a `syscall` instruction in the vDSO.
  private func syscallInstruction(in vdso: MemoryMap, of tid: ThreadID) throws(GuestError) -> UInt64 {
    let bytes = try kernel("read the vDSO") { () throws(Errno) in
      try readBytes(tid, vdso.start, count: Int(vdso.byteCount))
    }
    for i in 0..<bytes.count - 1 where bytes[i] == 0x0F && bytes[i + 1] == 0x05 { return vdso.start + UInt64(i) }
    throw .unsupported("the vDSO holds no system call instruction")
  }

  private func pathBytes(_ descriptor: Int32) -> [UInt8] {
    Array("/proc/\(Machine.processID)/fd/\(descriptor)".utf8) + [0]
  }

  private func mapRuntime(_ tid: ThreadID, _ r: Registers, _ instruction: UInt64) throws(GuestError) {
    let scratch = (r.rsp - 512) & ~15
    try kernel("map the runtime into the program") { () throws(Errno) in
      try writeMemory(tid, scratch, pathBytes(region.descriptor))
      let fd = try remoteSyscall(tid, at: instruction, 2, [scratch, 0o2000002, 0])
      guard fd >= 0 else { throw Errno(code: Int32(-fd)) }
      let base = UInt64(BIS_RUNTIME_BASE)
      let at = try remoteSyscall(
        tid, at: instruction, 9, [base, UInt64(BIS_RUNTIME_SIZE), 5, 0x100001, UInt64(fd), UInt64(BIS_FILE_RUNTIME)])
      guard at == Int64(base) else { throw Errno(code: Int32(truncatingIfNeeded: -at)) }
      var boot = r
      boot.rdi = UInt64(fd)
      try Ptrace.setRegisters(tid, boot)
    }
  }

  private func boot(_ tid: ThreadID, _ r: Registers, _ slot: Slot, _ hidden: [MemoryMap]) throws(GuestError) {
    let scratch = (r.rsp - 512) & ~15
    try kernel("map the region into the program") { () throws(Errno) in
      var boot = try Ptrace.getRegisters(tid)
      try writeMemory(tid, scratch, pathBytes(rings.descriptor))
      boot.rip = Region.address(BIS_LABEL_BOOT)
      boot.rsi = slot.offset
      boot.rdx = scratch
      boot.rcx = hidden.map(\.start).min() ?? 0
      boot.r8 = (hidden.map(\.end).max() ?? 0) - boot.rcx
      boot.rsp = scratch - 512
      boot.orig_rax = .max
      try Ptrace.setRegisters(tid, boot)
      let mask = try Ptrace.signalMask(tid)
      try Ptrace.setSignalMask(tid, ~(1 << 4))
      try Ptrace.cont(tid, 0)
      while true {
        let status = try wait(for: tid)
        guard case .stopped(let reason) = status.kind else { throw .gone }
        if reason == .signal(5) { break }
        if case .signal(let other) = reason, [4, 7, 11].contains(other) { throw Errno(code: 14) }
        try Ptrace.cont(tid, 0)
      }
      try Ptrace.setSignalMask(tid, mask)
      let done = try Ptrace.getRegisters(tid)
      if slot.control.reason != BIS_REASON_BOOT { throw Errno(code: Int32(truncatingIfNeeded: -Int64(bitPattern: done.rax))) }
      slot.control.block.pointee.reason = 0
      try writeMemory(tid, r.rsp - 4096, [UInt8](repeating: 0, count: 4096))
    }
  }

  /// Rewrites the auxiliary vector: no vDSO, the profile's hardware capabilities and signal stack size.
  private func hideHost(_ tid: ThreadID, _ rsp: UInt64, _ maps: [MemoryMap]) throws(GuestError) {
    guard let stack = maps.first(where: { $0.contains(rsp) }) else { throw .unsupported("the program has no stack") }
    try kernel("rewrite the auxiliary vector") { () throws(Errno) in
      let words = try readBytes(tid, rsp, count: Int(stack.end - rsp)).withUnsafeBytes {
        (0..<$0.count / 8).map { [bytes = $0] i in bytes.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self) }
      }
      guard var i = words.first.map({ Int($0) + 2 }), i < words.count else { throw .badAddress }
      while i < words.count, words[i] != 0 { i += 1 }
      i += 1
      while i + 1 < words.count, words[i] != 0 {
        let at = rsp + UInt64(i * 8)
        switch words[i] {
        case 33: try writeWord(tid, at, 1)
        case 16: try writeWord(tid, at + 8, region.profile.hwcap)
        case 26: try writeWord(tid, at + 8, region.profile.hwcap2)
        case 51: try writeWord(tid, at + 8, UInt64(region.profile.minimumSignalStackSize))
        default: break
        }
        i += 2
      }
    }
  }
}
