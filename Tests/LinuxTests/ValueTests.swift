import Glibc
import Linux
import Testing

@Suite struct ValueTests {
  @Test func `errors have names and words`() {
    #expect(Linux.Errno(code: 2).name == "ENOENT")
    #expect("\(Linux.Errno.noEntry)" == "No such file or directory (ENOENT)")
    #expect(Linux.Errno(code: 11).name == "EAGAIN")
    #expect(Linux.Errno(code: 514).name == "ERESTARTNOHAND")
    #expect(Linux.Errno(code: 999).description == "Unknown error 999 (E999)")
  }

  @Test func `available memory is a share of all memory`() {
    #expect(MemoryGauge.share(of: "MemTotal:  8000 kB\nMemFree:  1000 kB\nMemAvailable:  2000 kB\nBuff") == 0.25)
    #expect(MemoryGauge.share(of: "MemTotal:  8000 kB\n") == 1)
    var gauge = MemoryGauge()
    let share = gauge.availableShare()
    let again = gauge.availableShare()
    #expect(share > 0 && share <= 1 && again > 0 && again <= 1)
  }

  @Test(arguments: [
    (0x0000, WaitStatus.Kind.exited(0)), (0x2a00, .exited(42)), (0x0009, .signaled(9, core: false)),
    (0x008b, .signaled(11, core: true)), (0x0a7f, .stopped(.signal(10))), (0x857f, .stopped(.syscall)),
    (0x4_057f, .stopped(.event(.exec))), (0x6_057f, .stopped(.event(.exit))), (0x80_057f, .stopped(.event(.stop(5)))),
    (0x80_137f, .stopped(.groupStop(19))),
  ]) func `status words are decoded`(raw: Int, kind: WaitStatus.Kind) {
    #expect(WaitStatus(tid: ThreadID(7), raw: Int32(raw)).kind == kind)
  }

  @Test func `registers have the kernel's layout and the instructions' numbers`() {
    #expect(MemoryLayout<Registers>.size == 216)
    #expect(MemoryLayout<Registers>.offset(of: \.rax) == 80)
    #expect(MemoryLayout<Registers>.offset(of: \.orig_rax) == 120)
    #expect(MemoryLayout<Registers>.offset(of: \.rip) == 128)
    #expect(MemoryLayout<Registers>.offset(of: \.fs_base) == 168)
    var registers = Registers()
    for number in 0..<16 { registers[number] = UInt64(number) + 100 }
    for number in 0..<16 { #expect(registers[number] == UInt64(number) + 100) }
    #expect(registers.rsp == 104 && registers.rdi == 107 && registers.r15 == 115)
    registers.setArguments([1, 2, 3, 4, 5, 6])
    #expect((0..<6).map { registers.argument($0) } == [1, 2, 3, 4, 5, 6])
    #expect(registers.r10 == 4)
  }

  @Test func `lines of maps`() throws {
    let text = """
      55d0c0a00000-55d0c0a02000 r-xp 00001000 fe:01 1048 /usr/bin/a b\\012c (deleted)
      7ffd1000-7ffd2000 rw-s 00000000 00:00 0
      ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]

      """
    let maps = try MemoryMap.parse(Array(text.utf8))
    #expect(maps.count == 3)
    #expect(maps[0].path == "/usr/bin/a b\nc (deleted)" && maps[0].isDeleted)
    #expect(maps[0].offset == 0x1000 && maps[0].device == Device(major: 0xfe, minor: 1) && maps[0].inode == 1048)
    #expect(maps[0].read && !maps[0].write && maps[0].execute && !maps[0].shared)
    #expect(maps[1].shared && maps[1].path.isEmpty && maps[1].contains(0x7ffd_1fff) && !maps[1].contains(0x7ffd_2000))
    #expect(maps[2].path == "[vsyscall]" && !maps[2].read && maps[2].end == 0xffff_ffff_ff60_1000)
    #expect(throws: Linux.Errno.invalid) { try MemoryMap.parse(Array("rubbish\n".utf8)) }
    let own = try memoryMaps(of: ThreadID(getpid()))
    #expect(own.contains { $0.path == "[stack]" })
    #expect(zip(own, own.dropFirst()).allSatisfy { $0.end <= $1.start })
  }

  @Test func `the head of ls`() throws {
    let bytes = try readFile("/bin/ls")
    let header = try ELFHeader(bytes: bytes)
    #expect(header.kind == .shared && header.machine == 62)
    #expect(header.interpreter == "/lib64/ld-linux-x86-64.so.2")
    #expect(header.buildID.count == 20 && header.buildIDText.count == 40)
    #expect(header.segments.contains { $0.type == ELFHeader.Segment.load && $0.isExecutable && !$0.isWritable })
    #expect(try ELFHeader(reading: Descriptor.open("/bin/ls", flags: O_RDONLY)) == header)
    #expect(try ELFHeader(bytes: readFile("/lib64/ld-linux-x86-64.so.2")).interpreter == nil)
  }

  @Test func `files that are no programs`() throws {
    let bytes = try Array(readFile("/bin/ls").prefix(4096))
    func error(_ change: (inout [UInt8]) -> Void) -> ELFError? {
      var copy = bytes
      change(&copy)
      do throws(ELFError) { _ = try ELFHeader(bytes: copy) } catch { return error }
      return nil
    }
    #expect(error { $0 = [] } == .notELF)
    #expect(error { $0 = Array("#!/bin/sh\n".utf8) } == .notELF)
    #expect(error { $0[4] = 1 } == .class32)
    #expect(error { $0[5] = 2 } == .bigEndian)
    #expect(error { $0[18] = 183 } == .machine(183))
    #expect(error { $0 = Array($0.prefix(40)) } == .malformed)
    #expect(error { $0 = Array($0.prefix(100)) } == .malformed)
    #expect(error { $0[39] = 0xff } == .malformed)
    #expect(throws: ELFError.unreadable(.isDirectory)) {
      try ELFHeader(reading: Descriptor.open("/tmp", flags: O_RDONLY))
    }
  }

  @Test func `damaged headers never trap`() throws {
    let bytes = try Array(readFile("/bin/ls").prefix(4096))
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      var copy = bytes
      for _ in 0..<4 { copy[Int.random(in: 16..<900, using: &generator)] = .random(in: 0...255, using: &generator) }
      _ = try? ELFHeader(bytes: copy)
    }
  }

  @Test func `descriptors and mappings share bytes and end with their values`() throws {
    let raw: Int32
    do {
      let file = try Descriptor.memory(name: "test", size: 8192)
      raw = file.raw
      try file.allocate(offset: 0, length: 16384)
      #expect(try file.stat().size == 16384)
      let mapping = try Mapping.map(fd: raw, offset: 4096, length: 4096, protection: [.read, .write], shared: true)
      mapping.bytes[5] = 77
      #expect(try file.pread(count: 1, offset: 4101) == [77])
      try [UInt8]([1, 2, 3]).withUnsafeBytes { try file.pwriteFully($0, offset: 4096) }
      #expect(mapping.bytes[2] == 3)
      #expect(throws: Linux.Errno.exists) {
        _ = try Mapping.map(
          fd: raw, offset: 0, length: 4096, protection: .read, shared: true, at: mapping.address)
      }
      let code = try Mapping.map(fd: raw, offset: 0, length: 4096, protection: [.read, .execute], shared: true)
      #expect(code.count == 4096)
      #expect(try file.readToEnd().count == 16384)
      #expect(fcntl(raw, F_GETFD) == FD_CLOEXEC)
    }
    #expect(throws: Linux.Errno.noEntry) { _ = try Descriptor.open("/nowhere", flags: O_RDONLY) }
    #expect(throws: Linux.Errno.isDirectory) { _ = try readFile("/tmp") }
  }

  @Test func `clocks and CPUs`() {
    let begin = timePoint()
    usleep(20_000)
    let end = timePoint()
    let frequency = tscFrequency(from: begin, to: end) ?? 0
    #expect((5e8...1e10).contains(frequency))
    #expect(begin.realtimeNanoseconds > 1_600_000_000_000_000_000)
    #expect(Machine.cpuCount >= 1)
    #expect(Machine.cpuid(0).eax >= 0xd)
    #expect((Machine.xgetbv(0) ?? 3) & 3 == 3)
    #expect(sysconf(Int32(_SC_PAGESIZE)) == Machine.pageSize)
    #expect(!Machine.isTerminal(9999))
  }
}
