// What `bis doctor` looks at: each probe tries the thing itself instead of reading about it.
import CLinux
import Glibc
import Linux

/// The probes.
enum Probes {
  static func all() -> [Finding] {
    tracing() + [randomisation(), executableMemory(), pages(), debugging(), counters(), faulting(), virtualisation()]
      + limits()
  }

  // MARK: ptrace

  private static func tracing() -> [Finding] {
    var findings = [yama()]
    do throws(SpawnError) {
      let child = try spawnTraced(path: "/proc/self/exe", arguments: ["bis"], environment: [])
      var works = false
      if let registers = try? child.registers() { works = registers.rip != 0 }
      child.kill()
      findings.insert(
        .needed("ptrace", works, "a child can be traced", otherwise: "a traced child cannot be read"), at: 0)
    } catch {
      let hint = "\(error); containers: allow ptrace (seccomp profile, --cap-add=SYS_PTRACE)"
      findings.insert(.needed("ptrace", false, "", otherwise: hint), at: 0)
    }
    return findings
  }

  private static func yama() -> Finding {
    let scope = text("/proc/sys/kernel/yama/ptrace_scope")
    let meaning = [
      "0": "any process of the user", "1": "children only, which is what bis needs", "2": "administrators only",
      "3": "nobody",
    ]
    guard let scope else {
      return .optional("yama", false, "not in this kernel: nothing restricts tracing of children")
    }
    let allowed = scope == "0" || scope == "1" || (scope == "2" && geteuid() == 0)
    return .needed(
      "yama", allowed, "ptrace_scope \(scope): \(meaning[scope] ?? "?")",
      otherwise: "ptrace_scope \(scope): \(meaning[scope] ?? "?"); set it to 1: sysctl kernel.yama.ptrace_scope=1")
  }

  private static func debugging() -> Finding {
    guard let child = try? spawnTraced(path: "/proc/self/exe", arguments: ["bis"], environment: []) else {
      return .optional("debug registers", false, "not looked at: no ptrace")
    }
    var works = false
    do throws(Errno) {
      try Ptrace.pokeUser(child.tid, offset: Ptrace.debugRegisterOffset, 0x1000)
      // DR7: local enable 0, 4 bytes, read and write.
      try Ptrace.pokeUser(child.tid, offset: Ptrace.debugRegisterOffset + 56, 0xD0001)
      works = true
    } catch {}
    child.kill()
    return .optional(
      "debug registers", works, works ? "watchpoints can be set" : "not usable: watchpoints would be software")
  }

  // MARK: Memory

  private static func randomisation() -> Finding {
    let before = bis_syscall1(Int(SYS_personality), 0xffff_ffff)
    let works = before >= 0 && bis_syscall1(Int(SYS_personality), before | 0x0040000) >= 0
    if before >= 0 { _ = bis_syscall1(Int(SYS_personality), before) }
    return .optional(
      "personality", works,
      works
        ? "address-space randomisation can be switched off"
        : "randomisation stays on (a container forbids it): addresses differ from recording to recording")
  }

  private static func executableMemory() -> Finding {
    let file = bis_memfd_create("bis-doctor")
    var works = false
    if file >= 0 {
      let code: [UInt8] = [0xB8, 42, 0, 0, 0, 0xC3]  // mov eax, 42; ret
      _ = code.withUnsafeBytes { bis_write(Int32(file), $0.baseAddress, $0.count) }
      let place = bis_mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, Int32(file), 0)
      if place > 0, let pointer = UnsafeRawPointer(bitPattern: place) {
        works = unsafeBitCast(pointer, to: (@convention(c) () -> Int32).self)() == 42
        _ = bis_munmap(UInt64(place), 4096)
      }
      _ = bis_close(Int32(file))
    }
    return .needed(
      "memory files", works, "can be mapped and executed",
      otherwise: "cannot be executed: a security policy (SELinux, vm.memfd_noexec) forbids it")
  }

  private static func pages() -> Finding {
    let setting = text("/sys/kernel/mm/transparent_hugepage/enabled") ?? "not in this kernel"
    let chosen =
      setting.split(separator: " ").first { $0.hasPrefix("[") }.map { String($0.dropFirst().dropLast()) } ?? setting
    return .optional("huge pages", chosen != "never" && chosen != setting, "transparent huge pages: \(chosen)")
  }

  // MARK: CPU

  private static func counters() -> Finding {
    var attribute = [UInt64](repeating: 0, count: 16)
    attribute[0] = 128 << 32  // type 0: hardware; size
    attribute[1] = 5  // branch misses: what rr needs are conditional branches; any hardware event tells
    attribute[5] = 1 << 5 | 1 << 6  // without kernel and hypervisor
    let file = attribute.withUnsafeBytes {
      bis_syscall5(Int(SYS_perf_event_open), Int(bitPattern: $0.baseAddress), 0, -1, -1, 0)
    }
    if file >= 0 { _ = bis_close(Int32(file)) }
    return .optional(
      "hardware counters", file >= 0,
      file >= 0
        ? "there (bis counts in software all the same)" : "none: \(Errno(code: Int32(-file))) (bis counts in software)")
  }

  private static func faulting() -> Finding {
    let result = bis_syscall2(Int(SYS_arch_prctl), 0x1012 /* ARCH_SET_CPUID */, 0)
    if result == 0 { _ = bis_syscall2(Int(SYS_arch_prctl), 0x1012, 1) }
    return .optional(
      "CPUID faulting", result == 0,
      result == 0 ? "there (bis does not use it)" : "not on this CPU (bis does not need it)")
  }

  private static func virtualisation() -> Finding {
    let file = bis_open("/dev/kvm", O_RDWR | O_CLOEXEC, 0)
    guard file >= 0 else { return .optional("/dev/kvm", false, "cannot be opened: \(Errno(code: Int32(-file)))") }
    let version = bis_syscall3(Int(SYS_ioctl), file, 0xAE00 /* KVM_GET_API_VERSION */, 0)
    let machine = bis_syscall3(Int(SYS_ioctl), file, 0xAE01 /* KVM_CREATE_VM */, 0)
    if machine >= 0 { _ = bis_close(Int32(machine)) }
    _ = bis_close(Int32(file))
    let kind = ["kvm_intel": "Intel VMX", "kvm_amd": "AMD SVM", "kvm_pvm": "PVM, in software"].first {
      access("/sys/module/\($0.key)", F_OK) == 0
    }
    let text =
      machine >= 0
      ? "API \(version), \(kind?.value ?? "kind unknown"); this version does not use it"
      : "no virtual machine can be made: \(Errno(code: Int32(-machine)))"
    return .optional("/dev/kvm", machine >= 0, text)
  }

  // MARK: Limits

  private static func limits() -> [Finding] {
    let rows: [(String, Int32, UInt64, String)] = [
      ("open files", 7, 256, "a process tree needs about four per process"), ("processes", 6, 64, "of this user"),
      ("address space", 9, 1 << 32, "recorded programs get 700 MB of bis's address space"),
      ("file size", 1, 1 << 28, "of tapes"),
    ]
    return rows.map { name, resource, enough, note in
      var pair: [UInt64] = [0, 0]
      let result = pair.withUnsafeMutableBytes {
        bis_syscall4(Int(SYS_prlimit64), 0, Int(resource), 0, Int(bitPattern: $0.baseAddress))
      }
      let shown = pair.map { $0 == .max ? "unlimited" : String($0) }
      let works = result < 0 || pair[1] >= enough
      return .needed(
        "limit: \(name)", works, shown[0] == shown[1] ? shown[0] : "\(shown[0]), can be raised to \(shown[1])",
        otherwise: "\(shown[1]) is little (\(note)): raise it with ulimit or in /etc/security/limits.conf")
    }
  }

  private static func text(_ path: String) -> String? {
    guard let bytes = try? readFile(path) else { return nil }
    return String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
  }
}
