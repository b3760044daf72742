// Files as the program had them: what it mapped is in the trace. Nothing of this machine is served.

import Linux
public import RSP
import Replay
import Tape
import Trace

extension ReplayTarget: FileAccess {
  public func openFile(_ path: String, process: Int?) throws(TargetError) -> any TargetFile {
    if let text = processFile(path) { return TextFile(text) }
    guard let file = storedFile(path) else { throw TargetError(code: 2, "\(path) is not in the recording") }
    do throws(Errno) {
      return try StoredFile("\(options.trace.filesPath)/\(file.storedName)")
    } catch {
      throw TargetError(code: UInt8(truncatingIfNeeded: error.code), "\(path): \(error)")
    }
  }

  public func readLink(_ path: String, process: Int?) throws(TargetError) -> String {
    switch path {
    case "/proc/\(pid)/exe": return tape.executable
    case "/proc/\(pid)/cwd": return options.manifest.recording.workingDirectory
    default: throw storedFile(path) == nil ? TargetError(code: 2) : .invalid
    }
  }

  /// What `info proc` and `gcore` read.
  private func processFile(_ path: String) -> [UInt8]? {
    switch path {
    case "/proc/\(pid)/cmdline": tape.arguments.flatMap { Array($0.utf8) + [0] }
    case "/proc/\(pid)/maps": (try? engine.mappings()).map { Array($0.map(Self.line).joined().utf8) }
    default: nil
    }
  }

  /// A line of `/proc/PID/maps`. Device and inode are not known; a file has one that is not 0.
  private static func line(_ mapping: EngineMapping) -> String {
    func hexadecimal(_ number: UInt64) -> String {
      let digits = String(number, radix: 16)
      return String(repeating: "0", count: max(8 - digits.count, 0)) + digits
    }
    let rights =
      (mapping.isReadable ? "r" : "-") + (mapping.isWritable ? "w" : "-") + (mapping.isExecutable ? "x" : "-") + "p"
    let isFile = mapping.path.hasPrefix("/")
    return "\(hexadecimal(mapping.low))-\(hexadecimal(mapping.high)) \(rights) \(hexadecimal(mapping.offset)) 00:00 "
      + (isFile ? "1" : "0") + (mapping.path.isEmpty ? "\n" : " \(mapping.path)\n")
  }

  private func storedFile(_ path: String) -> Manifest.FileInfo? { traceFiles.file(path) }

  /// Whether the recording has two files of the same path.
  public var hasReplacedFiles: Bool {
    Set(options.manifest.files.map(\.path)).count < options.manifest.files.count
  }

  /// The files of this process.
  public var traceFiles: TraceFiles {
    if let known = knownFiles[tape.number] { return known }
    var numbers: Set<UInt64> = []
    for effect in firstEvent()?.effects ?? [] {
      if case .map(let mapping) = effect, let file = mapping.file { numbers.insert(file) }
    }
    let files = TraceFiles(options.trace, options.manifest, startFiles: numbers)
    knownFiles[tape.number] = files
    return files
  }
}

/// A file of the trace.
private final class StoredFile: TargetFile {
  private let descriptor: Descriptor
  let size: UInt64

  init(_ path: String) throws(Errno) {
    descriptor = try Descriptor.open(path, flags: 0o400000)  // O_RDONLY | O_NOFOLLOW
    let status = try descriptor.stat()
    guard status.isRegular else { throw .invalid }
    size = UInt64(status.size)
  }

  var mode: UInt32 { 0o100555 }

  func read(at offset: UInt64, count: Int) throws(TargetError) -> [UInt8] {
    guard offset < size else { return [] }
    do throws(Errno) {
      return try descriptor.pread(count: min(count, Int(clamping: size - offset)), offset: offset)
    } catch {
      throw TargetError(code: UInt8(truncatingIfNeeded: error.code))
    }
  }
}

/// A file that is made up.
private final class TextFile: TargetFile {
  private let bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }
  var size: UInt64 { UInt64(bytes.count) }
  func read(at offset: UInt64, count: Int) throws(TargetError) -> [UInt8] {
    guard let start = Int(exactly: offset), start < bytes.count else { return [] }
    return Array(bytes[start...].prefix(max(count, 0)))
  }
}
