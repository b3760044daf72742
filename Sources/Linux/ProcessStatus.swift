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
