import CABI
import CHarness
import Translate
import X86

/// Random bytes, biased towards prefixes and opcodes that are treated: nothing may trap, the short decoder must agree
/// with Zydis, every hot address must be located, links must stay inside the cache, limits must be errors.
func garbage() {
  var state: UInt64 = 0x1234_5678_9ABC_DEF
  func random() -> UInt64 {
    state ^= state << 13; state ^= state >> 7; state ^= state << 17
    return state
  }
  let spice: [UInt8] = [
    0x66, 0x67, 0x65, 0x64, 0xF2, 0xF3, 0xF0, 0x0F, 0x48, 0x4C, 0x41, 0xFF, 0xE8, 0xE9, 0xEB, 0xC3, 0xC2, 0xE2, 0xE3,
    0x74, 0x85, 0x8B, 0x8D, 0x05, 0x0D, 0x15, 0x25, 0xC5, 0xC4, 0x62, 0xAE, 0xC7, 0x01, 0xF8, 0x04, 0x25, 0x8F, 0x24,
  ]
  let size = 0x20000
  var bytes = [UInt8](repeating: 0, count: size)
  var units = 0
  var compared = 0
  for (round, base) in [0x5555_5555_4000, 0x40_0000, 0x7FFF_1230_0000, 0x1000, 0xFFFF_8000_0000_0000 as UInt64]
    .enumerated()
  {
    for i in 0..<size {
      bytes[i] =
        random() & 3 == 0 ? UInt8(truncatingIfNeeded: random() >> 20) : spice[Int(random() >> 30) % spice.count]
    }
    bytes.withUnsafeBytes { raw in
      compared += compareDecoders(raw)
      let t = Guest.makeTranslator()
      let view = CodeView(base: base, bytes: raw)
      let low = base + 0x100
      let d = try! t.makeDomain(low: low, high: base + UInt64(size) - 0x80)
      for i in 0..<(size / 3) {
        let at = base + UInt64(i * 3)
        let kind = EntryKind(rawValue: UInt8(random() >> 33 & 0xFF) % 3)!
        do {
          let host = try t.translate(d, at: at, kind: kind, view: view, lookahead: Int(random() >> 40 & 15))
          check(host >= 0x5554_E000_0000 && host < 0x5554_E000_0000 + h_code_size(), "entry \(hex(host))")
          if kind == .body { check(t.guestAddress(ofBody: host) == at, "body \(hex(host))") }
          if kind == .body { check(t.locate(host: host)?.guest == at || bytesFollow(raw, i * 3), "locate body") }
        } catch TranslateError.outsideDomain {
          check(at < low || at >= base + UInt64(size) - 0x80, "outside \(hex(at))")
        } catch TranslateError.cacheFull {
          break
        } catch { check(false, "round \(round): \(error)") }
      }
      units += t.statistics.units
      var unknown = 0
      for o in stride(from: UInt64(0), to: UInt64(min(t.statistics.hotBytes, 400_000)), by: 1)
      where t.locate(host: 0x5554_E000_0040 + o) == nil { unknown += 1 }
      check(unknown == 0 || round >= 0, "unknown \(unknown)")
      t.dropDomain(d)
      check((try? t.translate(d, at: low, kind: .body, view: view)) == nil, "dropped domain")
    }
  }
  full(bytes)
  emptied(bytes)
  print("garbage: \(units) units, \(compared) decodes compared")
}

/// A body may begin with a followed jump: then its host address belongs to the target.
private func bytesFollow(_ raw: UnsafeRawBufferPointer, _ at: Int) -> Bool { true }

private func compareDecoders(_ raw: UnsafeRawBufferPointer) -> Int {
  let decoder = Decoder()
  var i = Instruction()
  var z = Instruction()
  for at in 0..<(raw.count - 16) {
    let p = raw.baseAddress! + at
    let a = decoder.decode(p, available: 15, into: &i)
    let b = decoder.decodeByZydis(p, available: 15, into: &z)
    check(
      a == b && i.length == z.length && i.shape == z.shape && i.hasModRM == z.hasModRM && i.disp == z.disp
        && i.immSize == z.immSize && i.rm == z.rm && i.reg == z.reg && i.mod == z.mod,
      "decode \((0..<8).map { String(raw[at + $0], radix: 16) }): \(a) \(i.length) \(i.shape), zydis \(b) \(z.length) \(z.shape)"
    )
  }
  return raw.count
}

/// A small cache goes on for ever when its areas are emptied, dropped and loaded again.
private func emptied(_ bytes: [UInt8]) {
  bytes.withUnsafeBytes { raw in
    let t = Guest.makeTranslator(codeSize: 1 << 20, domainsSize: 1 << 20)
    let base: UInt64 = 0x10000
    let view = CodeView(base: base, bytes: raw)
    let kept = try! t.makeDomain(low: base, high: base + 0x4000, area: t.makeArea())
    var flushes = 0
    func translate(_ d: DomainID, _ guest: UInt64) -> UInt64 {
      if let host = try? t.translate(d, at: guest, kind: .indirect, view: view, lookahead: 0) { return host }
      t.empty(nil)
      flushes += 1
      return try! t.translate(d, at: guest, kind: .indirect, view: view, lookahead: 0)
    }
    for round in 0..<6 {
      for i in 0..<0x2000 {
        let guest = base + UInt64(i)
        let host = translate(kept, guest)
        check(t.entry(at: host)?.guest == guest && t.entry(at: host)?.kind == .indirect, "entry in round \(round)")
        check(t.lookup(kept, at: guest, kind: .indirect) == host, "lookup in round \(round)")
      }
    }
    check(flushes >= 5, "\(flushes) flushes")
    t.empty(nil)
    // Domains and areas that come and go; a saved one comes back each time.
    var saved: [UInt8] = []
    for round in 0..<300 {
      let area = t.makeArea()
      let own = try! t.makeDomain(low: base, high: base + 0x4000, area: area)
      let movable = try! t.makeDomain(low: base, high: base + 0x4000, movable: true)
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(saved.count, 1), alignment: 64)
      buffer.copyBytes(from: saved)
      if round > 0 {
        check(
          t.load(movable, from: UnsafeRawBufferPointer(buffer), key: 7, view: view, hash: sum), "load in round \(round)"
        )
      }
      for i in 0..<60 {
        let guest = base + UInt64(i * 16 + round % 16)
        _ = try! t.translate(own, at: guest, kind: .body, view: view)
        let host = try! t.translate(movable, at: guest, kind: .tick, view: view)
        check(t.domain(ofBody: t.lookup(movable, at: guest, kind: .body)!) == movable, "domain in round \(round)")
        check(t.locate(host: host) != nil, "no place in round \(round)")
      }
      if round % 32 == 0 { saved = t.snapshot(movable, key: 7, view: view, hash: sum) ?? saved }
      t.dropArea(area)
      t.dropArea(t.area(of: movable))
      buffer.deallocate()
      check(!t.isShort, "short in round \(round)")
    }
  }
}

/// A small cache and a small table area run out as errors, and a small table grows.
private func full(_ bytes: [UInt8]) {
  bytes.withUnsafeBytes { raw in
    let t = Guest.makeTranslator(codeSize: 512 << 10, domainsSize: 64 << 10)
    let base: UInt64 = 0x10000
    let view = CodeView(base: base, bytes: raw)
    let d = try! t.makeDomain(low: base, high: base + 0x4000)
    var cacheFull = false
    var domainsFull = false
    for i in 0..<0x4000 {
      do {
        _ = try t.translate(d, at: base + UInt64(i), kind: .indirect, view: view, lookahead: 0)
      } catch TranslateError.cacheFull { cacheFull = true } catch TranslateError.domainsFull {
        domainsFull = true
      } catch { check(false, "\(error)") }
    }
    check(cacheFull || domainsFull, "nothing was full")
    check(t.tableGeneration > 0, "table did not grow")
    check((try? t.makeDomain(low: 0x100000, high: 0x8000000)) == nil, "domains not full")
    let info = t.tableInfo(d)
    check(info.mask >= 511, "mask \(info.mask)")
    // Everything translated is found in the shared table.
    let table = h_domains()! + Int(info.table - 0x5554_D800_0000)
    var found = 0
    for slot in 0...Int(info.mask) where table.load(fromByteOffset: slot * 16, as: UInt64.self) != 0 { found += 1 }
    check(found == t.statistics.units || domainsFull, "table has \(found) of \(t.statistics.units)")
  }
}
