// Manifest values to lines and back.

extension Manifest.Recording {
  var line: ManifestLine {
    var line = ManifestLine("recording")
    line.add("bis", bisVersion)
    line.add("machine", machine)
    line.add("kernel", kernel)
    line.add("start", startNanoseconds)
    line.add("tsc", startTSC)
    line.add("tsc_hz", tscFrequency)
    line.add("cwd", workingDirectory)
    for argument in arguments { line.add("arg", argument) }
    for (name, value) in options.sorted(by: { $0.key < $1.key }) { line.add("option." + name, value) }
    line.add("cpu", cpuProfile)
    return line
  }

  init?(_ line: ManifestLine) {
    guard let start: Int64 = line.number("start"), let tsc: UInt64 = line.number("tsc"),
      let frequency: UInt64 = line.number("tsc_hz")
    else { return nil }
    bisVersion = line.value("bis") ?? ""
    machine = line.value("machine") ?? ""
    kernel = line.value("kernel") ?? ""
    startNanoseconds = start
    startTSC = tsc
    tscFrequency = frequency
    workingDirectory = line.value("cwd") ?? ""
    arguments = line.values("arg")
    cpuProfile = line.value("cpu") ?? ""
    for (key, value) in line.fields where key.hasPrefix("option.") { options[String(key.dropFirst(7))] = value }
  }
}

extension Manifest.TapeInfo {
  var line: ManifestLine {
    var line = ManifestLine("tape")
    line.add("number", number)
    line.add("pid", pid)
    line.add("how", origin.rawValue)
    if let parent { line.add("parent", parent) }
    if let parentEvent { line.add("parent_event", parentEvent) }
    line.add("executable", executable)
    for argument in arguments { line.add("arg", argument) }
    return line
  }

  init?(_ line: ManifestLine) {
    guard let number: UInt64 = line.number("number"), let pid: Int32 = line.number("pid"),
      let origin = line.value("how").flatMap(Origin.init), let executable = line.value("executable")
    else { return nil }
    self.init(
      number: number, pid: pid, origin: origin, parent: line.number("parent"),
      parentEvent: line.number("parent_event"), executable: executable, arguments: line.values("arg"))
  }
}

extension Manifest.Outcome {
  func add(to line: inout ManifestLine) {
    switch self {
    case .exited(let status): line.add("exited", status)
    case .signalled(let signal): line.add("signalled", signal)
    case .exec(let tape): line.add("exec", tape)
    case .lost: line.add("lost", 1)
    }
  }

  init?(_ line: ManifestLine) {
    if let status: Int32 = line.number("exited") {
      self = .exited(status)
    } else if let signal: Int32 = line.number("signalled") {
      self = .signalled(signal)
    } else if let tape: UInt64 = line.number("exec") {
      self = .exec(tape: tape)
    } else if line.value("lost") != nil {
      self = .lost
    } else {
      return nil
    }
  }
}

extension Manifest.TapeEnd {
  func line(tape: UInt64) -> ManifestLine {
    var line = ManifestLine("end")
    line.add("tape", tape)
    outcome.add(to: &line)
    line.add("events", eventCount)
    line.add("bytes", byteCount)
    return line
  }

  init?(_ line: ManifestLine) {
    guard let outcome = Manifest.Outcome(line), let events: UInt64 = line.number("events"),
      let bytes: UInt64 = line.number("bytes")
    else { return nil }
    self.init(outcome: outcome, eventCount: events, byteCount: bytes)
  }
}

extension Manifest.FileInfo {
  var line: ManifestLine {
    var line = ManifestLine("file")
    line.add("number", number)
    line.add("size", identity.size)
    line.add("dev", identity.device)
    line.add("ino", identity.inode)
    line.add("mtime", identity.modified)
    line.add("ctime", identity.changed)
    line.add("stored", storedName)
    line.add("path", path)
    return line
  }

  init?(_ line: ManifestLine) {
    guard let number: UInt64 = line.number("number"), let size: UInt64 = line.number("size"),
      let device: UInt64 = line.number("dev"), let inode: UInt64 = line.number("ino"),
      let modified: Int64 = line.number("mtime"), let changed: Int64 = line.number("ctime"),
      let path = line.value("path"), let stored = line.value("stored"), Self.isSafe(stored)
    else { return nil }
    let identity = FileIdentity(device: device, inode: inode, size: size, modified: modified, changed: changed)
    self.init(number: number, path: path, identity: identity, storedName: stored)
  }

  /// Whether a stored name stays in its directory: traces come from strangers.
  static func isSafe(_ name: String) -> Bool {
    guard let first = name.utf8.first, (48...57).contains(first), name.utf8.count <= 200 else { return false }
    return fileName(name, limit: 256) == name
  }
}

extension Manifest {
  /// Reads a manifest's bytes. A last line that is torn (has no newline) is ignored; unknown types of lines are, too.
  /// - Returns: the manifest, and the bytes up to the end of the last good line.
  static func decode(_ bytes: [UInt8], path: String) throws(TraceError) -> (manifest: Manifest?, length: Int) {
    let first = Array(TraceDirectory.firstLine.utf8)
    guard bytes.starts(with: first) else { throw .notATrace(path: path) }
    var builder = Builder()
    var start = first.count
    var number = 2
    while start < bytes.count {
      guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) else { break }
      guard let line = ManifestLine(decoding: bytes[start..<end]) else {
        throw .manifest(path: path, line: number, reason: "wrong checksum")
      }
      if let reason = builder.add(line) { throw .manifest(path: path, line: number, reason: reason) }
      start = end + 1
      number += 1
    }
    return (builder.manifest, start)
  }

  /// Puts lines together.
  private struct Builder {
    var manifest: Manifest?
    var tapeIndex: [UInt64: Int] = [:]
    var fileNumbers: Set<UInt64> = []

    /// Takes a line; returns what is wrong with it.
    mutating func add(_ line: ManifestLine) -> String? {
      if line.type == "recording" {
        guard manifest == nil, let recording = Recording(line) else { return "bad or second recording line" }
        manifest = Manifest(recording: recording)
        return nil
      }
      guard manifest != nil else { return "the recording line is missing" }
      switch line.type {
      case "tape":
        guard let tape = TapeInfo(line), tapeIndex[tape.number] == nil else { return "bad tape line" }
        tapeIndex[tape.number] = manifest?.tapes.count
        manifest?.tapes.append(tape)
      case "end":
        guard let end = TapeEnd(line), let number: UInt64 = line.number("tape"), let index = tapeIndex[number] else {
          return "bad end line"
        }
        manifest?.tapes[index].end = end
      case "file":
        guard let file = FileInfo(line), fileNumbers.insert(file.number).inserted else { return "bad file line" }
        manifest?.files.append(file)
      case "clock":
        guard let frequency: UInt64 = line.number("tsc_hz") else { return "bad clock line" }
        manifest?.recording.tscFrequency = frequency
      case "counters":
        for (name, value) in line.fields { manifest?.counters[name] = UInt64(value) }
      case "finished":
        guard let outcome = Outcome(line) else { return "bad finished line" }
        manifest?.outcome = outcome
      default: break
      }
      return nil
    }
  }
}
