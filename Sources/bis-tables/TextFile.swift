import Glibc

/// A mistake in a table, or a file that cannot be read or written.
package struct TableError: Error {
  package var text: String
}

func readFile(_ path: String) throws(TableError) -> String {
  guard let file = fopen(path, "r") else { throw TableError(text: "\(path): cannot open") }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = fread(&buffer, 1, buffer.count, file)
    if count == 0 { break }
    bytes += buffer[..<count]
  }
  return String(decoding: bytes, as: UTF8.self)
}

func writeFile(_ path: String, _ text: String) throws(TableError) {
  var made = ""
  for part in path.split(separator: "/", omittingEmptySubsequences: false).dropLast() {
    made += part + "/"
    mkdir(made, 0o777)
  }
  guard let file = fopen(path, "w") else { throw TableError(text: "\(path): cannot write") }
  let bytes = Array(text.utf8)
  let written = fwrite(bytes, 1, bytes.count, file)
  guard fclose(file) == 0, written == bytes.count else { throw TableError(text: "\(path): cannot write") }
}

extension StringProtocol {
  func trimmed() -> String {
    var slice = self[...]
    while slice.first == " " { slice = slice.dropFirst() }
    while slice.last == " " { slice = slice.dropLast() }
    return String(slice)
  }
}

extension String {
  func padded(_ width: Int) -> String { self + String(repeating: " ", count: Swift.max(0, width - count)) }
}
