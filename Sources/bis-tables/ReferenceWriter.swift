// Rows to Docs/Reference/syscalls.md.

func reference(_ calls: [CallSpec], _ subcalls: [SubcallSpec]) -> String {
  var text = """
    <!-- Generated from Tables/*.txt by bis-tables. Do not edit. -->
    # System calls

    All \(calls.count) system calls of Linux 6.12 on x86-64. What `bis` does while it records:

    | class | meaning |
    | --- | --- |
    | hot | executed inside the process and logged |
    | local | executed inside the process by a handler of its own |
    | supervisor | executed under the supervisor's control |
    | refused | fails with the error given; **!** says that `bis` warns once |
    | ignored | returns 0 and does nothing |

    *blocks*: may block for long. Outputs are what the kernel writes into memory, with their length; the words are
    explained at the top of `Tables/syscalls.txt`.

    """
  text += table(
    ["number", "call", "class", "arguments", "outputs", "note"],
    calls.map { call in
      [
        String(call.number), "`\(call.name)`", describe(call.spec), code(call.argumentNames.joined(separator: ", ")),
        describe(call.outputs), call.note,
      ]
    })
  var done: [String] = []
  for sub in subcalls where !done.contains(sub.call.name) {
    let name = sub.call.name
    done.append(name)
    text += "\n## \(name)\n\n"
    text += table(
      [name == "ioctl" ? "request" : "key", "name", "class", "outputs", "note"],
      subcalls.filter { $0.call.name == name }.map { row in
        [keyText(row), "`\(row.name)`", describe(row.spec), describe(row.outputs), row.note]
      })
  }
  return text
}

private func keyText(_ row: SubcallSpec) -> String {
  if row.call.name == "ioctl" && row.key >> 32 == 1 {
    return "other 0x..\(String(row.key & 0xFF, radix: 16))xx"
  }
  if row.key >> 32 != 0 { return "\(row.key >> 32), \(row.key & 0xFFFF_FFFF)" }
  return row.key < 4096 && row.call.name != "ioctl" ? String(row.key) : "0x" + String(row.key, radix: 16)
}

private func describe(_ spec: ClassSpec) -> String {
  var text = spec.handling.split(separator: ":").joined(separator: " ")
  if spec.warns { text += " **!**" }
  if spec.blocks { text += ", blocks" }
  if spec.key != nil { text += ", see below" }
  return text
}

private func describe(_ outputs: [OutputSpec]) -> String { outputs.map { code($0.text) }.joined(separator: " ") }

private func code(_ text: String) -> String { text.isEmpty ? "" : "`\(text)`" }

private func table(_ head: [String], _ rows: [[String]]) -> String {
  var text = "\n| " + head.joined(separator: " | ") + " |\n|" + String(repeating: " --- |", count: head.count) + "\n"
  for row in rows { text += "| " + row.joined(separator: " | ") + " |\n" }
  return text
}
