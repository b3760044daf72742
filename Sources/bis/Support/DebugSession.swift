// A replay and a debugger that looks at it.
import CPUModel
import Debug
import Glibc
import Guest
import Linux
import RSP
import Replay
import Tape
import Trace

/// How to debug.
struct DebugOptions {
  var replay = ReplayOptions()
  var trace: TraceDirectory
  var manifest: Manifest
  var tape: Manifest.TapeInfo
  /// Where to begin.
  var place: HistoryPlace?
  /// Bytes for checkpoints.
  var memory: Int
  var policy = DiversionPolicy()
}

/// The target, ready to be served.
struct DebugSession {
  let target: ReplayTarget
  let trace: TraceDirectory

  init(_ options: DebugOptions) throws {
    trace = options.trace
    let profile: CPUProfile
    do throws(CPUProfileTextError) { profile = try CPUProfile(text: options.manifest.recording.cpuProfile) } catch {
      throw Failure("the trace's CPU profile is damaged: \(error)")
    }
    let open = { (tape: Manifest.TapeInfo) throws(GuestError) in
      try ProcessHistory(
        options.replay, trace: options.trace, manifest: options.manifest, tape: tape, memoryBudget: options.memory,
        open: openEngine)
    }
    let history: ProcessHistory
    do throws(GuestError) { history = try open(options.tape) } catch {
      guard case .replay(let message, let hint, let divergence) = error else { throw Failure("\(error)") }
      throw Failure(divergence.map { "\(message)\n\($0)" } ?? message, hint: hint)
    }
    let progress = ProgressLine()
    history.onProgress = { progress.show($0) }
    if let place = options.place {
      do { _ = try history.seek(to: place) { false } } catch let error as PlaceError {
        throw Failure("--goto \(place): \(error)", hint: "'bis events' shows the events and their numbers")
      }
    }
    progress.end()
    let describer = EventDescriber(manifest: options.manifest)
    var targetOptions = ReplayTargetOptions(
      trace: options.trace, manifest: options.manifest, profile: profile,
      describe: { describer.line($0, of: $1) }, open: open)
    targetOptions.policy = options.policy
    target = ReplayTarget(history, targetOptions)
    target.onFailure = { complain($0) }
  }

  // MARK: A gdb of ours

  /// Runs gdb on the replay until it ends; returns its exit status.
  func runGDB(path: String, arguments: [String], interpreter: String?) throws -> Int32 {
    let directory = try system("make a temporary directory") { () throws(Errno) in try TemporaryDirectory() }
    let socket = "\(directory.path)/gdb"
    let listener = try system("make a socket") { () throws(Errno) in try Listener.unix(path: socket) }
    let (plain, python) = try system("write gdb's commands") { () throws(Errno) in
      (
        try directory.write("bis.gdb", GDBScripts.plain),
        try directory.write("bis.py", GDBScripts.python(socket: socket))
      )
    }
    var words = ["gdb", "-q"]
    if let interpreter { words.append("--interpreter=\(interpreter)") }
    let sysroot = Sysroot(in: directory.path, trace, target.traceFiles)
    // Programs that were replaced while it was recorded: each gets its own.
    let target = target
    if target.hasReplacedFiles { target.onProgram = { sysroot.update(target.traceFiles) } }
    words += ["-x", plain, "-x", python]
    for command in ["set sysroot \(sysroot.path)", "set solib-search-path \(sysroot.namesPath)"] {
      words += ["-ex", command]
    }
    words += ["-ex", "target remote \(socket)"] + arguments
    // Ctrl-C is for gdb, which tells us.
    signal(SIGINT, SIG_IGN)
    signal(SIGQUIT, SIG_IGN)
    let child = try system("start \(path)") { () throws(Errno) in try Child.start(path: path, arguments: words) }
    while true {
      if let status = child.poll() { return status }
      if let connection = try accepted(listener, timeoutMilliseconds: 50) { look(connection) }
    }
  }

  private func look(_ connection: SocketConnection) {
    target.clientCame()
    serve(connection, target)
    target.clientLeft()
  }

  /// Serves one client; again when it leaves to look at another process.
  func listen(host: String, port: UInt16) throws {
    let listener: Listener
    do throws(Errno) { listener = try Listener.tcp(host: host, port: port) } catch {
      throw Failure("cannot listen on \(host), port \(port): \(error)", hint: "--port 0 takes any that is free")
    }
    complain("serving gdb's remote protocol: target remote \(host):\(listener.port)")
    repeat {
      if let connection = try accepted(listener, timeoutMilliseconds: nil) { look(connection) }
    } while target.expectsClient
  }
}

private func accepted(_ listener: borrowing Listener, timeoutMilliseconds: Int?) throws -> SocketConnection? {
  do throws(Errno) {
    guard let descriptor = try listener.accept(timeoutMilliseconds: timeoutMilliseconds) else { return nil }
    return SocketConnection(descriptor)
  } catch { throw Failure("cannot wait for a debugger: \(error)") }
}

/// `  42%` on a terminal, once something takes longer than a moment.
private final class ProgressLine {
  private var began: UInt64 = 0
  private var last: UInt64 = 0
  private var isShown = false

  func show(_ share: Double) {
    guard isatty(2) == 1 else { return }
    let now = monotonicNanoseconds()
    if now &- last > 2_000_000_000 { began = now }  // another run
    last = now
    guard now &- began > 1_000_000_000 else { return }
    isShown = share < 1
    writeError("\r\(Int(share * 100))%  \(isShown ? "" : "\r     \r")")
  }

  func end() {
    if isShown { writeError("\r     \r") }
    isShown = false
  }
}

private func system<T: ~Copyable>(_ what: String, _ body: () throws(Errno) -> T) throws(Failure) -> T {
  do throws(Errno) { return try body() } catch { throw Failure("cannot \(what): \(error)") }
}
