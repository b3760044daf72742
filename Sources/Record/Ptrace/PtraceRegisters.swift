import CABI
import CPUModel
import Guest
import Linux
import Tape

/// Registers of traced threads: the program's own, whatever the processor holds.
extension RecordSession {
  /// What PTRACE_GETREGS shows of a thread in a stop of bis.
  func view(_ p: RecordedProcess, _ tid: ThreadID) -> Registers {
    var v = Registers()
    let block = p.control.block.pointee
    if block.tid != UInt64(tid.rawValue), let index = p.control.threadIndex(UInt64(tid.rawValue)) {
      let t = p.control.threads + index
      let gpr = p.control.registers(ofThread: index)
      for i in 0..<16 { v[i] = gpr[i] }
      v.rip = t.pointee.rip
      v.rflags = t.pointee.rflags
      v.fs_base = t.pointee.fs_base
      v.gs_base = t.pointee.gs_base
    } else {
      for i in 0..<16 { v[i] = p.control.gpr[i] }
      v.rip = block.rip
      v.rflags = block.rflags
      v.fs_base = (try? Ptrace.getRegisters(tid).fs_base) ?? block.fs_base
      v.gs_base = block.gs_base
    }
    v.rflags = v.rflags & ~0x100 | 0x202
    v.cs = 0x33
    v.ss = 0x2B
    v.orig_rax = .max
    return v
  }

  /// The view of a thread inside a system call: `result` is in rax.
  func callView(_ p: RecordedProcess, _ tid: ThreadID, number: UInt64, result: Int64) -> Registers {
    var v = view(p, tid)
    v.orig_rax = number
    v.rax = UInt64(bitPattern: result)
    v.rcx = v.rip
    v.r11 = v.rflags
    return v
  }

  /// ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK
  static let restartCodes: Set<Int64> = [-512, -513, -514, -516]

  /// The registers with which program code goes on: a call that the kernel would restart begins anew.
  func goingOn(_ r: Registers) -> Registers {
    var r = r
    if Int64(bitPattern: r.orig_rax) >= 0, RecordSession.restartCodes.contains(Int64(bitPattern: r.rax)) {
      r.rip &-= 2
      r.rax = r.orig_rax
    }
    return r
  }

  /// Gives the current thread of a process other registers, from program code's point of view.
  func setProgramRegisters(_ p: RecordedProcess, _ r: Registers) {
    for i in 0..<16 { p.control.gpr[i] = r[i] }
    p.control.rip = r.rip
    p.control.block.pointee.rflags = r.rflags & 0x40CD5 | 0x202
    p.control.block.pointee.resume_host = 0
  }

  func registerEffect(_ p: RecordedProcess) -> Effect {
    let block = p.control.block.pointee
    return .registers(
      RegisterValues(
        general: (0..<16).map { p.control.gpr[$0] }, rip: block.rip, rflags: block.rflags, fsBase: block.fs_base,
        gsBase: block.gs_base))
  }

  // MARK: Bytes

  /// `struct user_regs_struct`
  func bytes(of r: Registers) -> [UInt8] { withUnsafeBytes(of: r) { Array($0) } }

  /// The registers of a stop with some bytes of `struct user_regs_struct` replaced; nil: not to be done.
  func registers(_ r: Registers, replacing bytes: [UInt8], at offset: Int) -> Registers? {
    var new = r
    let size = MemoryLayout<Registers>.size
    guard offset >= 0, offset + bytes.count <= size else { return nil }
    withUnsafeMutableBytes(of: &new) { b in for (i, x) in bytes.enumerated() { b[offset + i] = x } }
    new.rflags = r.rflags & ~0x40CD5 | new.rflags & 0x40CD5
    if new.fs_base != r.fs_base || new.gs_base != r.gs_base {
      warn("a tracer sets the FS or GS base of a thread: not supported in this version; it fails with EIO")
      return nil
    }
    (new.cs, new.ss, new.ds, new.es, new.fs, new.gs) = (r.cs, r.ss, r.ds, r.es, r.fs, r.gs)
    return new
  }

  /// NT_X86_XSTATE, or its first 512 bytes (NT_PRFPREG), of a stopped thread.
  func extendedState(_ t: Tracee) throws(GuestError) -> [UInt8] {
    var image: [UInt8]
    if let set = t.stop?.extendedState { image = set } else { image = try codec.read(t.tid) }
    if image.count > 512 {  // where debuggers look for XCR0
      image.withUnsafeMutableBytes { $0.storeBytes(of: region.profile.xcr0, toByteOffset: 464, as: UInt64.self) }
    }
    return image
  }

  func setExtendedState(_ t: Tracee, _ bytes: [UInt8]) throws(GuestError) {
    var image = try codec.read(t.tid)
    for i in 0..<min(bytes.count, image.count) { image[i] = bytes[i] }
    for i in 464..<512 { image[i] = 0 }
    if bytes.count <= 512, image.count > 512 { image[512] |= 3 }
    try codec.write(t.tid, image)
    t.stop?.extendedState = try codec.read(t.tid)
  }
}
