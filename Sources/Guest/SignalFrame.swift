import CABI
import CPUModel
import Linux

/// The signal frame of x86-64 Linux (arch/x86/include/asm/sigframe.h), laid out for the profile's XCR0.
///
/// From the frame's base F (F % 16 == 8): +0 restorer, +8 ucontext (304 bytes), +312 siginfo (128); the XSAVE image
/// lies above it, 64-byte aligned, followed by FP_XSTATE_MAGIC2.
public enum SignalFrame {
  public struct Built {
    public var address: UInt64
    public var bytes: [UInt8]
    public var handlerRSP: UInt64 { address }
    public var siginfo: UInt64 { address + 312 }
    public var ucontext: UInt64 { address + 8 }
  }

  static let magic1: UInt32 = 0x4650_5853
  static let magic2: UInt32 = 0x4650_5845

  /// - Parameters:
  ///   - action: the program's handler; SA_ONSTACK is honoured with the control block's alternate stack.
  ///   - mask: the signal mask that sigreturn restores.
  /// - Returns: nil when the frame would go beyond the alternate stack (get_sigframe, arch/x86/kernel/signal.c).
  public static func build(
    control: Control, action: bis_sigaction, information: [UInt8], xstate: [UInt8], profile: CPUProfile, mask: UInt64,
    trap: UInt64, error: UInt64, cr2: UInt64, oldMask: UInt64
  ) -> Built? {
    let block = control.block.pointee
    var sp = control.gpr[4]
    let alternate = AlternateStack(control)
    var mustFit = alternate.isInUse(sp)
    sp &-= 128
    if action.flags & 0x0800_0000 != 0, alternate.size != 0, !alternate.isInUse(sp) {
      sp = alternate.low &+ alternate.size
      mustFit = true
    }
    let hasX = profile.hasXSAVE
    let size = UInt64(xstate.count)
    let fp = (sp &- (size + (hasX ? 4 : 0))) & ~63
    let frame = ((fp &- 440) & ~15) &- 8
    if mustFit, !alternate.contains(frame) { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(fp &- frame) + xstate.count + (hasX ? 4 : 0))
    func put(_ at: Int, _ value: UInt64) {
      bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: at, as: UInt64.self) }
    }
    func put32(_ at: Int, _ value: UInt32) {
      bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: at, as: UInt32.self) }
    }
    put(0, action.restorer)
    put(8, hasX ? 7 : 6)
    put(8 + 16, alternate.low)
    put32(8 + 24, UInt32(truncatingIfNeeded: alternate.flags))
    put(8 + 32, alternate.size)
    let g = control.gpr
    let order = [8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4]
    for (i, r) in order.enumerated() { put(48 + i * 8, g[r]) }
    put(48 + 128, block.rip)
    put(48 + 136, block.rflags)
    put(48 + 144, 0x002B_0000_0000_0033)
    put(48 + 152, error)
    put(48 + 160, trap)
    put(48 + 168, oldMask)
    put(48 + 176, cr2)
    put(48 + 184, fp)
    put(8 + 296, mask)
    bytes.replaceSubrange(312..<440, with: information[0..<128])
    let at = Int(fp &- frame)
    bytes.replaceSubrange(at..<at + xstate.count, with: xstate)
    if hasX {
      put32(at + 464, magic1)
      put32(at + 468, UInt32(xstate.count + 4))
      put(at + 472, profile.xcr0)
      put32(at + 480, UInt32(xstate.count))
      put32(at + xstate.count, magic2)
    }
    // The gap between siginfo and the image is not written by the kernel: leave those bytes out.
    return Built(address: frame, bytes: bytes)
  }

  /// What a frame holds when the program returns from a handler.
  public struct Restored {
    public var gpr: [UInt64]
    public var rip: UInt64
    public var rflags: UInt64
    public var mask: UInt64
    /// nil: none that the processor would take; the program gets SIGSEGV.
    public var xstate: [UInt8]?
    public var altstack: AlternateStack
  }

  /// - Parameter uc: address of the ucontext (rsp at rt_sigreturn).
  public static func parse(_ process: GuestProcess, uc: UInt64, profile: CPUProfile) throws(GuestError) -> Restored {
    let bytes = try process.read(uc, 304)
    func word(_ b: [UInt8], _ at: Int) -> UInt64 {
      b.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: UInt64.self) }
    }
    var gpr = [UInt64](repeating: 0, count: 16)
    let order = [8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4]
    for (i, r) in order.enumerated() { gpr[r] = word(bytes, 40 + i * 8) }
    func restored(_ xstate: [UInt8]?) -> Restored {
      Restored(
        gpr: gpr, rip: word(bytes, 40 + 128), rflags: word(bytes, 40 + 136) & 0x40CD5 | 0x202,
        mask: word(bytes, 296), xstate: xstate,
        altstack: AlternateStack(
          low: word(bytes, 16), flags: UInt64(UInt32(truncatingIfNeeded: word(bytes, 24))), size: word(bytes, 32)))
    }
    let fp = word(bytes, 40 + 184)
    var xstate: [UInt8]?
    if fp != 0 {
      guard var legacy = try? process.read(fp, 512) else { return restored(nil) }
      if UInt32(truncatingIfNeeded: word(legacy, 24)) & ~profile.mxcsrMask != 0 { return restored(nil) }
      let magic = UInt32(truncatingIfNeeded: word(legacy, 464))
      let size = Int(UInt32(truncatingIfNeeded: word(legacy, 480)))
      let features = word(legacy, 472)
      for i in 464..<512 { legacy[i] = 0 }
      for i in 6..<24 { legacy[i] = 0 }
      if profile.hasXSAVE, magic == magic1, size >= 576, size <= profile.xsaveSize,
        let end = try? process.read(fp + UInt64(size), 8), UInt32(truncatingIfNeeded: word(end, 0)) == magic2,
        var image = try? process.read(fp, size)
      {
        // XRSTOR raises #GP (SDM 1, 13.8): what it does not know, and the compacted form's words.
        if word(image, 512) & ~profile.xcr0 != 0 || word(image, 520) != 0 || word(image, 528) != 0 {
          return restored(nil)
        }
        image.replaceSubrange(0..<512, with: legacy)
        image += [UInt8](repeating: 0, count: profile.xsaveSize - size)
        let bits = word(image, 512) & features & profile.xcr0
        image.withUnsafeMutableBytes { b in
          b.storeBytes(of: bits, toByteOffset: 512, as: UInt64.self)
          for i in 520..<576 { b[i] = 0 }
        }
        xstate = image
      } else {
        var image = legacy
        if profile.signalStateSize > 512 {
          image += [UInt8](repeating: 0, count: profile.signalStateSize - 512)
          image[512] = 3
        }
        xstate = image
      }
    } else {
      var image = [UInt8](repeating: 0, count: profile.signalStateSize)
      image[0] = 0x7F
      image[1] = 0x03
      image[24] = 0x80
      image[25] = 0x1F
      xstate = image
    }
    return restored(xstate)
  }
}
