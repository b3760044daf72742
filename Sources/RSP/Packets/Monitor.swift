// qRcmd: `monitor COMMAND`.

/// `qRcmd,COMMAND` in hexadecimal; text comes in `O` packets before the reply.
let monitor: PacketHandler = { (session, packet) throws(TargetError) in
  guard let access = session.target.monitor else { return .unknown }
  try packet.expect(",")
  let command = String(decoding: try packet.hexBytes(), as: UTF8.self)
  do throws(TargetError) {
    try access.monitor(command, thread: session.generalThread) { session.print($0) }
  } catch {
    // An older gdb shows no message of an error: as output, then.
    if !session.client.contains("error-message"), !error.message.isEmpty { session.print("\(error.message)\n") }
    throw error
  }
  session.transfer = nil
  return .ok
}

extension Session {
  /// Shows text in gdb, in packets of a size that it takes.
  fileprivate func print(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      line.send([UInt8(ascii: "O")] + hexText(rest.prefix(Session.maximumPacketSize / 4)))
      rest = rest.dropFirst(Session.maximumPacketSize / 4)
    }
  }
}
