// The name that a shared object gives itself: what the dynamic linker looks for it by.

extension ELFHeader {
  /// DT_SONAME; nil when there is none, or none that makes sense. elf(5)
  public func objectName(in file: borrowing Descriptor) -> String? {
    guard let dynamic = segments.first(where: { $0.type == Segment.dynamic }) else { return nil }
    let count = Int(min(dynamic.fileSize, 1 << 16))
    guard let bytes = try? file.pread(count: count, offset: dynamic.offset) else { return nil }
    func word(_ at: Int) -> UInt64 { bytes[at..<at + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
    var nameOffset: UInt64?
    var table: UInt64?
    for at in stride(from: 0, to: bytes.count & ~15, by: 16) {
      switch word(at) {
      case 14: nameOffset = word(at + 8)
      case 5: table = word(at + 8)
      default: break
      }
    }
    guard let nameOffset, let table, let offset = fileOffset(of: table &+ nameOffset),
      let text = try? file.pread(count: 256, offset: offset)
    else { return nil }
    let name = text.prefix { $0 != 0 }
    guard !name.isEmpty, name.count < text.count, !name.contains(UInt8(ascii: "/")) else { return nil }
    let string = String(decoding: name, as: UTF8.self)
    return string == "." || string == ".." ? nil : string
  }

  private func fileOffset(of address: UInt64) -> UInt64? {
    for segment in segments where segment.type == Segment.load && address >= segment.address {
      let distance = address - segment.address
      let (offset, overflow) = segment.offset.addingReportingOverflow(distance)
      if distance < segment.fileSize, !overflow { return offset }
    }
    return nil
  }
}
