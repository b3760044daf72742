// What lldb says besides what gdb says. It speaks the same protocol, with packets of its own for what it wants to know first.

/// `QThreadSuffixSupported`: a client that asks this is lldb. The suffix itself is not needed.
///
/// lldb reads `reason:exec` for a process that becomes another program, and wants to hear of nothing else: it would detach
/// from every child by itself.
let threadSuffix: PacketHandler = { (session, packet) throws(TargetError) in
  try packet.expectEnd()
  session.isLLDB = true
  session.target.processEvents?.reportProcessEvents(.exec)
  return .unknown
}

/// `qHostInfo`: the machine; what it has to do with the program comes with `qProcessInfo`.
let hostInformation: PacketHandler = { (session, packet) throws(TargetError) in
  try packet.expectEnd()
  guard session.target.registers != nil else { return .unknown }
  return .text("triple:\(lldbTriple);ptrsize:8;endian:little;")
}

/// `qProcessInfo`
let processInformation: PacketHandler = { (session, packet) throws(TargetError) in
  try packet.expectEnd()
  let process = try session.requireThread().process
  return .text("pid:\(hex(process));triple:\(lldbTriple);ostype:linux;vendor:unknown;endian:little;ptrsize:8;")
}

private let lldbTriple = hexText("x86_64-unknown-linux-gnu")
