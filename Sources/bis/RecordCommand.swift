import ArgumentParser
import Glibc
import Record

import enum Syscalls.Syscalls

/// `bis record`
struct RecordCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record",
    abstract: "Record a program and everything it starts.",
    usage: "bis record [-o DIR] [--cpu SPEC] [--env K=V]... [--chaos] [--] PROGRAM [ARG...]",
    discussion: """
      The program's input, output, signals and exit status stay what they are
      without bis. The last line on standard error is the recording's path.

        bis record -- ./tests --filter parser
        bis record -o /tmp/build -- make -j2
        bis record --cpu host,-avx512 -- ./solver
        bis record --chaos -- ./threads

      The third replays on CPUs without AVX-512, too; the last makes races between
      threads show. Everything after PROGRAM belongs to it.
      """)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Where the recording goes: a directory that does not exist yet, or is empty.", valueName: "DIR"),
    completion: .directory)
  var output: String?

  @Option(
    help: ArgumentHelp(
      "The CPU that the program sees: host, x86-64-v3, host,-avx512, ... ('bis cpu list').", valueName: "SPEC"))
  var cpu = "host"

  @Option(
    name: .customLong("env"),
    help: ArgumentHelp("Set a variable in the program's environment; may be repeated.", valueName: "K=V"))
  var environment: [String] = []

  @Option(
    help: ArgumentHelp(
      "Keep a checksum of all registers and memory after every N-th event (--checksum alone: every one), for replay to compare.",
      valueName: "N"))
  var checksum = 0

  @Flag(help: "Leave address-space randomisation on.")
  var aslr = false

  @Flag(help: "Let threads take turns at random, to find races that are rare otherwise.")
  var chaos = false

  @Option(
    help: ArgumentHelp(
      "Chaos mode with the decisions of another recording: the seed that it has printed.", valueName: "N"))
  var chaosSeed: UInt64?

  @Flag(name: .shortAndLong, help: "Wait for all processes that the program started, not only for the program.")
  var wait = false

  @Argument(
    parsing: .captureForPassthrough, help: ArgumentHelp("The program and its arguments.", valueName: "PROGRAM"),
    completion: .shellCommand("compgen -c"))
  var program: [String] = []

  func run() throws { try Self.run(try options()) }

  /// Records and ends with the program's status.
  static func run(_ options: RecordOptions) throws -> Never {
    let (outcome, trace) = try recorded(options)
    // (A shell says so only of what it started itself: that is bis. It is silent about these two.)
    if case .signaled(let signal) = outcome, ![SIGINT, SIGPIPE].contains(signal) {
      complain("the program died of \(Syscalls.signalName(Int(signal))): \(String(cString: strsignal(signal)))")
    }
    complain("trace: \(trace)")
    switch outcome {
    case .exited(let status): throw ExitCode(status)
    case .signaled(let signal): throw ExitCode(128 + signal)
    }
  }

  private static func recorded(_ options: RecordOptions) throws(Failure) -> (RecordOutcome, String) {
    do {
      let (outcome, trace) = try record(options)
      return (outcome, absolute(trace))
    } catch {
      throw Failure(error.message, hint: error.hint)
    }
  }

  /// What `record [-o DIR] [--] PROGRAM [ARG...]` means; nil for everything else. The parser makes the same of it, and takes
  /// longer for that than bis takes to start the program.
  /// - Parameter arguments: of bis, without its name.
  static func plainOptions(_ arguments: [String]) -> RecordOptions? {
    var rest = arguments[...]
    guard rest.popFirst() == "record" else { return nil }
    var options = RecordOptions()
    if rest.first == "-o" {
      guard rest.count > 1, let directory = rest.dropFirst().first, !directory.hasPrefix("-") else { return nil }
      options.output = directory
      rest = rest.dropFirst(2)
    }
    if rest.first == "--" {
      rest = rest.dropFirst()
    } else if rest.first?.hasPrefix("-") == true {
      return nil
    }
    options.program = Array(rest)
    return rest.isEmpty ? nil : options
  }

  private func options() throws -> RecordOptions {
    var options = RecordOptions()
    options.program = try words()
    options.output = output
    _ = try profile(cpu)
    options.cpu = cpu
    options.environment = try environment.map(variable)
    guard checksum >= 0 else { throw Failure.usage("--checksum=\(checksum): a number of events is not negative") }
    options.checksumEvery = checksum
    options.keepASLR = aslr
    options.waitForAll = wait
    if let seed = chaosSeed ?? (chaos ? anyChaosSeed() : nil) {
      complain("chaos seed: \(seed)")
      options.chaosSeed = seed
    }
    return options
  }

  /// PROGRAM and ARGs. The parser passes everything on from the first thing that it does not know.
  private func words() throws -> [String] {
    if program.first == "--" { return try nonEmpty(Array(program.dropFirst())) }
    if let first = program.first, first == "--help" || first == "-h" { throw CleanExit.helpRequest(self) }
    if let first = program.first, first.hasPrefix("-") {
      throw Failure.usage(
        "bis record has no option \(first)",
        hint: "'bis record --help' lists them; a program whose name begins with '-' goes after '--'")
    }
    return try nonEmpty(program)
  }

  private func nonEmpty(_ words: [String]) throws -> [String] {
    guard !words.isEmpty else { throw Failure.usage("record what?", hint: "bis record -- PROGRAM [ARG...]") }
    return words
  }

  private func variable(_ text: String) throws -> (String, String) {
    guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
      throw Failure.usage("--env \(text): not of the form NAME=VALUE")
    }
    return (String(text[..<equals]), String(text[text.index(after: equals)...]))
  }

  /// `--checksum` without a number behind it means 1: the parser knows no options with optional values.
  /// - Parameter arguments: of bis, without its name. What belongs to the program stays as it is.
  static func withChecksumValue(_ arguments: [String]) -> [String] {
    guard arguments.first == "record" else { return arguments }
    var changed = arguments
    var index = 1
    while index < changed.count, changed[index].hasPrefix("-"), changed[index] != "--" {
      if changed[index] == "--checksum" {
        let next = index + 1 < changed.count ? changed[index + 1] : ""
        let isNumber = !next.isEmpty && next.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        changed[index] = "--checksum=\(isNumber ? next : "1")"
        if isNumber { changed.remove(at: index + 1) }
      }
      index += ["-o", "--output", "--cpu", "--env", "--chaos-seed"].contains(changed[index]) ? 2 : 1
    }
    return changed
  }
}

private func absolute(_ path: String) -> String {
  guard let resolved = realpath(path, nil) else { return path }
  defer { free(resolved) }
  return String(cString: resolved)
}
