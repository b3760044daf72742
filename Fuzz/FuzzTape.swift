// bis-fuzz-tape [SECONDS] [SEED]: mutates tapes, repairs their checksums, and reads them in every way there is.
// It must never trap, run out of bounds or hang. Deterministic for a seed; prints what it did.
import Glibc
import Tape
import Trace

@main
struct FuzzTape {
  static func main() {
    let seconds = CommandLine.arguments.count > 1 ? Double(CommandLine.arguments[1]) ?? 30 : 30
    var random = Random(CommandLine.arguments.count > 2 ? UInt64(CommandLine.arguments[2]) ?? 1 : 1)
    let seeds = (0..<8).map { number in
      tapeFile(
        segments: segments(of: randomEvents(&random, count: 1 << number, effects: 3, payload: 100), segment: 2048),
        finished: number % 2 == 0)
    }
    let start = now()
    var (runs, refused, slowest) = (0, 0, 0.0)
    while now() - start < seconds {
      var bytes = seeds[random.below(seeds.count)]
      for _ in 0...random.below(6) { mutate(&bytes, &random) }
      if random.below(8) > 0 { repair(&bytes) }
      let began = now()
      if !read(bytes) { refused += 1 }
      slowest = max(slowest, now() - began)
      runs += 1
    }
    print("\(runs) tapes, \(refused) refused, slowest \(Int(slowest * 1000)) ms")
  }

  static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// Reads a tape in every way; false when it was refused.
  static func read(_ bytes: [UInt8]) -> Bool {
    do throws(TraceError) {
      let reader = try TapeFileReader(bytes: bytes, tape: 3)
      var events = try reader.events(payloadLimit: 16)
      while try events.next() != nil {}
      _ = try TapeStatistics(reader)
      _ = try reader.event(reader.eventCount / 2)
      return true
    } catch {
      return false
    }
  }

  static func mutate(_ bytes: inout [UInt8], _ random: inout Random) {
    guard bytes.count > 100 else { return }
    let at = random.below(3) == 0 ? random.below(min(bytes.count, 200)) : random.below(bytes.count)
    switch random.below(7) {
    case 0: bytes[at] ^= 1 << UInt8(random.below(8))
    case 1: bytes[at] = [0, 1, 7, 8, 63, 64, 127, 128, 255][random.below(9)]
    case 2:
      let word = [0, 1, 8, .max, 1 << 31, 1 << 63, 0xFFFF_FFFF, UInt64(bytes.count)][random.below(8)] as UInt64
      for byte in 0..<8 where at + byte < bytes.count {
        bytes[at + byte] = UInt8(truncatingIfNeeded: word >> UInt64(8 * byte))
      }
    case 3: bytes.removeSubrange(at...)
    case 4: bytes.removeSubrange(at..<min(bytes.count, at + 8 * random.below(20)))
    case 5: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 96)], at: random.below(bytes.count))
    default:
      let other = random.below(bytes.count)
      for byte in 0..<min(16, bytes.count - max(at, other)) { bytes[at + byte] = bytes[other + byte] }
    }
  }

  /// Makes checksums right again where the structure still allows, so that mutations reach what is behind them.
  static func repair(_ bytes: inout [UInt8]) {
    guard bytes.count >= 64 else { return }
    fix(&bytes, 0, 56)
    var at = 64
    while at + 96 <= bytes.count {
      let stored = (0..<4).reduce(0) { $0 | Int(bytes[at + 20 + $1]) << (8 * $1) }
      guard bytes[at] == 0x42, stored <= bytes.count - at - 96 else { break }
      let payload = bytes[(at + 96)..<(at + 96 + stored)].withUnsafeBytes { xxHash64($0) }
      put(payload, &bytes, at + 56)
      fix(&bytes, at, 88)
      at += 96 + stored
    }
    if at + 40 == bytes.count { fix(&bytes, at, 32) }
  }

  static func fix(_ bytes: inout [UInt8], _ at: Int, _ length: Int) {
    put(bytes[at..<at + length].withUnsafeBytes { xxHash64($0) }, &bytes, at + length)
  }

  static func put(_ word: UInt64, _ bytes: inout [UInt8], _ at: Int) {
    for byte in 0..<8 { bytes[at + byte] = UInt8(truncatingIfNeeded: word >> UInt64(8 * byte)) }
  }
}
