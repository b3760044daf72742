// qXfer: objects that gdb reads whole, in parts.

/// `qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH`: `m` and a part, or `l` and the last part.
let transfer: PacketHandler = { (session, packet) throws(TargetError) in
  try packet.expect(":")
  let object = packet.textField(until: ":")
  guard packet.textField(until: ":") == "read" else { return .unknown }
  let annex = packet.textField(until: ":")
  let offset = try packet.smallNumber()
  try packet.expect(",")
  let length = try packet.smallNumber()
  try packet.expectEnd()
  guard let content = try session.content(of: object, annex, isNew: offset == 0) else { return .unknown }
  guard offset < content.count else { return .text("l") }
  // Escaped, a part may be twice as long.
  let part = Array(content[offset...].prefix(min(length, Session.maximumPacketSize / 2 - 8)))
  let isLast = offset + part.count == content.count
  return .bytes([UInt8(ascii: isLast ? "l" : "m")] + escapedBinary(part))
}

extension Session {
  /// The object as it was when its beginning was read; nil: there is no such object.
  fileprivate func content(of object: String, _ annex: String, isNew: Bool) throws(TargetError) -> [UInt8]? {
    let name = "\(object):\(annex)"
    if !isNew, let transfer, transfer.object == name { return transfer.content }
    let content = try make(object, annex)
    transfer = content.map { (name, $0) }
    return content
  }

  private func make(_ object: String, _ annex: String) throws(TargetError) -> [UInt8]? {
    switch object {
    case "features" where target.registers != nil:
      guard annex == "target.xml" else { throw TargetError(code: 2, "No such document") }
      return Array(target.targetDescription.xml.utf8)
    case "threads": return Array(threadsXML.utf8)
    case "auxv": return try target.auxiliaryVector?.auxiliaryVector(of: requireThread().process)
    case "siginfo": return try target.signalInfo?.signalInfo(of: requireThread())
    case "exec-file":
      guard let executable = target.executable else { return nil }
      return Array(try executable.executablePath(of: process(annex)).utf8)
    case "libraries-svr4":
      guard let libraries = target.libraries else { return nil }
      return Array(try libraries.libraryListXML(of: requireThread().process).utf8)
    case "osdata":
      guard let information = target.systemInformation else { return nil }
      guard let text = information.systemInformationXML(annex) else {
        throw TargetError(code: 2, "No such information")
      }
      return Array(text.utf8)
    default: return nil
    }
  }

  private func process(_ annex: String) throws(TargetError) -> Int {
    guard !annex.isEmpty else { return try requireThread().process }
    var reader = PacketReader(Array(annex.utf8))
    return try reader.smallNumber()
  }

  private var threadsXML: String {
    var text = "<?xml version=\"1.0\"?>\n<threads>\n"
    for thread in target.threads.allThreads {
      text += "<thread id=\"\(name(thread))\""
      if let name = target.threads.name(of: thread) { text += " name=\"\(escapedXML(name))\"" }
      text += ">\(escapedXML(target.threads.details(of: thread) ?? ""))</thread>\n"
    }
    return text + "</threads>\n"
  }
}
