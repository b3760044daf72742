import ArgumentParser
import Syscalls
import Tape
import Trace

/// `bis stats`
struct StatsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Count and measure what a recording holds.",
    discussion: "Bytes are those of the records before compression. Every chunk read is checked.")

  @Option(
    name: [.customShort("p"), .long],
    help: ArgumentHelp("One process only: its number or its program's name.", valueName: "PID|NAME"))
  var process: String?

  @OptionGroup var trace: TraceArgument

  func run() throws {
    let (directory, manifest) = try trace.read()
    var total = TapeStatistics()
    let tapes = try manifest.tapes(of: process)
    for tape in tapes { total.add(try TapeStatistics(TapeFileReader(directory, tape: tape.number))) }

    let ratio =
      total.storedBytes > 0 ? " (\(decimal(Double(total.contentBytes) / Double(total.storedBytes), 1)) to 1)" : ""
    print(
      "\(count(tapes.count, "tape")), \(count(total.chunkCount, "chunk")), \(size(total.contentBytes)) stored as \(size(total.storedBytes))\(ratio)\n"
    )
    section("EVENTS", total.events.map { ("\($0.key)", $0.value) })
    section("EFFECTS", total.effects.map { ("\($0.key)", $0.value) })
    section("SYSTEM CALLS", total.systemCalls.map { (Syscalls.name($0.key), $0.value) })
    if process == nil, !manifest.counters.isEmpty { print(table(recorder(manifest.counters), right: [1])) }
  }

  /// What the recorder did: where its time went. A stop costs 10 µs on one CPU, 70 µs across two.
  private func recorder(_ counters: [String: UInt64]) -> [[String]] {
    let rows: [(String, String)] = [
      ("stops", "stops of recorded processes"), ("stops.translation", "  for code not translated yet"),
      ("stops.calls", "  for system calls that change the process"),
      ("stops.pages", "  for calls that use shared memory"), ("stops.ring", "  for a full ring"),
      ("stops.signals", "  for signals at system calls"), ("stops.ticks", "  for signals at a tick"),
      ("stops.checksums", "  for checksums"), ("calls", "system calls made in the process"),
      ("specials", "special instructions (CPUID, RDTSC, XSAVE, ...)"),
      ("pages.taken", "shared pages taken over from other processes"),
      ("translations.unstopped", "code asked for without a stop"),
      ("indirect.misses", "indirect targets not in the fast table"), ("units", "units translated"),
      ("units.instructions", "  their instructions"), ("units.guest-bytes", "  bytes of the program"),
      ("units.hot-bytes", "  bytes of translated code"), ("units.cold-bytes", "  bytes of exits and stubs"),
      ("links", "direct branches linked"), ("cache.freed-bytes", "bytes of the code cache given back"),
      ("cache.flushes", "  times that all translations went"),
    ]
    return [["RECORDER", "COUNT"]] + rows.compactMap { key, text in counters[key].map { [text, String($0)] } }
  }

  private func section(_ title: String, _ counts: [(String, TapeStatistics.Count)]) {
    guard !counts.isEmpty else { return }
    let sorted = counts.sorted { ($1.1.records, $0.0) < ($0.1.records, $1.0) }
    let rows = [[title, "COUNT", "BYTES"]] + sorted.map { [$0.0, String($0.1.records), String($0.1.bytes)] }
    print(table(rows, right: [1, 2]))
  }
}

extension TapeStatistics {
  /// Adds another tape's numbers.
  mutating func add(_ other: TapeStatistics) {
    func sum(_ a: Count, _ b: Count) -> Count {
      var count = a
      count.records += b.records
      count.bytes += b.bytes
      return count
    }
    events.merge(other.events, uniquingKeysWith: sum)
    systemCalls.merge(other.systemCalls, uniquingKeysWith: sum)
    effects.merge(other.effects, uniquingKeysWith: sum)
    chunkCount += other.chunkCount
    contentBytes += other.contentBytes
    storedBytes += other.storedBytes
  }
}
