// bc bs: run backward.

/// `bc`, `bs`. One handler: their names begin with the same byte.
let reverse: PacketHandler = { (session, packet) throws(TargetError) in
  if packet.take("c") { return try reverseContinue(session, &packet) }
  guard packet.take("s") else { return .unknown }
  return try reverseStep(session, &packet)
}

/// `bc`: to the last thing worth telling.
private let reverseContinue: PacketHandler = { (session, packet) throws(TargetError) in
  try session.goBack(&packet, .run)
}

/// `bs`: one instruction.
private let reverseStep: PacketHandler = { (session, packet) throws(TargetError) in
  try session.goBack(&packet, .instruction)
}

extension Session {
  fileprivate func goBack(_ packet: inout PacketReader, _ step: ResumeStep) throws(TargetError) -> Reply {
    guard let reverse = target.reverse else { return .unknown }
    try packet.expectEnd()
    var thread = try requireThread()
    if let chosen = try anyThread(of: resumeSelector) { thread = chosen }
    return try afterRun { () throws(TargetError) in
      try reverse.reverse(step, thread: thread) { line.isInterrupted }
    }
  }
}
