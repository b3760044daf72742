// Ends and beginnings of what is debugged.

/// `?`: why does nothing run.
let lastStop: PacketHandler = { (session, packet) throws(TargetError) in
  try packet.expectEnd()
  return session.reply(to: session.target.lastStop)
}

/// `qAttached[:PID]`: 1: detach at the end; 0: kill.
let attached: PacketHandler = { (session, _) throws(TargetError) in .text(session.target.isAttached ? "1" : "0") }

/// `k`: kill everything. No reply.
let kill: PacketHandler = { (session, _) throws(TargetError) in
  session.target.kill(process: nil)
  session.isOver = !session.isExtended
  return .nothing
}

/// `vKill;PID`
let killProcess: PacketHandler = { (session, packet) throws(TargetError) in
  try packet.expect(";")
  let process = try packet.smallNumber()
  try packet.expectEnd()
  session.target.kill(process: process)
  session.isOver = session.isLast(process)
  return .ok
}

/// `D[;PID]`: leave it alone from now on.
let detach: PacketHandler = { (session, packet) throws(TargetError) in
  let process = try packet.take(";") ? packet.smallNumber() : nil
  try packet.expectEnd()
  session.target.detach(process: process)
  session.isOver = session.isLast(process)
  return .ok
}

/// `vRun;FILE[;ARGUMENT…]`: begin again, with what was recorded, whatever gdb names.
let run: PacketHandler = { (session, packet) throws(TargetError) in
  guard session.target.restarting != nil else { return .unknown }
  return session.reply(to: try session.restart())
}

/// `R XX`: the same, without a reply.
let restart: PacketHandler = { (session, packet) throws(TargetError) in
  guard session.target.restarting != nil else { return .unknown }
  _ = try session.restart()
  return .nothing
}

extension Session {
  /// Whether the conversation ends with this process.
  fileprivate func isLast(_ process: Int?) -> Bool {
    !isExtended && !target.threads.allThreads.contains { process != nil && $0.process != process }
  }

  fileprivate func restart() throws(TargetError) -> StopReply {
    guard let restarting = target.restarting else { throw .invalid }
    let stop = try restarting.restart()
    stopped(stop)
    return stop
  }
}
