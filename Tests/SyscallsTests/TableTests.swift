import Syscalls
import Testing
import bis_tables

@Suite struct TableTests {
  static let header = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"

  @Test func `numbers and names are the kernel's`() throws {
    let lines = shell("grep '^#define __NR_' \(Self.header)").output.split(separator: "\n")
    if lines.count < 300 { try Test.cancel("no kernel headers") }
    var highest = 0
    for line in lines {
      let words = line.split(separator: " ")
      let number = try #require(UInt32(words[2]))
      highest = max(highest, Int(number))
      if number > 462 { continue }  // newer than Linux 6.12
      #expect(Syscalls.row(number: number)?.name.description == String(words[1].dropFirst(5)))
    }
    let known = Set(lines.map { String($0.split(separator: " ")[1].dropFirst(5)) })
    for index in 0..<Syscalls.count {
      let row = Syscalls.row(at: index)
      let isNewer = row.number > highest || row.name.description == "uretprobe"
      #expect(isNewer || known.contains(row.name.description), "\(row.name)")
    }
  }

  @Test func `every call of Linux 6.12 has one row`() {
    let numbers = (0..<Syscalls.count).map { Int(Syscalls.row(at: $0).number) }
    #expect(numbers == Array(0...335) + Array(424...462))
    #expect(Set((0..<Syscalls.count).map { Syscalls.row(at: $0).name.description }).count == Syscalls.count)
  }

  @Test func `every argument has a kind and every output is written through a pointer`() {
    for index in 0..<Syscalls.count {
      let row = Syscalls.row(at: index)
      let words = row.signature.description.split(separator: " ").prefix { $0 != "->" }
      #expect(row.arguments.count == words.count, "\(row.name)")
      for output in 0..<row.outputs.count {
        #expect(row.arguments[Int(row.outputs[output].argument)].kind == .ptr, "\(row.name)")
      }
      if let path = row.pathArgument { #expect(row.arguments[Int(path)].kind == .str, "\(row.name)") }
      if let key = row.key.argument { #expect([.sub, .int].contains(row.arguments[key].kind), "\(row.name)") }
    }
  }

  /// The runtime takes that for granted where such a call writes to the scratch (Runtime/threads.c).
  @Test func `calls that may wait have a buffer's capacity behind it`() {
    for index in 0..<Syscalls.count {
      let row = Syscalls.row(at: index)
      guard row.mayBlock else { continue }
      for output in 0..<row.outputs.count {
        guard [.result, .minimum, .resultPlus].contains(row.outputs[output].length) else { continue }
        let capacity = Int(row.outputs[output].argument) + 1
        #expect(capacity < row.arguments.count, "\(row.name)")
        #expect([.size, .uint, .int].contains(row.arguments[capacity].kind), "\(row.name)")
      }
    }
  }

  @Test func `rows are found`() {
    for index in 0..<Syscalls.count {
      let row = Syscalls.row(at: index)
      #expect(Syscalls.row(number: UInt32(row.number))?.name.description == row.name.description)
    }
    for index in 0..<Syscalls.subcallCount {
      let row = Syscalls.subcall(at: index)
      #expect(Syscalls.subcall(number: UInt32(row.number), key: row.key)?.name.description == row.name.description)
    }
    #expect(Syscalls.row(number: 400) == nil)
    #expect(Syscalls.row(number: 100_000) == nil)
    #expect(Syscalls.row(named: "openat")?.number == 257)
    #expect(Syscalls.subcall(number: 72, key: 999_999) == nil)
  }

  @Test func `generated files are fresh`() throws {
    #expect(try update(root: root, check: true) == [], "run: swift run bis-tables")
  }

  @Test func `a mistake in a table says where it is`() {
    #expect(throws: TableError.self) { try parseCalls("t", "0 | read | hott | fd:fd | |") }
    #expect(throws: TableError.self) { try parseCalls("t", "0 | read | hot | fd:fd | buf=8 |") }
    #expect(throws: TableError.self) { try parseCalls("t", "0 | read | hot | buf:ptr | buf=8@never |") }
    #expect(throws: TableError.self) { try parseCalls("t", "1 | a | hot | | |\n0 | b | hot | | |") }
  }
}
