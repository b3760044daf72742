import CABI
import CHarness
import Translate
import X86

nonisolated(unsafe) var reloads = 0
let arithmetic: UInt64 = 0x8D5
let stackBase: UInt64 = 0x2000_0000_0000
let stackSize: UInt64 = 0x40000
let dataOffset: UInt64 = 0x80000
let imageSize: UInt64 = 0xA0000

/// What a run left behind.
struct Outcome: Equatable {
  var gpr: [UInt64]
  var flags: UInt64
  var memory: UInt64  // checksum
  var rip: UInt64
}

/// A flat binary mapped at a base, with a translator of its own domains.
final class Guest {
  let base: UInt64
  let programs: [UInt64]
  var translator: Translator
  var domains: [(low: UInt64, high: UInt64, id: DomainID)] = []
  var lookahead = 12
  let view: CodeView
  private var initial: [UInt8]

  init(path: String, base: UInt64, map: Bool) {
    self.base = base
    if map {
      precondition(h_map(base, imageSize) == 0, "map")
    }
    let n = h_load(path, base, imageSize)
    precondition(n > 0, "load \(path)")
    let p = UnsafeMutableRawPointer(bitPattern: UInt(base))!
    let count = Int(p.load(as: UInt32.self))
    programs = (0..<count).map { base + UInt64(p.load(fromByteOffset: 4 + 4 * $0, as: UInt32.self)) }
    // Tables of addresses after the data are relative to the start.
    for i in 0..<16 {
      let q = p + Int(dataOffset) + 0x2000 + i * 8
      let v = q.load(as: UInt64.self)
      if v != 0 { q.storeBytes(of: v + base, as: UInt64.self) }
    }
    var x: UInt64 = 88172645463325252
    for i in 0..<0x200 {
      x ^= x << 13; x ^= x >> 7; x ^= x << 17
      (p + Int(dataOffset) + i * 8).storeBytes(of: x, as: UInt64.self)
    }
    view = CodeView(base: base, bytes: UnsafeRawBufferPointer(start: p, count: 0x7F000))
    initial = Array(UnsafeRawBufferPointer(start: p + Int(dataOffset), count: 0x3000))
    translator = Guest.makeTranslator()
    setDomains([])
  }

  /// Saves all domains and goes on with a fresh translator that has loaded them, behind other code.
  func reload() {
    let saved = domains.map { translator.snapshot($0.id, key: 7, view: view, hash: sum) }
    let grown = domains.map { translator.growth($0.id) }
    translator = Guest.makeTranslator()
    let other = try! translator.makeDomain(low: base, high: base + 0x7F000)
    for p in programs.prefix(Int.random(in: 0...3)) {
      _ = try! translator.translate(other, at: p, kind: .body, view: view, lookahead: lookahead)
    }
    for i in domains.indices.shuffled() {
      domains[i].id = try! translator.makeDomain(low: domains[i].low, high: domains[i].high, movable: true)
      guard let bytes = saved[i] else {
        check(false, "no snapshot of \(hex(domains[i].low))")
        continue
      }
      let kept = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
      kept.copyBytes(from: bytes)
      let good = translator.load(domains[i].id, from: UnsafeRawBufferPointer(kept), key: 7, view: view, hash: sum)
      check(good, "snapshot of \(hex(domains[i].low)) not loaded")
      check(translator.growth(domains[i].id) == (grown[i].units, grown[i].units), "units after loading")
      reloads += 1
    }
  }

  static func makeTranslator(codeSize: Int? = nil, domainsSize: Int? = nil) -> Translator {
    let e = h_entries()
    // A fresh translator takes the cache over: clear what the last one left.
    memset0(h_domains(), Int(h_domains_size()))
    for i in 0..<65536 { h_fast()[i] = e.miss }
    h_reset_returns()
    return Translator(
      code: h_code(), codeSize: codeSize ?? Int(h_code_size()), domains: h_domains(),
      domainsSize: domainsSize ?? Int(h_domains_size()),
      entries: RuntimeEntries(
        syscall: e.syscall, special: e.special, exitDirect: e.exit_direct, indirectMiss: e.miss, expired: e.expired,
        pairedReturn: e.miss))
  }

  /// Fresh translator; the image is cut into domains at these offsets.
  func setDomains(_ cuts: [UInt64]) {
    translator = Guest.makeTranslator()
    domains = []
    let edges = [base] + cuts.map { base + $0 } + [base + 0x7F000]
    for (low, high) in zip(edges, edges.dropFirst()) {
      domains.append((low, high, try! translator.makeDomain(low: low, high: high, movable: true)))
    }
  }

  func domain(_ a: UInt64) -> DomainID? { domains.first { a >= $0.low && a < $0.high }?.id }

  /// Registers, data and stack as they are at the start of every run.
  func reset() {
    h_reset()
    let p = UnsafeMutableRawPointer(bitPattern: UInt(base + dataOffset))!
    initial.withUnsafeBytes { p.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    memset0(UnsafeMutableRawPointer(bitPattern: UInt(stackBase))!, Int(stackSize))
    let c = h_control()!
    withUnsafeMutableBytes(of: &c.pointee.gpr) { g in
      for i in 0..<16 { g.storeBytes(of: UInt64(i) &* 0x1234_5678_9ABC_DEF1, toByteOffset: i * 8, as: UInt64.self) }
      g.storeBytes(of: base + dataOffset, toByteOffset: 3 * 8, as: UInt64.self)
      g.storeBytes(of: stackBase + stackSize - 0x8000, toByteOffset: 4 * 8, as: UInt64.self)
      g.storeBytes(of: 3, toByteOffset: 15 * 8, as: UInt64.self)
    }
    c.pointee.rflags = 0x202
    c.pointee.gs_base = BISWindow
    let w = UnsafeMutableRawPointer(bitPattern: UInt(BISWindow + 0x380))!
    for i in 0..<12 { (w + i * 8).storeBytes(of: UInt64(i) &* 77777, as: UInt64.self) }
    setWords(repeating: 1 << 40)
  }

  func outcome(_ rip: UInt64) -> Outcome {
    let c = h_control()!
    var sum: UInt64 = 0
    func add(_ a: UInt64, _ n: UInt64) {
      let p = UnsafeRawPointer(bitPattern: UInt(a))!
      for i in 0..<Int(n / 8) {
        sum = (sum << 5 | sum >> 59) ^ p.load(fromByteOffset: i * 8, as: UInt64.self)
        sum = sum &* 0x9E37_79B9_7F4A_7C15
      }
    }
    add(base + dataOffset, 0x2000)
    add(stackBase, stackSize)
    add(BISWindow + 0x380, 96)
    return Outcome(gpr: gpr(), flags: c.pointee.rflags & 0xCD5, memory: sum, rip: rip)
  }

  // MARK: Tick words

  var words: [UInt64] = []
  func setWords(repeating v: UInt64) { setWords(Array(repeating: v, count: 8)) }
  func setWords(_ v: [UInt64]) {
    words = v
    let p = UnsafeMutableRawPointer(bitPattern: UInt(BISWindow + 0x100))!
    for i in 0..<8 { (p + i * 8).storeBytes(of: v[i], as: UInt64.self) }
  }
  func ticksDone() -> Int {
    let p = UnsafeRawPointer(bitPattern: UInt(BISWindow + 0x100))!
    var n = 0
    for i in 0..<8 { n += Int(bitPattern: UInt(words[i] &- p.load(fromByteOffset: i * 8, as: UInt64.self))) }
    return n
  }
}

let BISWindow: UInt64 = 0x5554_D100_0000

func memset0(_ p: UnsafeMutableRawPointer, _ n: Int) { p.initializeMemory(as: UInt8.self, repeating: 0, count: n) }

func gpr() -> [UInt64] {
  withUnsafeBytes(of: &h_control()!.pointee.gpr) { b in (0..<16).map { b.load(fromByteOffset: $0 * 8, as: UInt64.self) }
  }
}
func setGPR(_ i: Int, _ v: UInt64) {
  withUnsafeMutableBytes(of: &h_control()!.pointee.gpr) { $0.storeBytes(of: v, toByteOffset: i * 8, as: UInt64.self) }
}
func spill(_ i: Int) -> UInt64 {
  UnsafeRawPointer(bitPattern: UInt(BISWindow + 0xC0))!.load(fromByteOffset: i * 8, as: UInt64.self)
}
func bytesEqual<T>(_ a: UnsafeBufferPointer<T>) -> [UInt64] {
  Array(UnsafeRawBufferPointer(a).bindMemory(to: UInt64.self))
}

/// Tells pages of code apart.
func sum(_ page: UnsafeRawBufferPointer) -> UInt64 { page.reduce(UInt64(page.count)) { $0 &* 31 &+ UInt64($1) } }
