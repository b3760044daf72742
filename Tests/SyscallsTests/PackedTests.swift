import CABI
import Glibc
import Syscalls
import Testing

@Suite struct PackedTests {
  @Test func `the runtime's rows say what the tables say`() {
    let bytes = Syscalls.packedSyscalls()
    #expect(bytes.count == 512 * 56)
    #expect(bytes.count <= Int(BIS_TABLES_SUBCALLS - BIS_TABLES_SYSCALLS))
    bytes.withUnsafeBytes { raw in
      let rows = raw.bindMemory(to: bis_syscall_row.self)
      #expect(UInt32(rows[0].klass) == BIS_CLASS_HOT.rawValue)
      #expect(rows[0].may_block == 1)
      #expect(rows[0].output_count == 1)
      #expect(rows[0].outputs.0.arg == 1)
      #expect(rows[1].special == UInt16(BIS_LOCAL_WRITE.rawValue))
      #expect(rows[257].special == 1)
      #expect(rows[257].path_arg == 1)
      #expect(rows[0].path_arg == 0xFF)
      #expect(rows[7].outputs.0.length_arg == 1 | UInt8(BIS_LEN_ARG32))
      #expect(rows[202].key_arg == 1 | UInt8(BIS_KEY_LOW7))
      #expect(rows[400].klass == 0)
      #expect(rows[335].error == 38)
    }
  }

  @Test func `sub-calls are sorted and fit`() {
    let bytes = Syscalls.packedSubcalls()
    #expect(bytes.count == Syscalls.subcallCount * 56)
    #expect(bytes.count <= Int(BIS_TABLES_CPUID - BIS_TABLES_SUBCALLS))
    bytes.withUnsafeBytes { raw in
      let rows = raw.bindMemory(to: bis_subcall_row.self)
      for index in 1..<rows.count {
        #expect((rows[index - 1].nr, rows[index - 1].key) < (rows[index].nr, rows[index].key))
      }
    }
  }

  @Test func `handlers, lengths and times have the numbers of the binary contract`() {
    #expect(LocalHandler.copy_range.rawValue == UInt16(BIS_LOCAL_COPY_RANGE.rawValue))
    #expect(LocalHandler.arch_prctl.rawValue == UInt16(BIS_LOCAL_ARCH_PRCTL.rawValue))
    #expect(LocalHandler.sigaction.rawValue == UInt16(BIS_LOCAL_SIGACTION.rawValue))
    #expect(UInt32(OutputLength.ifconf.rawValue) == BIS_LEN_IFCONF.rawValue)
    #expect(UInt32(OutputLength.minimum.rawValue) == BIS_LEN_MIN_RESULT_ARG.rawValue)
    #expect(UInt32(OutputLength.fdset.rawValue) == BIS_LEN_FDSET.rawValue)
    #expect(UInt32(OutputTime.maybe.rawValue) == BIS_WHEN_MAYBE.rawValue)
    #expect(UInt32(OutputTime.positive.rawValue) == BIS_WHEN_POSITIVE.rawValue)
    #expect(SubcallRow.typeBit == UInt64(BIS_KEY_TYPE))
  }

  @Test func `what the kernel writes is what outputs.c predicts`() throws {
    if shell("command -v gcc").status != 0 { try Test.cancel("no gcc") }
    let directory = try temporaryDirectory()
    defer { _ = shell("rm -r \(directory)") }
    try save(Syscalls.packedSyscalls(), directory + "/syscalls.bin")
    try save(Syscalls.packedSubcalls(), directory + "/subcalls.bin")
    let run = shell("BIS_TABLES_DIR=\(directory) \(root)/Tests/Outputs/run.sh")
    let failed = run.output.split(separator: "\n").filter { !$0.hasPrefix("ok") }.joined(separator: "\n")
    #expect(run.status == 0, "\(failed)")
  }
}
