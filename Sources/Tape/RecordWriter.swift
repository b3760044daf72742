// Values to records, in a caller's buffer (a ring segment).
import CABI

/// Appends records to a buffer that the caller owns. Every function that appends returns the offset of the record,
/// or nil, with nothing written, when it does not fit: the caller then pads and goes on in the next segment.
public struct RecordWriter {
  /// Where records go; must outlive the writer.
  public let buffer: UnsafeMutableRawBufferPointer
  /// Where the next record goes, in bytes; a multiple of 8.
  public private(set) var position: Int

  /// Appends to `buffer` from byte `position`, a multiple of 8.
  public init(buffer: UnsafeMutableRawBufferPointer, position: Int = 0) {
    precondition(position % 8 == 0 && position >= 0 && position <= buffer.count, "record position \(position)")
    self.buffer = buffer
    self.position = position
  }

  /// Bytes that are left.
  public var available: Int { buffer.count - position }

  /// Appends an event's head. `effectCount` may be set later with `setEffectCount`.
  @discardableResult
  public mutating func event(_ head: EventHead) -> Int? {
    guard let at = begin(TapeFormat.headSize, head.kind.rawValue, head.flags.rawValue, head.effectCount) else {
      return nil
    }
    store(head.number, at + 8)
    store(head.tid, at + 12)
    store(head.stamp, at + 16)
    store(head.tsc, at + 24)
    store(head.ticks, at + 32)
    store(head.rip, at + 40)
    store(head.value, at + 48)
    store(head.value2, at + 56)
    store(head.registers, at + 64)
    for (i, word) in head.arguments.array.enumerated() { store(word, at + 72 + i * 8) }
    return at
  }

  /// Sets how many effects the event whose head is at `offset` has.
  public mutating func setEffectCount(_ count: UInt16, at offset: Int) {
    precondition(offset >= 0 && offset + TapeFormat.headSize <= position, "no head at \(offset)")
    store(count, offset + 6)
  }

  /// Appends a memory effect and returns where its bytes go: the caller must fill all of them.
  /// - Precondition: `length` is at most `TapeFormat.maximumPayloadSize`.
  public mutating func reserveMemory(address: UInt64, length: Int) -> UnsafeMutableRawBufferPointer? {
    reservePayload(.memory, address: address, length: length)
  }

  /// Appends an effect with a payload (memory, extendedState, signalInfo) and returns where its bytes go.
  /// - Precondition: `length` is at most `TapeFormat.maximumPayloadSize`.
  public mutating func reservePayload(
    _ kind: EffectKind, address: UInt64 = 0, length: Int
  ) -> UnsafeMutableRawBufferPointer? {
    precondition(
      kind == .memory || kind == .extendedState || kind == .signalInfo || kind == .output, "\(kind) has no payload")
    precondition(length >= 0 && length <= TapeFormat.maximumPayloadSize, "payload of \(length) bytes")
    let header = TapeFormat.payloadHeaderSize
    guard let at = begin(header + (length + 7) & ~7, kind.rawValue) else { return nil }
    store(address, at + 8)
    store(UInt64(length), at + 16)
    if length % 8 != 0 { store(UInt64(0), position - 8) }
    return UnsafeMutableRawBufferPointer(rebasing: buffer[at + header..<at + header + length])
  }

  /// Appends a memory effect.
  @discardableResult
  public mutating func memory(address: UInt64, bytes: UnsafeRawBufferPointer) -> Int? {
    payload(.memory, address: address, bytes: bytes)
  }

  /// Appends an effect with a payload (memory, extendedState, signalInfo).
  @discardableResult
  public mutating func payload(_ kind: EffectKind, address: UInt64 = 0, bytes: UnsafeRawBufferPointer) -> Int? {
    let at = position
    guard let room = reservePayload(kind, address: address, length: bytes.count) else { return nil }
    room.copyMemory(from: bytes)
    return at
  }

  /// Appends a mapping.
  @discardableResult
  public mutating func map(_ mapping: Mapping) -> Int? {
    guard let at = begin(MemoryLayout<bis_effect_map>.size, EffectKind.map.rawValue) else { return nil }
    store(mapping.address, at + 8)
    store(mapping.length, at + 16)
    store(mapping.protection, at + 24)
    store(mapping.flags, at + 28)
    store(mapping.file.map { Int64($0) } ?? -1, at + 32)
    store(mapping.offset, at + 40)
    return at
  }

  /// Appends general registers.
  @discardableResult
  public mutating func registers(_ values: RegisterValues) -> Int? {
    words(.registers, values.general + [values.rip, values.rflags, values.fsBase, values.gsBase])
  }

  /// Appends any effect. - Precondition: its payload is complete.
  @discardableResult
  public mutating func effect(_ effect: Effect) -> Int? {
    switch effect {
    case .memory(let address, let payload): self.payload(.memory, address, payload)
    case .extendedState(let payload): self.payload(.extendedState, 0, payload)
    case .signalInfo(let payload): self.payload(.signalInfo, 0, payload)
    case .map(let mapping): map(mapping)
    case .unmap(let address, let length): words(.unmap, [address, length, 0])
    case .protect(let address, let length, let protection): words(.protect, [address, length, protection])
    case .remap(let oldAddress, let oldLength, let newAddress, let newLength):
      words(.remap, [oldAddress, oldLength, newAddress, newLength])
    case .process(let tape, let pid): words(.process, [tape, pid])
    case .registers(let values): registers(values)
    case .advise(let address, let length, let advice): words(.advise, [address, length, advice])
    case .bases(let fs, let gs): words(.bases, [fs, gs, 0])
    case .output(let stream, let payload):
      payload.bytes.withUnsafeBytes { self.payload(.output, address: stream, bytes: $0) }
    case .thread(let tid, let stack, let fs): words(.thread, [tid, stack, fs])
    case .name(let low, let high): words(.name, [low, high, 0])
    case .limit(let resource, let soft): words(.limit, [resource, soft, 0])
    case .checksumRange(let address, let length, let checksum): words(.checksumRange, [address, length, checksum])
    }
  }

  /// Fills what is left with a PAD record.
  public mutating func pad() {
    guard available >= 8 else { return }
    _ = begin(available & ~7, 0)
  }

  private mutating func payload(_ kind: EffectKind, _ address: UInt64, _ payload: Payload) -> Int? {
    precondition(payload.isComplete, "only \(payload.bytes.count) of \(payload.length) bytes")
    return payload.bytes.withUnsafeBytes { self.payload(kind, address: address, bytes: $0) }
  }

  private mutating func words(_ kind: EffectKind, _ words: [UInt64]) -> Int? {
    guard let at = begin(8 + 8 * words.count, kind.rawValue) else { return nil }
    for (index, word) in words.enumerated() { store(word, at + 8 + 8 * index) }
    return at
  }

  /// Writes a record's header and moves on.
  private mutating func begin(_ size: Int, _ kind: UInt8, _ flags: UInt8 = 0, _ effects: UInt16 = 0) -> Int? {
    guard size <= available else { return nil }
    let at = position
    store(UInt32(size), at)
    store(kind, at + 4)
    store(flags, at + 5)
    store(effects, at + 6)
    position += size
    return at
  }

  private func store<T: BitwiseCopyable>(_ value: T, _ offset: Int) {
    buffer.storeBytes(of: value, toByteOffset: offset, as: T.self)
  }
}
