// bis-tables [--check] [ROOT]: from Tables/*.txt makes what is generated. --check writes nothing and exits with 1 when
// a file is not what it would write.
import Glibc

@main struct Main {
  static func main() {
    var check = false
    var root = "."
    for argument in CommandLine.arguments.dropFirst() {
      if argument == "--check" { check = true } else { root = argument }
    }
    do throws(TableError) {
      let stale = try update(root: root, check: check)
      for path in stale { print(check ? "stale: \(path)" : "wrote \(path)") }
      if check && !stale.isEmpty {
        print("run: swift run bis-tables")
        exit(1)
      }
    } catch {
      print(error.text)
      exit(2)
    }
  }
}

/// Paths (below `root`) of the generated files that differ; writes them unless `check`.
package func update(root: String, check: Bool) throws(TableError) -> [String] {
  var stale: [String] = []
  for file in try generate(root: root) where (try? readFile(root + "/" + file.path)) != file.text {
    stale.append(file.path)
    if !check { try writeFile(root + "/" + file.path, file.text) }
  }
  return stale
}

package struct GeneratedFile {
  package var path: String
  package var text: String
}

package func generate(root: String) throws(TableError) -> [GeneratedFile] {
  let calls = try parseCalls("Tables/syscalls.txt", try readFile(root + "/Tables/syscalls.txt"))
  var subcalls = try parseSubcalls("Tables/subcalls.txt", try readFile(root + "/Tables/subcalls.txt"), calls)
  subcalls += try parseIoctls("Tables/ioctls.txt", try readFile(root + "/Tables/ioctls.txt"), calls)
  subcalls = try sortedUnique(subcalls)
  return [
    GeneratedFile(path: "Sources/Syscalls/SyscallRows+Generated.swift", text: swiftCalls(calls)),
    GeneratedFile(path: "Sources/Syscalls/SubcallRows+Generated.swift", text: swiftSubcalls(subcalls)),
    GeneratedFile(path: "Docs/Reference/syscalls.md", text: reference(calls, subcalls)),
  ]
}
