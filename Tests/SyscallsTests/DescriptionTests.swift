import Syscalls
import Testing

@Suite struct DescriptionTests {
  @Test func `calls read as strace prints them`() {
    #expect(
      Syscalls.describe(number: 257, arguments: [UInt64(bitPattern: -100), 0x7ff0, 0x80000, 0, 0, 0], result: 3)
        == "openat(AT_FDCWD, 0x7ff0, O_RDONLY|O_CLOEXEC) = 3")
    #expect(
      Syscalls.describe(
        number: 257, arguments: [UInt64(bitPattern: -100), 0x7ff0, 0x241, 0o644, 0, 0], result: -2,
        string: { _ in "/a\n" })
        == "openat(AT_FDCWD, \"/a\\n\", O_WRONLY|O_CREAT|O_TRUNC, 0644) = -1 ENOENT")
    #expect(
      Syscalls.describe(number: 9, arguments: [0, 4096, 3, 0x22, 0xFFFF_FFFF, 0], result: 0x7f00_0000_0000)
        == "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0x0) = 0x7f0000000000")
    #expect(
      Syscalls.describe(number: 16, arguments: [1, 0x5401, 0x10, 0, 0, 0], result: -25)
        == "ioctl(1, TCGETS, 0x10) = -1 ENOTTY")
    #expect(
      Syscalls.describe(number: 16, arguments: [1, 0x54FF, 0x10, 0, 0, 0], result: -25)
        == "ioctl(1, 0x54ff, 0x10) = -1 ENOTTY")
    #expect(
      Syscalls.describe(number: 202, arguments: [16, 0x189, 1, 0, 0, 5], result: nil)
        == "futex(0x10, FUTEX_WAIT_BITSET|FUTEX_PRIVATE_FLAG|FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 5) = ?")
    #expect(Syscalls.describe(number: 62, arguments: [5, 9], result: 0) == "kill(5, SIGKILL) = 0")
    #expect(Syscalls.describe(number: 399, arguments: [1], result: -38) == "syscall_399(0x1) = -1 ENOSYS")
    #expect(
      Syscalls.describe(number: 55, arguments: [3, 1, 26, 0x10, 0x20], result: 0)
        == "getsockopt(3, 1, SO_GET_FILTER, 0x10, 0x20) = 0")
  }

  @Test func `errors and signals have the kernel's names`() throws {
    for line in try runC(
      "#define _GNU_SOURCE\n#include <string.h>\n#include <stdio.h>\nint main() { for (int i = 1; i < 134; i++)"
        + " if (strerrorname_np(i)) printf(\"E %d %s\\n\", i, strerrorname_np(i));"
        + " for (int i = 1; i < 32; i++) printf(\"S %d %s\\n\", i, sigabbrev_np(i)); }")
    {
      let words = line.split(separator: " ").map(String.init)
      let number = try #require(Int(words[1]))
      if words[0] == "E" {
        #expect(Syscalls.errorName(number) == (words[2] == "ENOTSUP" ? "EOPNOTSUPP" : words[2]))
      } else {
        #expect(Syscalls.signalName(number) == "SIG" + (words[2] == "POLL" ? "IO" : words[2]))
        #expect(Syscalls.signalNumber(named: Syscalls.signalName(number)) == number)
      }
    }
    #expect(Syscalls.signalName(34) == "SIGRT_2")
    #expect(Syscalls.signalNumber(named: "SIGRT_2") == 34)
    #expect(Syscalls.signalNumber(named: "nonsense") == nil)
    #expect(Syscalls.errorName(0) == nil)
    #expect(Syscalls.errorName(-1) == nil)
  }
}
