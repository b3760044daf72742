import ArgumentParser
import CPUModel
import Guest
import Linux

/// `bis doctor`
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Show what this machine offers and what bis will use.",
    discussion: "Exit status 1 when recording cannot work here; the lines marked 'NO' say why and what to do.")

  func run() throws {
    let host = Region.hostProfile()
    let findings = Probes.all()
    print(
      table([["", "CPU", host.summary.split(separator: "\n").first.map(String.init) ?? "?"]] + findings.map(\.row)),
      terminator: "")
    let blocking = findings.filter { $0.verdict == .missing }
    print("\nbis records and replays with its translator: counting in software, CPU readings from the recording.")
    print("Hardware counters, CPUID faulting, /dev/kvm and debug registers are not needed" + " in this version.")
    guard blocking.isEmpty else {
      complain("recording cannot work here: \(blocking.map(\.name).joined(separator: ", "))")
      for finding in blocking { complain("\(finding.name): \(finding.text)") }
      throw ExitCode(1)
    }
  }
}

/// What a look at one thing gave.
struct Finding {
  enum Verdict: String { case fine = "ok", missing = "NO", absent = "-" }

  let verdict: Verdict
  let name: String
  let text: String

  var row: [String] { [verdict.rawValue, name, text] }

  /// There and working, or needed and not there.
  static func needed(_ name: String, _ works: Bool, _ text: String, otherwise: String) -> Finding {
    Finding(verdict: works ? .fine : .missing, name: name, text: works ? text : otherwise)
  }

  /// There or not; bis works either way.
  static func optional(_ name: String, _ there: Bool, _ text: String) -> Finding {
    Finding(verdict: there ? .fine : .absent, name: name, text: text)
  }
}
