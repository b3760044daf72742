// What gdb wants to hear of.

/// `QPassSignals:SIGNAL;…`: deliver these without a stop.
let passSignals: PacketHandler = { (session, packet) throws(TargetError) in
  guard let passing = session.target.signalPassing else { return .unknown }
  try packet.expect(":")
  var signals: Set<Int> = []
  while !packet.isAtEnd {
    if let signal = linuxSignal(try packet.number()), signal != 0 { signals.insert(signal) }
    if !packet.isAtEnd { try packet.expect(";") }
  }
  passing.passSignals(signals)
  return .ok
}

/// `QCatchSyscalls:0`, `QCatchSyscalls:1[;NUMBER…]`
let catchSystemCalls: PacketHandler = { (session, packet) throws(TargetError) in
  guard let catching = session.target.systemCallCatching else { return .unknown }
  try packet.expect(":")
  let isOn = try packet.number() != 0
  var numbers: Set<Int> = []
  while packet.take(";") { numbers.insert(try packet.smallNumber()) }
  try packet.expectEnd()
  try catching.catchSystemCalls(isOn ? numbers : nil, process: session.requireThread().process)
  return .ok
}

/// `QThreadEvents:0`, `QThreadEvents:1`
let threadEvents: PacketHandler = { (session, packet) throws(TargetError) in
  guard let reporting = session.target.threadEvents else { return .unknown }
  try packet.expect(":")
  let isOn = try packet.number() != 0
  try packet.expectEnd()
  reporting.reportThreadEvents(isOn)
  return .ok
}
