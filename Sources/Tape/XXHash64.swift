// XXH64, as specified in github.com/Cyan4973/xxHash doc/xxhash_spec.md (version 0.1.1).

/// The 64-bit xxHash of `bytes`.
public func xxHash64(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
  var offset = 0
  let count = bytes.count
  var hash: UInt64
  if count >= 32 {
    var a = seed &+ prime1 &+ prime2
    var b = seed &+ prime2
    var c = seed
    var d = seed &- prime1
    while offset <= count - 32 {
      a = round(a, bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      b = round(b, bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
      c = round(c, bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self))
      d = round(d, bytes.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self))
      offset += 32
    }
    hash = rotate(a, 1) &+ rotate(b, 7) &+ rotate(c, 12) &+ rotate(d, 18)
    hash = (hash ^ round(0, a)) &* prime1 &+ prime4
    hash = (hash ^ round(0, b)) &* prime1 &+ prime4
    hash = (hash ^ round(0, c)) &* prime1 &+ prime4
    hash = (hash ^ round(0, d)) &* prime1 &+ prime4
  } else {
    hash = seed &+ prime5
  }
  hash = hash &+ UInt64(count)
  while offset <= count - 8 {
    hash ^= round(0, bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    hash = rotate(hash, 27) &* prime1 &+ prime4
    offset += 8
  }
  if offset <= count - 4 {
    hash ^= UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) &* prime1
    hash = rotate(hash, 23) &* prime2 &+ prime3
    offset += 4
  }
  while offset < count {
    hash ^= UInt64(bytes[offset]) &* prime5
    hash = rotate(hash, 11) &* prime1
    offset += 1
  }
  hash = (hash ^ (hash >> 33)) &* prime2
  hash = (hash ^ (hash >> 29)) &* prime3
  return hash ^ (hash >> 32)
}

private let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
private let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
private let prime3: UInt64 = 0x1656_67B1_9E37_79F9
private let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
private let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

@inline(__always)
private func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 { (value << count) | (value >> (64 &- count)) }

@inline(__always)
private func round(_ accumulator: UInt64, _ lane: UInt64) -> UInt64 {
  rotate(accumulator &+ lane &* prime2, 31) &* prime1
}
