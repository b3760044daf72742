// Rows to Swift. Literals of 50 rows: longer ones take minutes to compile.

private let chunk = 50

func swiftCalls(_ calls: [CallSpec]) -> String {
  let rows = calls.map { call in
    var text = "SyscallRow(\(call.number), \"\(call.name)\", \"\(call.signature)\", \(handling(call.spec))"
    text += flags(call.spec)
    if let key = call.spec.key { text += ", key: 0x\(String(key, radix: 16))" }
    if let path = call.spec.path { text += ", path: \(path)" }
    return text + tail(call.outputs, call.note)
  }
  return file("syscallRow", "SyscallRow", rows, from: "Tables/syscalls.txt")
}

func swiftSubcalls(_ subcalls: [SubcallSpec]) -> String {
  let rows = subcalls.map { sub in
    let head = "SubcallRow(\(sub.call.number), 0x\(String(sub.key, radix: 16)), \"\(sub.name)\", "
    return head + handling(sub.spec) + flags(sub.spec) + tail(sub.outputs, sub.note)
  }
  return file("subcallRow", "SubcallRow", rows, from: "Tables/subcalls.txt and Tables/ioctls.txt")
}

private func handling(_ spec: ClassSpec) -> String {
  let parts = spec.handling.split(separator: ":")
  return parts.count == 2 ? ".\(parts[0])(.\(parts[1]))" : ".\(parts[0])"
}

private func flags(_ spec: ClassSpec) -> String {
  (spec.warns ? ", warns: true" : "") + (spec.blocks ? ", mayBlock: true" : "")
}

private func tail(_ outputs: [OutputSpec], _ note: String) -> String {
  var text = ""
  if !outputs.isEmpty {
    let each = outputs.map { "Output(\($0.argument), .\($0.length), \($0.lengthArgument), \($0.size), .\($0.time))" }
    text += ", Outputs(" + each.joined(separator: ", ") + ")"
  }
  if !note.isEmpty { text += ", note: \"\(note)\"" }
  return text + ")"
}

private func file(_ name: String, _ type: String, _ rows: [String], from source: String) -> String {
  var text = "// Generated from \(source) by bis-tables. Do not edit.\n// swift-format-ignore-file\n\n"
  text += "let \(name)Count = \(rows.count)\n\n"
  text += "/// Precondition: `0 <= index < \(name)Count`.\n"
  text += "func \(name)(at index: Int) -> \(type) {\n  switch index / \(chunk) {\n"
  let chunks = stride(from: 0, to: rows.count, by: chunk).map { Array(rows[$0..<min($0 + chunk, rows.count)]) }
  for number in chunks.indices {
    let label = number == chunks.count - 1 ? "default" : "case \(number)"
    text += "  \(label): \(name)s\(number)[index - \(number * chunk)]\n"
  }
  text += "  }\n}\n"
  for (number, part) in chunks.enumerated() {
    text += "\nprivate let \(name)s\(number): [\(part.count) of \(type)] = [\n"
    for row in part { text += "  \(row),\n" }
    text += "]\n"
  }
  return text
}
