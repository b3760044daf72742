import ArgumentParser
import CPUModel
import Guest
import Linux
import Trace

/// `bis cpu`
struct CPUCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cpu",
    abstract: "CPUs as recorded programs see them.",
    discussion: """
      A recording holds its CPU: CPUID, XCR0, the XSAVE layout. 'bis cpu' shows
      this machine's as programs see it under bis. SPEC is a base (host, x86-64-v1
      ... x86-64-v4, haswell, zen4, ...) with changes:

        bis cpu show host,-avx512,-rdrand
        bis cpu show x86-64-v2,+avx
        bis cpu show xcr0=0x7
      """,
    subcommands: [This.self, Profiles.self, Show.self, Check.self],
    defaultSubcommand: This.self)

  /// `bis cpu`
  struct This: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "this", abstract: "This machine's CPU as programs see it (default).")

    func run() throws {
      let host = Region.hostProfile()
      print(host.summary)
      print("hidden from programs (* this machine has it)")
      print(CPUProfile.hiddenListing(present: { Machine.has($0) }), terminator: "")
    }
  }

  /// `bis cpu list`
  struct Profiles: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "The CPUs and levels there are, and which this machine can be.")

    func run() throws {
      let host = Region.hostProfile()
      let rows = CPUSpec.names.map { name in
        do throws(CPUSpec.Failure) {
          let profile = try CPUSpec(name).profile(host: host)
          return [name, "XCR0 \(hexadecimal(profile.xcr0))", "\(profile.features.count) features"]
        } catch {
          return [name, "-", "\(error)"]
        }
      }
      print(table(rows), terminator: "")
    }
  }

  /// `bis cpu show`
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Everything of one CPU: features, XCR0, XSAVE layout, CPUID.")

    @Argument(help: ArgumentHelp("The CPU.", valueName: "SPEC")) var spec = "host"

    func run() throws { print(try profile(spec).listing, terminator: "") }
  }

  /// `bis cpu check`
  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Whether a recording replays on this machine's CPU.")

    @OptionGroup var trace: TraceArgument

    func run() throws {
      let (directory, manifest) = try trace.read()
      let recorded: CPUProfile
      do throws(CPUProfileTextError) { recorded = try CPUProfile(text: manifest.recording.cpuProfile) } catch {
        throw Failure(
          "\(directory.path): its CPU profile is damaged: \(error)", hint: "copy the recording again from where it came"
        )
      }
      let differences = recorded.differences(from: Region.hostProfile())
      print("\(directory.name) \(differences)")
      if differences.replaysHere { print("engine: translate") } else { throw ExitCode(1) }
    }
  }
}

/// The profile that a SPEC means here; wrong usage when it means none.
func profile(_ text: String) throws(Failure) -> CPUProfile {
  do throws(CPUSpec.Failure) { return try CPUSpec(text).profile(host: Region.hostProfile()) } catch {
    throw Failure.usage("--cpu \(text): \(error)", hint: "'bis cpu list' shows what this machine can be")
  }
}

extension Machine {
  /// Whether CPUID of this machine itself shows a feature.
  static func has(_ feature: CPUFeature) -> Bool {
    let highest = cpuid(feature.leaf & 0x8000_0000).eax
    guard feature.leaf <= highest else { return false }
    let result = cpuid(feature.leaf, feature.subleaf)
    let word =
      switch feature.register {
      case .eax: result.eax
      case .ebx: result.ebx
      case .ecx: result.ecx
      case .edx: result.edx
      }
    return word >> UInt32(feature.bit) & 1 != 0
  }
}
