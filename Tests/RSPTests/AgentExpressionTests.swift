import RSP
import Testing

/// Register n holds 100 + n; memory holds its own address, byte by byte, below 0x1000.
private struct Environment: AgentEnvironment {
  func register(_ index: Int) -> UInt64? { index < 16 ? UInt64(100 + index) : nil }
  func memory(at address: UInt64, count: Int) -> [UInt8]? {
    address < 0x1000 ? (0..<count).map { UInt8(truncatingIfNeeded: address + UInt64($0)) } : nil
  }
}

private func value(_ code: [UInt8]) throws(AgentError) -> UInt64 {
  try AgentExpression(code: code).evaluate(in: Environment())
}

@Suite struct AgentExpressionTests {
  @Test(
    arguments: [
      ([0x22, 7, 0x22, 3, 0x02], 10), ([0x22, 7, 0x22, 3, 0x03], 4), ([0x22, 7, 0x22, 3, 0x04], 21),
      ([0x22, 7, 0x22, 3, 0x05], 2), ([0x22, 7, 0x22, 3, 0x06], 2), ([0x22, 7, 0x22, 3, 0x07], 1),
      ([0x22, 7, 0x22, 3, 0x08], 1), ([0x22, 7, 0x22, 3, 0x09], 56),
      ([0x22, 0xf0, 0x16, 8, 0x22, 2, 0x0a], 0xffff_ffff_ffff_fffc),
      ([0x22, 0xf0, 0x22, 2, 0x0b], 0x3c), ([0x22, 0, 0x0e], 1), ([0x22, 5, 0x0e], 0), ([0x22, 6, 0x22, 3, 0x0f], 2),
      ([0x22, 6, 0x22, 3, 0x10], 7), ([0x22, 6, 0x22, 3, 0x11], 5), ([0x22, 0, 0x12], UInt64.max),
      ([0x22, 4, 0x22, 4, 0x13], 1), ([0x22, 0xff, 0x16, 8, 0x22, 1, 0x14], 1),
      ([0x22, 0xff, 0x16, 8, 0x22, 1, 0x15], 0),
      ([0x22, 0x80, 0x16, 8], 0xffff_ffff_ffff_ff80), ([0x23, 0x12, 0x34, 0x2a, 8], 0x34), ([0x22, 16, 0x17], 0x10),
      ([0x22, 16, 0x18], 0x1110), ([0x22, 16, 0x19], 0x1312_1110), ([0x22, 16, 0x1a], 0x1716_1514_1312_1110),
      ([0x24, 1, 2, 3, 4], 0x0102_0304), ([0x25, 1, 2, 3, 4, 5, 6, 7, 8], 0x0102_0304_0506_0708), ([0x26, 0, 7], 107),
      ([0x22, 3, 0x28, 0x02], 6), ([0x22, 3, 0x22, 4, 0x29], 3),
      ([0x22, 9, 0x22, 4, 0x2b, 0x03], 0xffff_ffff_ffff_fffb),
      ([0x22, 9, 0x22, 4, 0x22, 5, 0x32, 2], 9), ([0x22, 1, 0x22, 2, 0x22, 3, 0x33], 2),
      ([0x22, 1, 0x22, 2, 0x22, 3, 0x33, 0x29], 1), ([0x22, 1, 0x20, 0, 8, 0x22, 5, 0x27, 0x22, 6], 6),
      ([0x22, 0, 0x20, 0, 8, 0x22, 5, 0x27, 0x22, 6], 5), ([0x21, 0, 4, 0, 0x22, 2], 2),
    ] as [([UInt8], UInt64)])
  func `each operation does what the manual says`(code: [UInt8], expected: UInt64) throws {
    #expect(try value(code + [0x27]) == expected)
  }

  @Test func `what has no value is an error, and a breakpoint with it stops`() {
    #expect(throws: AgentError.divisionByZero) { try value([0x22, 1, 0x22, 0, 0x05, 0x27]) }
    #expect(throws: AgentError.badMemory(0x2000)) { try value([0x23, 0x20, 0, 0x17, 0x27]) }
    #expect(throws: AgentError.badRegister(99)) { try value([0x26, 0, 99, 0x27]) }
    #expect(throws: AgentError.stackUnderflow) { try value([0x27]) }
    #expect(throws: AgentError.stackOverflow) { try value([0x22, 1, 0x28, 0x21, 0, 2]) }
    #expect(throws: AgentError.tooLong) { try value([0x21, 0, 0]) }
    #expect(throws: AgentError.outOfCode) { try value([0x25, 1]) }
    #expect(throws: AgentError.unsupported(0x34)) { try value([0x34]) }
    func holds(_ conditions: [UInt8]...) -> Bool {
      Breakpoint(kind: .software, address: 1, conditions: conditions.map { AgentExpression(code: $0) })
        .holds(in: Environment())
    }
    #expect(holds())
    #expect(holds([0x34]))
    #expect(!holds([0x22, 0, 0x27]))
    #expect(holds([0x22, 0, 0x27], [0x22, 1, 0x27]))
  }

  @Test func `the one signed quotient that does not fit wraps`() throws {
    let smallest: [UInt8] = [0x25, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x22, 0xff, 0x16, 8]
    #expect(try value(smallest + [0x05, 0x27]) == 1 << 63)
    #expect(try value(smallest + [0x07, 0x27]) == 0)
  }
}
