internal import CLinux
import Glibc

/// How much of the machine's memory can still be had. proc_meminfo(5)
public struct MemoryGauge: Sendable {
  private var share = 1.0
  private var readAt: UInt64 = 0

  public init() {}

  /// Between 0 and 1; 20 ms old at most. 1 when the kernel does not tell.
  public mutating func availableShare() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    let now = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    guard now - readAt > 20_000_000 else { return share }
    readAt = now
    share = Self.read()
    return share
  }

  private static func read() -> Double {
    guard let file = try? Descriptor.open("/proc/meminfo", flags: O_RDONLY | O_CLOEXEC) else { return 1 }
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = bytes.withUnsafeMutableBytes { Glibc.read(file.raw, $0.baseAddress, $0.count) }
    guard count > 0 else { return 1 }
    return share(of: String(decoding: bytes[..<count], as: UTF8.self))
  }

  /// From the file's text: MemAvailable / MemTotal.
  public static func share(of text: String) -> Double {
    func value(_ name: String) -> Double? {
      for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
        return line.split(separator: " ").dropFirst().first.flatMap { Double($0) }
      }
      return nil
    }
    guard let total = value("MemTotal"), total > 0, let available = value("MemAvailable") else { return 1 }
    return available / total
  }
}
