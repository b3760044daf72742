// Files as the program had them: what it mapped is in the trace. Nothing of this machine is served.

import Linux
public import RSP
import Tape
import Trace

extension ReplayTarget: FileAccess {
  public func openFile(_ path: String, process: Int?) throws(TargetError) -> any TargetFile {
    if let text = processFile(path) { return TextFile(text) }
    guard let file = storedFile(path) else { throw TargetError(code: 2, "\(path) is not in the recording") }
    guard !file.storedName.contains("/"), !file.storedName.hasPrefix(".") else { throw TargetError(code: 13) }
    do throws(Errno) {
      return try StoredFile("\(options.trace.filesPath)/\(file.storedName)")
    } catch {
      throw TargetError(code: UInt8(truncatingIfNeeded: error.code), "\(path): \(error)")
    }
  }

  public func readLink(_ path: String, process: Int?) throws(TargetError) -> String {
    switch path {
    case "/proc/\(pid)/exe": return options.tape.executable
    case "/proc/\(pid)/cwd": return options.manifest.recording.workingDirectory
    default: throw storedFile(path) == nil ? TargetError(code: 2) : .invalid
    }
  }

  /// What `info proc` reads.
  private func processFile(_ path: String) -> [UInt8]? {
    guard path == "/proc/\(pid)/cmdline" else { return nil }
    return options.tape.arguments.flatMap { Array($0.utf8) + [0] }
  }

  /// The copy of a file. Paths that the linker uses may go through symbolic links, and the recording has real paths.
  private func storedFile(_ path: String) -> Manifest.FileInfo? {
    let files = options.manifest.files
    let startFiles = startFiles
    func first(where isMatch: (Manifest.FileInfo) -> Bool) -> Manifest.FileInfo? {
      let found = files.filter(isMatch)
      return found.first { startFiles.contains($0.number) } ?? found.first
    }
    if let exact = first(where: { $0.path == path }) { return exact }
    let merged = ["/lib/", "/lib64/", "/bin/", "/sbin/"].contains { path.hasPrefix($0) }
    if merged, let found = first(where: { $0.path == "/usr" + path }) { return found }
    guard path.hasPrefix("/"), let name = path.split(separator: "/").last else { return nil }
    let named = files.filter { $0.path.hasSuffix("/" + name) }
    return Set(named.map(\.path)).count == 1 ? named.first : nil
  }

  /// What was mapped when the program began: of several files with one path the right ones.
  private var startFiles: Set<UInt64> {
    if let knownStartFiles { return knownStartFiles }
    var numbers: Set<UInt64> = []
    for effect in firstEvent()?.effects ?? [] {
      if case .map(let mapping) = effect, let file = mapping.file { numbers.insert(file) }
    }
    knownStartFiles = numbers
    return numbers
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
