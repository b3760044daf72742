import Glibc
import Testing

/// The project's root, from where this file stands.
let root: String = {
  let parts = #filePath.split(separator: "/").dropLast(3)
  return "/" + parts.joined(separator: "/")
}()

/// Output and exit status of a shell command.
func shell(_ command: String) -> (status: Int32, output: String) {
  guard let pipe = popen(command + " 2>&1", "r") else { return (-1, "") }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 4096)
  while true {
    let count = fread(&buffer, 1, buffer.count, pipe)
    if count == 0 { break }
    bytes += buffer[..<count]
  }
  return (pclose(pipe) >> 8 & 0xFF, String(decoding: bytes, as: UTF8.self))
}

func temporaryDirectory() throws -> String {
  let made = shell("mktemp -d")
  return String(try #require(made.output.split(separator: "\n").first))
}

func save(_ bytes: [UInt8], _ path: String) throws {
  let file = try #require(fopen(path, "w"))
  fwrite(bytes, 1, bytes.count, file)
  fclose(file)
}

/// What a C program prints, line by line; cancels the test where there is no C compiler.
func runC(_ source: String) throws -> [String] {
  if shell("command -v gcc").status != 0 { try Test.cancel("no gcc") }
  let directory = try temporaryDirectory()
  defer { _ = shell("rm -r \(directory)") }
  try save(Array(source.utf8), directory + "/x.c")
  let built = shell("gcc -w -o \(directory)/x \(directory)/x.c")
  try #require(built.status == 0, "\(built.output)")
  return shell(directory + "/x").output.split(separator: "\n").map(String.init)
}
