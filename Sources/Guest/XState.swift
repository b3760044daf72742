import CABI
import CPUModel
import Linux

/// Vector and x87 state as the recording's CPU profile lays it out, with everything that depends on the host or on
/// translated addresses taken out: FIP, FDP and FOP are 0, XSTATE_BV says by value which components are in use.
public struct XStateCodec {
  let profile: CPUProfile
  let host: [XSAVEComponent]
  let hostSize: Int
  let hostXCR0: UInt64

  public init(profile: CPUProfile) {
    self.profile = profile
    host = Region.hostComponents()
    hostXCR0 = Machine.xgetbv(0) ?? 3
    hostSize = max(576, XSAVELayout.standardSize(host, xcr0: hostXCR0))
  }

  /// Bytes of an image in the profile's standard layout.
  public var size: Int { profile.signalStateSize }

  /// x87 and vector state as after exec and at the beginning of a signal handler (FNINIT, MXCSR = 0x1F80).
  public func initialState() -> [UInt8] {
    var image = [UInt8](repeating: 0, count: size)
    image[0] = 0x7F
    image[1] = 0x03
    image[24] = 0x80
    image[25] = 0x1F
    put(&image, 28, UInt32(profile.mxcsrMask))
    if size > 512 { put(&image, 512, UInt64(3)) }
    return image
  }

  /// The stopped thread's state in the profile's layout.
  public func read(_ tid: ThreadID) throws(GuestError) -> [UInt8] {
    var image = [UInt8](repeating: 0, count: 8192)
    let length = try image.withMutableBytes { (b) throws(GuestError) -> Int in
      try kernel("read the vector state") { () throws(Errno) in try Ptrace.getXState(tid, into: b) }
    }
    image.removeSubrange(length...)
    return canonical(fromHost: image)
  }

  public func canonical(fromHost image: [UInt8]) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: size)
    let bits = image.count >= 576 ? word(image, 512) : 3
    if bits & 1 != 0 {
      out.replaceSubrange(0..<24, with: image[0..<24])
      for i in 6..<24 { out[i] = 0 }
      // ST0…ST7 are 10 bytes in 16
      for r in 0..<8 { out.replaceSubrange(32 + r * 16..<42 + r * 16, with: image[32 + r * 16..<42 + r * 16]) }
    } else {
      out[0] = 0x7F
      out[1] = 0x03
    }
    out.replaceSubrange(24..<28, with: image[24..<28])
    put(&out, 28, UInt32(profile.mxcsrMask))
    if bits & 2 != 0 { out.replaceSubrange(160..<416, with: image[160..<416]) }
    guard size > 512 else { return out }
    var inUse: UInt64 = 3
    for c in profile.components where profile.xcr0 >> UInt64(c.number) & 1 != 0 && c.number >= 2 {
      guard bits >> UInt64(c.number) & 1 != 0, let h = host.first(where: { $0.number == c.number }),
        h.offset + h.size <= image.count
      else { continue }
      let bytes = image[h.offset..<h.offset + min(h.size, c.size)]
      if bytes.contains(where: { $0 != 0 }) {
        inUse |= 1 << UInt64(c.number)
        out.replaceSubrange(c.offset..<c.offset + bytes.count, with: bytes)
      }
    }
    put(&out, 512, inUse)
    return out
  }

  /// Loads an image in the profile's layout into the stopped thread. Components beyond the profile are set to their
  /// initial state.
  public func write(_ tid: ThreadID, _ image: [UInt8]) throws(GuestError) {
    var out = [UInt8](repeating: 0, count: hostSize)
    let bits = image.count >= 576 ? word(image, 512) & profile.xcr0 : 3
    var set: UInt64 = 0
    out.replaceSubrange(24..<28, with: image[24..<28])
    if bits & 1 != 0 {
      out.replaceSubrange(0..<24, with: image[0..<24])
      for r in 0..<8 { out.replaceSubrange(32 + r * 16..<42 + r * 16, with: image[32 + r * 16..<42 + r * 16]) }
      set |= 1
    }
    if bits & 2 != 0 {
      out.replaceSubrange(160..<416, with: image[160..<416])
      set |= 2
    }
    for c in profile.components where bits >> UInt64(c.number) & 1 != 0 && c.number >= 2 {
      guard let h = host.first(where: { $0.number == c.number }), c.offset + c.size <= image.count else { continue }
      out.replaceSubrange(
        h.offset..<h.offset + min(h.size, c.size), with: image[c.offset..<c.offset + min(h.size, c.size)])
      set |= 1 << UInt64(c.number)
    }
    put(&out, 512, set)
    try out.withBytes { (b) throws(GuestError) in
      try kernel("set the vector state") { () throws(Errno) in try Ptrace.setXState(tid, b) }
    }
  }

  private func word(_ bytes: [UInt8], _ at: Int) -> UInt64 {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: UInt64.self) }
  }
  private func put<T: FixedWidthInteger>(_ bytes: inout [UInt8], _ at: Int, _ value: T) {
    bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: at, as: T.self) }
  }
}
