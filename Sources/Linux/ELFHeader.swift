/// Why a file is not a program bis can run.
public enum ELFError: Error, Equatable, CustomStringConvertible {
  case notELF
  /// i386 and x32.
  case class32
  case bigEndian
  /// e_machine.
  case machine(UInt16)
  /// The headers point outside of the file, or contradict themselves.
  case malformed
  case unreadable(Errno)

  public var description: String {
    switch self {
    case .notELF: "not an ELF file"
    case .class32: "a 32-bit program"
    case .bigEndian: "a big-endian program"
    case .machine(let number): "a program for another machine (ELF machine \(number))"
    case .malformed: "a damaged ELF file"
    case .unreadable(let errno): "unreadable: \(errno)"
    }
  }
}

/// The head of an x86-64 ELF file: what the kernel looks at when it starts it. elf(5)
public struct ELFHeader: Equatable, Sendable {
  public enum Kind: UInt16, Sendable { case relocatable = 1, executable, shared, core }

  public struct Segment: Equatable, Sendable {
    public let type: UInt32
    public let flags: UInt32
    public let offset: UInt64
    public let address: UInt64
    public let fileSize: UInt64
    public let memorySize: UInt64
    public let alignment: UInt64

    public static let load: UInt32 = 1
    public static let dynamic: UInt32 = 2
    public static let interpreter: UInt32 = 3
    public static let note: UInt32 = 4
    public static let stack: UInt32 = 0x6474_e551
    public var isExecutable: Bool { flags & 1 != 0 }
    public var isWritable: Bool { flags & 2 != 0 }
  }

  public let kind: Kind
  /// Always 62 (EM_X86_64).
  public let machine: UInt16
  public let entry: UInt64
  /// File offset of the program headers.
  public let programHeaderOffset: UInt64
  public let segments: [Segment]
  /// The program interpreter (ld.so); nil when static.
  public let interpreter: String?
  /// NT_GNU_BUILD_ID, empty when there is none.
  public let buildID: [UInt8]

  public var buildIDText: String { buildID.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }

  /// From a whole file, or a part of it that holds the headers, the interpreter's name and the notes.
  public init(bytes: [UInt8]) throws(ELFError) {
    try self.init { (offset, count) throws(ELFError) in
      guard offset <= UInt64(bytes.count) else { return [] }
      return Array(bytes[Int(offset)...].prefix(count))
    }
  }

  public init(reading file: borrowing Descriptor) throws(ELFError) {
    let raw = file.raw
    try self.init { (offset, count) throws(ELFError) in
      let borrowed = Descriptor(owning: raw)
      let result: Result<[UInt8], Errno>
      do throws(Errno) { result = .success(try borrowed.pread(count: count, offset: offset)) } catch {
        result = .failure(error)
      }
      _ = borrowed.release()
      switch result {
      case .success(let bytes): return bytes
      case .failure(let errno): throw .unreadable(errno)
      }
    }
  }

  /// `read` returns fewer bytes where the file ends.
  private init(_ read: (_ offset: UInt64, _ count: Int) throws(ELFError) -> [UInt8]) throws(ELFError) {
    let head = Fields(try read(0, 64))
    guard head.bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]), head.bytes.count >= 20 else { throw .notELF }
    guard head.bytes[4] == 2 else { throw head.bytes[4] == 1 ? .class32 : .malformed }
    guard head.bytes[5] == 1 else { throw head.bytes[5] == 2 ? .bigEndian : .malformed }
    machine = head.u16(18)
    guard machine == 62 else { throw .machine(machine) }
    guard head.bytes.count == 64, let kind = Kind(rawValue: head.u16(16)) else { throw .malformed }
    self.kind = kind
    entry = head.u64(24)
    programHeaderOffset = head.u64(32)
    let count = Int(head.u16(56))
    // The kernel's own limits: load_elf_phdrs takes 64 KB of them.
    guard count == 0 || head.u16(54) == 56, count * 56 <= 65536 else { throw .malformed }
    let table = Fields(try read(programHeaderOffset, count * 56))
    guard table.bytes.count == count * 56 else { throw .malformed }
    segments = (0..<count).map { Segment(table, at: $0 * 56) }

    var interpreter: String?
    var buildID: [UInt8] = []
    for segment in segments {
      if segment.type == Segment.interpreter, interpreter == nil {
        guard (2...4096).contains(segment.fileSize) else { throw .malformed }
        let name = try read(segment.offset, Int(segment.fileSize))
        guard name.count == Int(segment.fileSize), name.last == 0 else { throw .malformed }
        interpreter = String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
      } else if segment.type == Segment.note, buildID.isEmpty, segment.fileSize <= 1 << 20 {
        let notes = Fields(try read(segment.offset, Int(segment.fileSize)))
        buildID = notes.buildID(alignment: segment.alignment == 8 ? 8 : 4)
      }
    }
    self.interpreter = interpreter
    self.buildID = buildID
  }
}

extension ELFHeader.Segment {
  fileprivate init(_ table: Fields, at base: Int) {
    type = table.u32(base)
    flags = table.u32(base + 4)
    offset = table.u64(base + 8)
    address = table.u64(base + 16)
    fileSize = table.u64(base + 32)
    memorySize = table.u64(base + 40)
    alignment = table.u64(base + 48)
  }
}

/// Little-endian numbers at byte offsets that the caller has checked.
private struct Fields {
  let bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func u16(_ at: Int) -> UInt16 { UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8 }
  func u32(_ at: Int) -> UInt32 { UInt32(u16(at)) | UInt32(u16(at + 2)) << 16 }
  func u64(_ at: Int) -> UInt64 { UInt64(u32(at)) | UInt64(u32(at + 4)) << 32 }

  /// The descriptor of the note GNU/3, empty when there is none.
  func buildID(alignment: Int) -> [UInt8] {
    var at = 0
    while at + 12 <= bytes.count {
      let nameSize = Int(u32(at)), size = Int(u32(at + 4)), type = u32(at + 8)
      let name = at + 12
      let data = name + ((nameSize + 3) & ~3)
      guard data + size <= bytes.count else { return [] }
      if type == 3, nameSize == 4, Array(bytes[name..<name + 4]) == [0x47, 0x4e, 0x55, 0] {
        return Array(bytes[data..<data + size])
      }
      at = (data + size + alignment - 1) & ~(alignment - 1)
    }
    return []
  }
}
