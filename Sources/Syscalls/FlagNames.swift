/// Names of flags and small numbers, as asm-generic/fcntl.h, mman.h, linux/time.h and linux/fcntl.h have them.
extension Syscalls {
  typealias Names = [(value: UInt64, name: String)]

  static var whences: [String] { ["SEEK_SET", "SEEK_CUR", "SEEK_END", "SEEK_DATA", "SEEK_HOLE"] }
  static var clocks: [String] {
    [
      "CLOCK_REALTIME", "CLOCK_MONOTONIC", "CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID",
      "CLOCK_MONOTONIC_RAW", "CLOCK_REALTIME_COARSE", "CLOCK_MONOTONIC_COARSE", "CLOCK_BOOTTIME",
      "CLOCK_REALTIME_ALARM", "CLOCK_BOOTTIME_ALARM", "CLOCK_SGI_CYCLE", "CLOCK_TAI",
    ]
  }
  static var futexFlags: Names { [(0x80, "FUTEX_PRIVATE_FLAG"), (0x100, "FUTEX_CLOCK_REALTIME")] }
  static var protections: Names {
    [
      (1, "PROT_READ"), (2, "PROT_WRITE"), (4, "PROT_EXEC"), (0x0100_0000, "PROT_GROWSDOWN"),
      (0x0200_0000, "PROT_GROWSUP"),
    ]
  }
  static var mapNames: Names {
    [
      (0x10, "MAP_FIXED"), (0x20, "MAP_ANONYMOUS"), (0x40, "MAP_32BIT"), (0x100, "MAP_GROWSDOWN"),
      (0x800, "MAP_DENYWRITE"), (0x1000, "MAP_EXECUTABLE"), (0x2000, "MAP_LOCKED"), (0x4000, "MAP_NORESERVE"),
      (0x8000, "MAP_POPULATE"), (0x10000, "MAP_NONBLOCK"), (0x20000, "MAP_STACK"), (0x40000, "MAP_HUGETLB"),
      (0x80000, "MAP_SYNC"), (0x10_0000, "MAP_FIXED_NOREPLACE"),
    ]
  }
  /// Longer masks first: O_SYNC holds O_DSYNC, O_TMPFILE holds O_DIRECTORY.
  static var openNames: Names {
    [
      (0x10_1000, "O_SYNC"), (0x41_0000, "O_TMPFILE"), (0x40, "O_CREAT"), (0x80, "O_EXCL"), (0x100, "O_NOCTTY"),
      (0x200, "O_TRUNC"), (0x400, "O_APPEND"), (0x800, "O_NONBLOCK"), (0x1000, "O_DSYNC"), (0x2000, "O_ASYNC"),
      (0x4000, "O_DIRECT"), (0x8000, "O_LARGEFILE"), (0x10000, "O_DIRECTORY"), (0x20000, "O_NOFOLLOW"),
      (0x40000, "O_NOATIME"), (0x80000, "O_CLOEXEC"), (0x20_0000, "O_PATH"),
    ]
  }
  static var atFlags: Names {
    [
      (0x100, "AT_SYMLINK_NOFOLLOW"), (0x200, "AT_REMOVEDIR"), (0x400, "AT_SYMLINK_FOLLOW"),
      (0x800, "AT_NO_AUTOMOUNT"), (0x1000, "AT_EMPTY_PATH"), (0x2000, "AT_STATX_FORCE_SYNC"),
      (0x4000, "AT_STATX_DONT_SYNC"), (0x8000, "AT_RECURSIVE"),
    ]
  }

  static func name(_ value: Int, _ names: [String]) -> String {
    names.indices.contains(value) ? names[value] : String(value)
  }

  static func flags(_ value: UInt64, _ names: Names) -> [String] {
    var rest = value
    var result: [String] = []
    for (mask, name) in names where rest & mask == mask {
      result.append(name)
      rest &= ~mask
    }
    return rest == 0 ? result : result + [hexadecimal(rest)]
  }

  static func joined(_ value: UInt64, _ names: Names, zero: String) -> String {
    value == 0 ? zero : flags(value, names).joined(separator: "|")
  }

  static func openFlags(_ value: UInt64) -> String {
    let access = ["O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"][Int(value & 3)]
    return ([access] + flags(value & ~3, openNames)).joined(separator: "|")
  }

  static func mapFlags(_ value: UInt64) -> String {
    let types: [UInt64: String] = [1: "MAP_SHARED", 2: "MAP_PRIVATE", 3: "MAP_SHARED_VALIDATE"]
    let first = types[value & 0xF] ?? hexadecimal(value & 0xF)
    return ([first] + flags(value & ~0xF, mapNames)).joined(separator: "|")
  }
}
