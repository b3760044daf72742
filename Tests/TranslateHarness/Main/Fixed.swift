import CABI
import CHarness
import Glibc
import Translate
import X86

func exitNow(_ code: Int32) -> Never { exit(code) }

enum Program: Int { case fib, tight, interp, specials, sys, faults, undef, outside, lastone, mid }

/// Programs with a known purpose at every base: specials, faults in every template, code that leads nowhere.
func fixed(_ directory: String) {
  for base in bases {
    let g = Guest(path: "\(directory)/fixed.bin", base: base, map: true)
    for _ in 0..<3 {
      specials(g)
      syscalls(g)
      faults(g)
      g.reload()
    }
    let undef = g.run(g.programs[Program.undef.rawValue])
    if case .fault(4, let host) = undef {
      check(g.guestAt(host) == g.programs[Program.undef.rawValue], "ud2 address")
    } else {
      check(false, "ud2: \(undef)")
    }
    g.reset()
    check(g.run(g.programs[Program.outside.rawValue]) == .lost(base - 0x100), "jump out of all domains")
    check(g.ticksDone() == 0, "the transfer has not been counted yet: \(g.ticksDone())")
  }
}

private func specials(_ g: Guest) {
  g.reset()
  var stop = g.run(g.programs[Program.specials.rawValue])
  let data = g.base + dataOffset
  let rsp = stackBase + stackSize - 0x8000
  let expected: [(UInt32, UInt8, UInt8, UInt64?)] = [
    (1, 0, 4, nil), (2, 0, 4, nil), (5, 9, 8, nil), (6, 0, 4, nil), (7, 2, 8, nil), (4, 0, 4, nil),
    (10, 0, 8, rsp + 40 + 0x100), (11, 0, 4, data), (14, 0, 4, 5 + 0x10), (15, 0, 4, rsp - 64), (18, 13, 8, nil),
    (20, 0, 4, nil), (3, 0, 4, nil),
  ]
  for (op, reg, size, address) in expected {
    guard case .special(let o, _, let r, let s, let f, let resume) = stop else {
      return check(false, "special \(op): \(stop)")
    }
    check(o == op && s == size, "special \(op): op \(o) size \(s)")
    if op != 4 && address == nil { check(r == reg, "special \(op): register \(r)") }
    check((f & 1 == 1) == (address != nil), "special \(op): flags \(f)")
    if let address { check(spill(2) == address, "special \(op): address \(hex(spill(2))) not \(hex(address))") }
    check(gpr()[1] == 5, "special \(op): rcx \(gpr()[1])")
    stop = g.run(0, resume: resume)
  }
  guard case .trap = stop else { return check(false, "after specials: \(stop)") }
}

private func syscalls(_ g: Guest) {
  g.reset()
  let p = g.programs[Program.sys.rawValue]
  guard case .syscall(let next, let resume) = g.run(p) else { return check(false, "syscall") }
  check(next == p + 12, "syscall next \(hex(next - p))")
  check(gpr()[0] == 39 && gpr()[1] == 7, "syscall registers")
  setGPR(0, 1000)
  let stop = g.run(0, resume: resume)
  guard case .trap = stop else { return check(false, "after syscall: \(stop)") }
  check(gpr()[0] == 1001, "syscall result")
}

/// A fault at each site: located guest address is the site, registers after restores are those before.
private func faults(_ g: Guest) {
  let table = UnsafeRawPointer(bitPattern: UInt(g.base + 0x60000))!
  let count = Int(table.load(as: UInt64.self))
  for i in 0..<count {
    let site = g.base + table.load(fromByteOffset: 8 + 8 * i, as: UInt64.self)
    for round in 0..<2 {
      g.reset()
      // Not canonical: every access through r14 or rsp faults. Far data does not exist.
      setGPR(14, 0x8000_0000_0000_1000)
      if [3, 4, 5, 6].contains(i) { setGPR(4, 0x1000) }
      let before = gpr()
      let stop = g.run(site)
      guard case .fault(let signal, let host) = stop else {
        check(false, "fault \(i) round \(round) at \(hex(g.base)): \(stop)")
        continue
      }
      guard let l = g.translator.locate(host: host) else {
        check(false, "fault \(i): not located \(hex(host))")
        continue
      }
      var after = gpr()
      for r in l.restores { after[r.register] = spill(r.spill) }
      after[4] &+= UInt64(bitPattern: Int64(l.rspAdjust))
      check(
        l.kind == .instruction && l.guest == site, "fault \(i): \(signal) \(l.kind) \(hex(l.guest)) not \(hex(site))")
      check(after == before, "fault \(i): registers \(l.restores)")
    }
  }
}

func bench(_ directory: String) {
  for base in bases {
    let g = Guest(path: "\(directory)/fixed.bin", base: base, map: true)
    for (program, n, name) in [
      (Program.tight, 100_000_000, "loop"), (.interp, 10_000_000, "interp1"), (.fib, 31, "fib"),
      (.interp, 10_000_000, "interpreter"),
    ] {
      let p = g.programs[program.rawValue]
      let data = UnsafeMutablePointer<UInt64>(bitPattern: UInt(base + dataOffset))!
      var times: [Double] = []
      for round in 0..<14 {
        g.reset()
        data.pointee = UInt64(n)
        setGPR(3, base + dataOffset)
        let t = h_now()
        if round % 2 == 0 {
          _ = h_enter(p)
        } else {
          check({ if case .trap = g.run(p) { true } else { false } }(), name)
        }
        times.append(h_now() - t)
      }
      let native = stride(from: 0, to: 14, by: 2).map { times[$0] }.min()!
      let translated = stride(from: 1, to: 14, by: 2).map { times[$0] }.min()!
      print("\(hex(base)) \(name): native \(native) translated \(translated) ratio \(translated / native)")
    }
  }
  translationSpeed(directory)
}

/// Time per unit of a cold translation of libc: from every function, in questions of 12 heads more.
private func translationSpeed(_ directory: String) {
  let file = "\(directory)/libc.so"
  let size: UInt64 = 0x200000
  let base: UInt64 = 0x5554_8000_0000
  guard let list = fopen("\(directory)/libc.txt", "r") else { return }
  var offsets: [UInt64] = []
  var value: UInt64 = 0
  while withUnsafeMutablePointer(to: &value, { p in withVaList([p]) { vfscanf(list, "%lu", $0) } }) == 1 {
    offsets.append(value)
  }
  precondition(h_map(base, size) == 0, "map")
  let n = Int(h_load(file, base, size))
  let view = CodeView(
    base: base, bytes: UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(base)), count: n))
  decodeSpeed(base)
  for _ in 0..<3 {
    let translator = Guest.makeTranslator()
    let d = try! translator.makeDomain(low: base, high: base + UInt64(n))
    var questions = 0
    let t = h_now()
    for o in offsets {
      questions += 1
      _ = try? translator.translate(d, at: base + o, kind: .indirect, view: view)
    }
    let time = h_now() - t
    let s = translator.statistics
    print(
      "translation of libc: \(questions) questions, \(s.units) units, \(s.instructions) instructions, \(time / Double(s.units) * 1e6) us/unit, \(time / Double(s.instructions) * 1e9) ns/instruction; hot \(Double(s.hotBytes) / Double(s.guestBytes)) cold \(Double(s.coldBytes) / Double(s.guestBytes)) bytes per guest byte unsupported \(s.unsupported) out-of-line \(s.outOfLineEntries)"
    )
  }
}

/// Decoding alone, straight through libc's text; and the short cut against Zydis, also from every odd offset.
func decodeSpeed(_ base: UInt64) {
  let decoder = Decoder()
  var i = Instruction()
  let start = UnsafeRawPointer(bitPattern: UInt(base + 0x26000))!
  let end = start + 0x150000
  for _ in 0..<3 {
    var n = 0
    var at = start
    let t = h_now()
    while at < end {
      _ = decoder.decode(at, available: 15, into: &i)
      at += i.length
      n += 1
    }
    print("decode: \((h_now() - t) / Double(n) * 1e9) ns/instruction")
  }
  var at = start
  var z = Instruction()
  var compared = 0
  while at < end {
    _ = decoder.decode(at, available: 15, into: &i)
    let failure = decoder.decodeByZydis(at, available: 15, into: &z)
    compared += 1
    let same =
      i.length == z.length && i.shape == z.shape && i.special == z.special && i.opcode == z.opcode
      && i.opcodeMap == z.opcodeMap && (i.shape == .plain || i.has66 == z.has66) && i.has67 == z.has67
      && i.hasREX == z.hasREX
      && i.rexW == z.rexW && i.rexR == z.rexR && i.rexX == z.rexX && i.rexB == z.rexB && i.segmentFS == z.segmentFS
      && i.segmentGS == z.segmentGS && i.hasModRM == z.hasModRM && i.mod == z.mod && i.reg == z.reg && i.rm == z.rm
      && i.modrmOffset == z.modrmOffset && i.hasSIB == z.hasSIB && i.dispSize == z.dispSize
      && (i.dispSize == 0 || i.dispOffset == z.dispOffset) && i.disp == z.disp && i.immSize == z.immSize
      && (i.shape == .plain || i.imm == z.imm) && i.prefixOffset == z.prefixOffset
      && (i.shape != .lea && (i.opcodeMap != 0 || i.opcode != 0x8B) || i.operandWidth == z.operandWidth)
    let shown = (0..<12).map { String(at.load(fromByteOffset: $0, as: UInt8.self), radix: 16) }.joined(separator: " ")
    check(same, "decode \(shown): \(failure) \(i.length) \(i.shape) zydis \(z.length) \(z.shape)")
    at += 1
  }
  print("decode: \(compared) positions compared with Zydis")
}
