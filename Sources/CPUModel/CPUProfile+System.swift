// What the kernel derives from the CPU and tells programs.
extension CPUProfile {
  /// AT_HWCAP: leaf 1 EDX (arch/x86/include/asm/elf.h, ELF_HWCAP).
  public var hwcap: UInt64 { UInt64(row(1, 0).edx) }

  /// AT_HWCAP2: bit 0 ring 3 MWAIT (never), bit 1 FSGSBASE (arch/x86/include/uapi/asm/hwcap2.h).
  public var hwcap2: UInt64 { has("fsgsbase") ? 2 : 0 }

  /// Bytes of FPU state in a signal frame, without the 4 bytes of FP_XSTATE_MAGIC2 that follow when there is XSAVE.
  public var signalStateSize: Int { hasXSAVE ? xsaveSize : 512 }

  /// AT_MINSIGSTKSZ: FPU state, magic and 928 bytes of frame and padding, rounded up to 16 (arch/x86/kernel/signal.c,
  /// get_sigframe_size). Measured: 2432 gives 3376; 832 gives 1776; 2696 gives 3632; 11008 gives 11952.
  public var minimumSignalStackSize: Int { (signalStateSize + (hasXSAVE ? 4 : 0) + 928 + 15) & ~15 }

  /// ARCH_GET_XCOMP_SUPP and ARCH_GET_XCOMP_PERM of arch_prctl.
  public var xcompSupported: UInt64 { hasXSAVE ? xcr0 : 0 }

  /// Whether a word of the `flags` line of /proc/cpuinfo may stay: it names no feature that this profile lacks.
  /// Words that bis does not know stay.
  public func allowsCPUInfoFlag(_ word: some StringProtocol) -> Bool {
    if word == "user_shstk" { return has("shstk") }
    guard let feature = CPUFeature.all.first(where: { $0.name == word }) else { return true }
    return has(feature)
  }
}
