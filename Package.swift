// swift-tools-version: 6.2
import PackageDescription

// Targets, bottom layer first. ARCHITECTURE.md says what each is for; ./check enforces who may import whom.

let swift: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]
/// Hot code is slow unoptimised (35 times): optimise it in debug builds, too.
let hot: [SwiftSetting] = swift + [.unsafeFlags(["-O"], .when(configuration: .debug))]

/// At a fixed address, and with no name for others to find: the 42,000 addresses in the Swift libraries' tables are right from the
/// start, which saves a tenth of bis's start-up.
let quickStart: [LinkerSetting] = [
  .unsafeFlags(["-Xclang-linker", "-no-pie", "-Xlinker", "--no-export-dynamic"], .when(platforms: [.linux]))
]

let package = Package(
  name: "bis",
  products: [.executable(name: "bis", targets: ["bis"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    // C: names Swift cannot import, the binary contract, the code that runs inside recorded processes.
    .target(name: "CABI"),
    .target(name: "CLinux"),
    .systemLibrary(name: "CZydis"),
    .systemLibrary(name: "CZstd"),
    .target(
      name: "BisRuntime", dependencies: ["CABI"], path: "Sources/Runtime",
      cSettings: [
        .unsafeFlags([
          "-O2", "-mgeneral-regs-only", "-fPIC", "-ffreestanding", "-fno-stack-protector", "-fno-jump-tables",
          "-fno-builtin", "-fvisibility=hidden", "-fomit-frame-pointer", "-fno-asynchronous-unwind-tables",
          "-fno-sanitize=all", "-mno-red-zone",
        ])
      ]),

    // Pure: no I/O, no libc.
    .target(name: "X86", dependencies: ["CZydis"], swiftSettings: hot),
    .target(name: "CPUModel", dependencies: ["CABI"], swiftSettings: swift),
    .target(name: "Syscalls", dependencies: ["CABI"], swiftSettings: swift),
    .target(name: "Tape", dependencies: ["CABI", "CZstd"], swiftSettings: hot),

    // The kernel, and what stands on it.
    .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: swift),
    .target(name: "Translate", dependencies: ["X86", "CABI"], swiftSettings: hot),
    .target(name: "Trace", dependencies: ["Tape", "CPUModel", "Linux"], swiftSettings: swift),
    .target(
      name: "Guest",
      dependencies: ["Linux", "Translate", "BisRuntime", "CABI", "Syscalls", "CPUModel", "Tape", "Trace", "X86"],
      swiftSettings: hot),

    // gdb's remote protocol (pure).
    .target(name: "RSP", swiftSettings: hot),

    .target(
      name: "Record",
      dependencies: ["Guest", "Tape", "Trace", "CABI", "CPUModel", "Linux", "Syscalls", "Translate", "BisRuntime"],
      swiftSettings: swift),
    .target(
      name: "Replay",
      dependencies: ["Guest", "Tape", "Trace", "CABI", "CPUModel", "Linux", "Syscalls", "Translate", "BisRuntime"],
      swiftSettings: swift),

    .target(
      name: "Debug", dependencies: ["RSP", "Replay", "Guest", "Trace", "Tape", "CPUModel", "Linux"],
      swiftSettings: swift),

    // What people run.
    .executableTarget(
      name: "bis",
      dependencies: [
        "Record", "Replay", "Debug", "RSP", "Guest", "Trace", "Tape", "CPUModel", "Syscalls", "Linux", "CLinux",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: swift, linkerSettings: quickStart),
    .executableTarget(name: "bis-tables", swiftSettings: swift),
    .executableTarget(name: "bis-fuzz-tape", dependencies: ["Tape", "Trace"], path: "Fuzz", swiftSettings: swift),

    .executableTarget(
      name: "bis-walk", dependencies: ["Replay", "Guest"], path: "Tests/EngineWalk", exclude: ["run"],
      swiftSettings: swift),

    // Tests. What needs tracees runs in Tests/Conformance and Tests/TranslateHarness, in processes of their own.
    .testTarget(name: "CPUModelTests", dependencies: ["CPUModel", "CABI"], swiftSettings: swift),
    .testTarget(name: "SyscallsTests", dependencies: ["Syscalls", "bis-tables", "CABI"], swiftSettings: swift),
    .testTarget(name: "TapeTests", dependencies: ["Tape", "CABI"], swiftSettings: swift),
    .testTarget(name: "LinuxTests", dependencies: ["Linux"], swiftSettings: swift),
    .testTarget(name: "RSPTests", dependencies: ["RSP"], swiftSettings: swift),
    .testTarget(name: "ReplayTests", dependencies: ["Replay", "Guest"], swiftSettings: swift),
    .testTarget(name: "TraceTests", dependencies: ["Trace", "Tape", "CABI"], swiftSettings: swift),
  ]
)
