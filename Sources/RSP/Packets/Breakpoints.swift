// Z z: breakpoints and watchpoints.

/// `Z KIND,ADDRESS,LENGTH[;X LENGTH,BYTECODE…]`
let insertBreakpoint: PacketHandler = { (session, packet) throws(TargetError) in
  guard let breakpoints = session.target.breakpoints,
    let breakpoint = try readBreakpoint(&packet, breakpoints.breakpointKinds)
  else { return .unknown }
  try breakpoints.insertBreakpoint(breakpoint, process: session.requireThread().process)
  return .ok
}

/// `z KIND,ADDRESS,LENGTH`
let removeBreakpoint: PacketHandler = { (session, packet) throws(TargetError) in
  guard let breakpoints = session.target.breakpoints,
    let breakpoint = try readBreakpoint(&packet, breakpoints.breakpointKinds)
  else { return .unknown }
  // Nothing to take it from: all has exited.
  guard let thread = session.generalThread else { return .ok }
  try breakpoints.removeBreakpoint(breakpoint, process: thread.process)
  return .ok
}

/// Nil: a kind that is not there.
private func readBreakpoint(
  _ packet: inout PacketReader, _ kinds: Set<BreakpointKind>
) throws(TargetError) -> Breakpoint? {
  guard let kind = BreakpointKind(rawValue: UInt8(clamping: try packet.smallNumber())), kinds.contains(kind)
  else { return nil }
  try packet.expect(",")
  let address = try packet.number()
  try packet.expect(",")
  let length = try packet.smallNumber()
  guard !kind.isWatchpoint || length > 0 else { throw .invalid }
  var conditions: [AgentExpression] = []
  while packet.take(";") {
    if packet.next == UInt8(ascii: "c") { throw TargetError(code: 95, "Commands are not run by the target") }
    while packet.take("X") {
      let count = try packet.smallNumber()
      try packet.expect(",")
      conditions.append(AgentExpression(code: try packet.hexBytes(count)))
    }
  }
  try packet.expectEnd()
  return Breakpoint(kind: kind, address: address, length: length, conditions: conditions)
}
