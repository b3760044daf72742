// Tables/*.txt to rows. What the columns mean stands on top of Tables/syscalls.txt.

struct OutputSpec {
  var text: String
  var argument: Int
  var length: String
  var lengthArgument = 0
  var size: UInt32 = 1
  var time = "success"
}

struct ClassSpec {
  var handling = ""  // hot, local:x, supervisor, refused:E, ignored
  var warns = false
  var blocks = false
  var path: Int?
  var key: UInt8?
}

package struct CallSpec {
  var number: Int
  var name: String
  var signature: String
  var argumentNames: [String]
  var spec: ClassSpec
  var outputs: [OutputSpec]
  var note: String
}

struct SubcallSpec {
  var call: CallSpec
  var name: String
  var key: UInt64
  var spec: ClassSpec
  var outputs: [OutputSpec]
  var note: String
}

/// Where a row stands, for messages.
struct Place {
  var file: String
  var line: Int
  func error(_ text: String) -> TableError { TableError(text: "\(file):\(line): \(text)") }
}

func rows(_ file: String, _ text: String, columns: Int) throws(TableError) -> [(place: Place, cells: [String])] {
  var result: [(place: Place, cells: [String])] = []
  for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
    let place = Place(file: file, line: index + 1)
    guard !line.trimmed().isEmpty, !line.hasPrefix("#") else { continue }
    let cells = line.split(separator: "|", omittingEmptySubsequences: false).map { $0.trimmed() }
    guard cells.count == columns else { throw place.error("\(cells.count) columns, expected \(columns)") }
    result.append((place, cells))
  }
  return result
}

package func parseCalls(_ file: String, _ text: String) throws(TableError) -> [CallSpec] {
  var result: [CallSpec] = []
  for (place, cells) in try rows(file, text, columns: 6) {
    guard let number = Int(cells[0]), number < 512 else { throw place.error("bad number") }
    if let last = result.last, last.number >= number { throw place.error("numbers must ascend") }
    let words = cells[3].split(separator: " ")
    let names = words.prefix { $0 != "->" }.map { String($0.split(separator: ":")[0]) }
    guard names.count <= 6 else { throw place.error("more than six arguments") }
    let spec = try parseClass(cells[2], names, place)
    let outputs = try parseOutputs(cells[4], names, place, atMost: 5)
    result.append(
      CallSpec(
        number: number, name: cells[1], signature: cells[3], argumentNames: names, spec: spec, outputs: outputs,
        note: cells[5]))
  }
  return result
}

func parseSubcalls(_ file: String, _ text: String, _ calls: [CallSpec]) throws(TableError) -> [SubcallSpec] {
  var result: [SubcallSpec] = []
  for (place, cells) in try rows(file, text, columns: 6) {
    guard let call = calls.first(where: { $0.name == cells[0] }), call.spec.key != nil else {
      throw place.error("\(cells[0]) is no call with a key")
    }
    var key: UInt64 = 0
    for part in cells[2].split(separator: ":") { key = key << 32 | (try parseNumber(part, place)) }
    result.append(try subcall(call, cells[1], key, cells[3], cells[4], cells[5], place))
  }
  return result
}

func parseIoctls(_ file: String, _ text: String, _ calls: [CallSpec]) throws(TableError) -> [SubcallSpec] {
  var result: [SubcallSpec] = []
  for (place, cells) in try rows(file, text, columns: 5) {
    guard let call = calls.first(where: { $0.name == "ioctl" }) else { throw place.error("no ioctl") }
    let isType = cells[1].hasPrefix("type:")
    let number = try parseNumber(isType ? cells[1].dropFirst(5) : cells[1][...], place)
    let key = isType ? 1 << 32 | number : number
    result.append(try subcall(call, cells[0], key, cells[2], cells[3], cells[4], place))
  }
  return result
}

private func subcall(
  _ call: CallSpec, _ name: String, _ key: UInt64, _ klass: String, _ outputs: String, _ note: String, _ place: Place
) throws(TableError) -> SubcallSpec {
  let spec = try parseClass(klass, call.argumentNames, place)
  guard spec.key == nil, spec.path == nil else { throw place.error("a sub-call has neither key nor path") }
  let parsed = try parseOutputs(outputs, call.argumentNames, place, atMost: 4)
  return SubcallSpec(call: call, name: name, key: key, spec: spec, outputs: parsed, note: note)
}

func sortedUnique(_ rows: [SubcallSpec]) throws(TableError) -> [SubcallSpec] {
  let sorted = rows.sorted { ($0.call.number, $0.key) < ($1.call.number, $1.key) }
  for (one, next) in zip(sorted, sorted.dropFirst()) where one.call.number == next.call.number && one.key == next.key {
    throw TableError(text: "\(one.call.name): \(one.name) and \(next.name) have the same key")
  }
  return sorted
}

private func parseNumber(_ text: some StringProtocol, _ place: Place) throws(TableError) -> UInt64 {
  let number = text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
  guard let number else { throw place.error("\(text) is no number") }
  return number
}

private func parseClass(_ text: String, _ names: [String], _ place: Place) throws(TableError) -> ClassSpec {
  var spec = ClassSpec()
  for word in text.split(separator: " ") {
    if word == "block" {
      spec.blocks = true
    } else if word.hasPrefix("path=") {
      spec.path = try index(word.dropFirst(5), names, place)
    } else if word.hasPrefix("key=") {
      spec.key = try parseKey(word.dropFirst(4), names, place)
    } else {
      guard spec.handling.isEmpty else { throw place.error("\(word): unknown flag, or a second class") }
      spec.warns = word.hasSuffix("!")
      spec.handling = String(spec.warns ? word.dropLast() : word)
    }
  }
  let plain = ["hot", "supervisor", "ignored"].contains(spec.handling)
  guard plain || spec.handling.hasPrefix("local:") || spec.handling.hasPrefix("refused:E") else {
    throw place.error("no class: \(text)")
  }
  return spec
}

private func parseKey(_ text: Substring, _ names: [String], _ place: Place) throws(TableError) -> UInt8 {
  if text.hasSuffix("&127") { return UInt8(try index(text.dropLast(4), names, place)) | 0x40 }
  let parts = text.split(separator: ":")
  guard parts.count == 2 else { return UInt8(try index(text, names, place)) }
  let low = try index(parts[1], names, place)
  guard try index(parts[0], names, place) + 1 == low else { throw place.error("HIGH must stand right before ARG") }
  return UInt8(low) | 0x20
}

private func index(_ name: Substring, _ names: [String], _ place: Place) throws(TableError) -> Int {
  guard let found = names.firstIndex(of: String(name)) else { throw place.error("no argument \(name)") }
  return found
}

private func parseOutputs(
  _ text: String, _ names: [String], _ place: Place, atMost limit: Int
) throws(TableError) -> [OutputSpec] {
  var result: [OutputSpec] = []
  for word in text.split(separator: " ") { result.append(try parseOutput(word, names, place)) }
  guard result.count <= limit else { throw place.error("more than \(limit) outputs") }
  return result
}

/// `ARG=LENGTH[@WHEN]`.
private func parseOutput(_ text: Substring, _ names: [String], _ place: Place) throws(TableError) -> OutputSpec {
  let timed = text.split(separator: "@")
  let sides = timed[0].split(separator: "=")
  guard sides.count == 2, timed.count <= 2 else { throw place.error("bad output \(text)") }
  var output = OutputSpec(text: String(text), argument: try index(sides[0], names, place), length: "constant")
  if timed.count == 2 {
    guard ["success", "positive", "eintr", "maybe", "always"].contains(timed[1]) else {
      throw place.error("bad time in \(text)")
    }
    output.time = String(timed[1])
  }
  try parseLength(sides[1], &output, names, place)
  return output
}

private func parseLength(
  _ text: Substring, _ output: inout OutputSpec, _ names: [String], _ place: Place
) throws(TableError) {
  if let size = UInt32(text) {
    output.size = size
    return
  }
  var base = text
  var isSum = false
  if let at = text.lastIndex(where: { $0 == "*" || $0 == "+" }) {
    guard let size = UInt32(text[text.index(after: at)...]) else { throw place.error("bad number in \(text)") }
    base = text[..<at]
    isSum = text[at] == "+"
    output.size = size
  }
  if base == "result" {
    output.length = isSum ? "resultPlus" : "result"
  } else if base == "msghdr" || base == "mmsghdr" || base == "ifconf" {
    output.length = String(base)
  } else if let open = base.firstIndex(of: "("), base.hasSuffix(")") {
    let kinds = [
      "min": "minimum", "iovec": "iovec", "socklen": "socklen", "sockopt": "sockopt", "fdset": "fdset",
      "pages": "pages", "pointed": "pointed",
    ]
    guard let kind = kinds[String(base[..<open])] else { throw place.error("bad length \(text)") }
    output.length = kind
    output.lengthArgument = try index(base[base.index(after: open)...].dropLast(), names, place)
    if kind == "pointed" && !isSum { output.size = 0 }
  } else {
    output.length = "argument"
    output.lengthArgument = try index(base, names, place)
  }
  let mayAdd = ["resultPlus", "pointed"].contains(output.length)
  guard isSum == mayAdd || output.size <= 1 else { throw place.error("no such sum or product: \(text)") }
}
