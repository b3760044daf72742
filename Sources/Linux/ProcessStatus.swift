import Glibc

/// The words of a field of /proc/PID/status; none: no such process or field. proc_pid_status(5)
///
/// - Parameter id: of a process or of a thread.
public func statusWords(_ id: Int32, _ field: String) -> [Substring] {
  let text = String(decoding: (try? readFile("/proc/\(id)/status")) ?? [], as: UTF8.self)
  let line = text.split(separator: "\n").first { $0.hasPrefix(field + ":") }
  return line?.dropFirst(field.utf8.count + 1).split(whereSeparator: { $0 == "\t" || $0 == " " }) ?? []
}

/// A field of /proc/PID/status that is a set of signals: bit n - 1 is signal n. Empty: no such process.
public func statusSignals(_ id: Int32, _ field: String) -> UInt64 {
  statusWords(id, field).first.flatMap { UInt64($0, radix: 16) } ?? 0
}

/// Whether a thread is the first of its process. False: no such thread.
public func isLeader(_ tid: ThreadID) -> Bool { statusWords(tid.rawValue, "Tgid").first == "\(tid)" }

/// The process that a process is a child of. Nil: no such process.
public func parent(of tid: ThreadID) -> Int32? { statusWords(tid.rawValue, "PPid").first.flatMap { Int32($0) } }

/// The names in a folder that are numbers: processes in /proc, threads in /proc/PID/task. Empty: no such folder.
public func numbers(in folder: String) -> [Int32] {
  guard let directory = opendir(folder) else { return [] }
  defer { closedir(directory) }
  var found: [Int32] = []
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if let number = Int32(name) { found.append(number) }
  }
  return found
}
