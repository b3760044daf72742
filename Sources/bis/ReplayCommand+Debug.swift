// `bis replay` without -a: the debugger.
import Glibc
import Linux
import Replay
import Trace

extension ReplayCommand {
  /// Lets gdb, or a client, look at the replay. Returns gdb's exit status.
  func debug(_ directory: TraceDirectory) throws -> Int32 {
    guard !all else { throw Failure.usage("--all goes with -a: the debugger looks at one process, -p chooses it") }
    let program = port == nil ? try findGDB() : ""
    let options = try debugOptions(directory)
    let session = try DebugSession(options)
    if let port {
      try session.listen(host: host, port: port)
      return 0
    }
    return try session.runGDB(path: program, arguments: debuggerArguments, interpreter: interpreter)
  }

  private func findGDB() throws -> String {
    do throws(ExecutableError) { return try resolveExecutable(gdb) } catch {
      throw Failure(
        "cannot start gdb: \(error)",
        hint: "install it (Debian, Ubuntu: apt install gdb), or serve another debugger: bis replay --port N")
    }
  }

  private func debugOptions(_ directory: TraceDirectory) throws -> DebugOptions {
    let manifest = try Manifest.read(directory)
    let tape = try chosenTape(manifest)
    guard (checkpointMemory ?? 1) >= 0 else { throw Failure.usage("--checkpoint-memory is not negative") }
    let quarter = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) / 4
    var options = DebugOptions(
      trace: directory, manifest: manifest, tape: tape,
      memory: checkpointMemory.map { $0.multipliedReportingOverflow(by: 1_000_000) }.map {
        $0.overflow ? .max : $0.partialValue
      }
        ?? quarter)
    options.replay.trace = directory.path
    options.replay.process = String(tape.pid)
    options.replay.quiet = interpreter != nil
    options.place = try goto.map { try place($0, directory, tape, manifest) }
    options.policy = try policy()
    return options
  }

  /// The tape of the process that -p names. Of several, one for each program that the process became, the last: what was
  /// meant when a script starts it.
  private func chosenTape(_ manifest: Manifest) throws -> Manifest.TapeInfo {
    let named = try manifest.tapes(of: process)
    guard let first = named.first else { throw Failure("the recording holds no process") }
    if let tape {
      guard let found = manifest.tape(tape), process == nil || found.pid == first.pid else {
        let whose = process.map { " of process \($0)" } ?? ""
        throw Failure("there is no tape \(tape)\(whose)", hint: "'bis ps' lists the processes")
      }
      return found
    }
    if onfork { return manifest.tapes.first { $0.pid == first.pid } ?? first }
    let programs = manifest.tapes.filter { $0.pid == first.pid && $0.origin == .exec }
    guard let last = named.last(where: { $0.pid == first.pid && $0.origin == .exec }) ?? programs.last else {
      return first
    }
    if programs.count > 1 { tellChoice(last, of: programs) }
    return last
  }

  private func tellChoice(_ tape: Manifest.TapeInfo, of all: [Manifest.TapeInfo]) {
    let others = all.filter { $0.number != tape.number }.map { "--tape \($0.number): \($0.programName)" }
    complain(
      "process \(tape.pid) became \(all.count) programs; this is \(tape.programName), tape \(tape.number) "
        + "(\(others.joined(separator: ", ")): 'seek TAPE:start', or backwards)")
  }

  private func place(_ text: String, _ directory: TraceDirectory, _ tape: Manifest.TapeInfo, _ manifest: Manifest)
    throws
    -> HistoryPlace
  {
    if let place = HistoryPlace(text) { return place }
    let tapes = Set(manifest.programs(with: tape).map(\.number))
    let bookmarks = try directory.bookmarks().filter { $0.name == text && tapes.contains($0.tape) }
    let bookmark = bookmarks.first { $0.tape == tape.number } ?? bookmarks.first
    if let bookmark, let place = Place(bookmark.position) { return HistoryPlace(tape: bookmark.tape, place) }
    throw Failure.usage(
      "--goto \(text): no position and no bookmark", hint: "[TAPE:]EVENT, EVENT+TICKS, N%, start, end, a bookmark")
  }

  private func policy() throws -> DiversionPolicy {
    var policy = DiversionPolicy()
    for word in diversionPolicy?.split(separator: ",") ?? [] {
      guard ["files", "signals", "sockets", "all"].contains(word) else {
        throw Failure.usage("--diversion-policy \(word): files, signals, sockets or all")
      }
      if word == "files" || word == "all" { policy.mayWriteFiles = true }
      if word == "signals" || word == "all" { policy.maySignal = true }
      if word == "sockets" || word == "all" { policy.mayOpenSockets = true }
    }
    return policy
  }
}
