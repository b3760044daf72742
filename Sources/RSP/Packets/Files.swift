// vFile: files as the target had them, to be read only. Numbers of errors are the protocol's own ("File-I/O remote
// protocol extension, Errno Values"); they are Linux's for all that files give, but for ENOSYS and ENAMETOOLONG.

/// `vFile:OPERATION:ARGUMENTS`. Replies `F RESULT[,ERRNO][;DATA]`.
let file: PacketHandler = { (session, packet) throws(TargetError) in
  guard session.target.files != nil else { return .unknown }
  try packet.expect(":")
  let operation = packet.textField(until: ":")
  do throws(TargetError) {
    switch operation {
    case "setfs": return try session.setFileSystem(&packet)
    case "open": return try session.openFile(&packet)
    case "close": return try session.closeFile(&packet)
    case "pread": return try session.readFile(&packet)
    case "fstat": return try session.statFile(&packet)
    case "stat", "lstat": return try session.statPath(&packet)
    case "readlink": return try session.readLink(&packet)
    case "pwrite", "unlink": throw TargetError(code: 30)
    default: return .unknown
    }
  } catch {
    let codes: [UInt8: Int] = [0: 9999, 38: 88, 36: 91]
    return .text("F-1,\(hex(codes[error.code] ?? Int(error.code)))")
  }
}

extension Session {
  /// `setfs:PID`: whose view of files counts; 0: ours.
  fileprivate func setFileSystem(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let process = try packet.smallNumber()
    fileProcess = process == 0 ? nil : process
    return .text("F0")
  }

  /// `open:PATH,FLAGS,MODE`
  fileprivate func openFile(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let path = try packet.hexTextField(until: ",")
    let flags = try packet.smallNumber()
    try packet.expect(",")
    _ = try packet.smallNumber()
    guard flags == 0 else { throw TargetError(code: 30) }
    guard let number = (3..<3 + Session.maximumFiles).first(where: { files[$0] == nil }) else {
      throw TargetError(code: 24)
    }
    files[number] = try access().openFile(path, process: fileProcess)
    return .text("F\(hex(number))")
  }

  /// `close:FILE`
  fileprivate func closeFile(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    guard files.removeValue(forKey: try packet.smallNumber()) != nil else { throw TargetError(code: 9) }
    return .text("F0")
  }

  /// `pread:FILE,COUNT,OFFSET`
  fileprivate func readFile(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let file = try openFile(number: packet.smallNumber())
    try packet.expect(",")
    let count = min(try packet.smallNumber(), Session.maximumPacketSize / 2 - 16)
    try packet.expect(",")
    let offset = try packet.number()
    let bytes = Array(try file.read(at: offset, count: count).prefix(count))
    return .bytes(Array("F\(hex(bytes.count));".utf8) + escapedBinary(bytes))
  }

  /// `fstat:FILE`
  fileprivate func statFile(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    statReply(try openFile(number: packet.smallNumber()))
  }

  /// `stat:PATH`
  fileprivate func statPath(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let path = try packet.hexTextField(until: ",")
    return statReply(try access().openFile(path, process: fileProcess))
  }

  /// `readlink:PATH`
  fileprivate func readLink(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let path = try packet.hexTextField(until: ",")
    let content = Array(try access().readLink(path, process: fileProcess).utf8.prefix(4096))
    return .bytes(Array("F\(hex(content.count));".utf8) + escapedBinary(content))
  }

  private func access() throws(TargetError) -> any FileAccess {
    guard let files = target.files else { throw TargetError(code: 38) }
    return files
  }

  private func openFile(number: Int) throws(TargetError) -> any TargetFile {
    guard let file = files[number] else { throw TargetError(code: 9) }
    return file
  }

  /// The protocol's `struct stat`: 64 bytes, big-endian.
  private func statReply(_ file: any TargetFile) -> Reply {
    var bytes: [UInt8] = []
    func append(_ value: UInt64, _ count: Int) {
      bytes += (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }
    // dev, ino, mode, nlink, uid, gid, rdev
    for value in [0, 0, UInt64(file.mode), 1, 0, 0, 0] { append(value, 4) }
    // size, blksize, blocks
    for value in [file.size, 4096, file.size / 512 + (file.size % 512 == 0 ? 0 : 1)] { append(value, 8) }
    // atime, mtime, ctime
    for _ in 0..<3 { append(UInt64(file.modificationTime), 4) }
    return .bytes(Array("F\(hex(bytes.count));".utf8) + escapedBinary(bytes))
  }
}
