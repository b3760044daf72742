// qSupported and what else settles how the conversation goes.

/// `qSupported[:FEATURE;…]`: gdb says what it reads, we say what there is. It follows from the capabilities.
let supported: PacketHandler = { (session, packet) throws(TargetError) in
  _ = packet.take(":")
  session.client = []
  while !packet.isAtEnd {
    let feature = packet.textField(until: ";")
    if feature.hasSuffix("+"), session.client.count < 100 { session.client.insert(String(feature.dropLast())) }
  }
  session.reportProcessEvents()
  return .text(session.features.joined(separator: ";"))
}

extension Session {
  var features: [String] {
    var features = [
      "PacketSize=\(hex(Session.maximumPacketSize))", "QStartNoAckMode+", "multiprocess+", "error-message+",
    ]
    func add(_ capability: Any?, _ names: String...) { if capability != nil { features += names } }
    add(target.registers, "qXfer:features:read+", "qXfer:threads:read+")
    add(target.memory, "binary-upload+")
    add(target.resumption, "vContSupported+")
    add(target.reverse, "ReverseContinue+", "ReverseStep+")
    add(target.breakpoints, "swbreak+", "hwbreak+", "ConditionalBreakpoints+")
    add(target.systemCallCatching, "QCatchSyscalls+")
    add(target.signalPassing, "QPassSignals+")
    add(target.threadEvents, "QThreadEvents+", "no-resumed+")
    add(target.auxiliaryVector, "qXfer:auxv:read+")
    add(target.signalInfo, "qXfer:siginfo:read+")
    add(target.executable, "qXfer:exec-file:read+")
    add(target.libraries, "qXfer:libraries-svr4:read+")
    add(target.systemInformation, "qXfer:osdata:read+")
    if let events = target.processEvents?.possibleProcessEvents {
      for (event, name) in processEventNames where events.contains(event) { features.append("\(name)+") }
    }
    return features
  }

  /// Asks for the events that gdb can read.
  fileprivate func reportProcessEvents() {
    guard let reporting = target.processEvents else { return }
    var events: ProcessEvents = []
    for (event, name) in processEventNames where client.contains(name) { events.insert(event) }
    reporting.reportProcessEvents(events.intersection(reporting.possibleProcessEvents))
  }
}

private let processEventNames: [(ProcessEvents, String)] = [
  (.fork, "fork-events"), (.vfork, "vfork-events"), (.exec, "exec-events"),
]

/// `QStartNoAckMode`: the line loses nothing, no more `+`.
let startNoAckMode: PacketHandler = { (session, packet) throws(TargetError) in
  try packet.expectEnd()
  session.acknowledges = false
  return .ok
}

/// `QNonStop:0`: stop all threads when one stops. There is nothing else.
let nonStop: PacketHandler = { (_, packet) throws(TargetError) in
  try packet.expect(":")
  guard try packet.number() == 0 else { throw TargetError(code: 95, "All threads stop together here") }
  return .ok
}

/// `!`: stay when everything has exited, so that `run` begins again.
let extended: PacketHandler = { (session, _) throws(TargetError) in
  guard session.target.restarting != nil else { return .unknown }
  session.isExtended = true
  return .ok
}

/// `vMustReplyEmpty`: gdb tests what an unknown packet gets.
let unknown: PacketHandler = { (_, _) throws(TargetError) in .unknown }

/// `qSymbol::`: gdb offers to look up symbols; nothing is wanted.
let symbols: PacketHandler = { (_, _) throws(TargetError) in .ok }
