// vCont and its ancestors c C s S: run until something happens.

/// `vCont?`: which actions there are.
let resumeActions: PacketHandler = { (session, packet) throws(TargetError) in
  try packet.expectEnd()
  return session.target.resumption == nil ? .unknown : .text("vCont;c;C;s;S;r")
}

/// `vCont;ACTION[:THREADS];…`: the first action that fits a thread is its.
let resume: PacketHandler = { (session, packet) throws(TargetError) in
  guard session.target.resumption != nil else { return .unknown }
  var actions: [ResumeAction] = []
  while packet.take(";") {
    guard actions.count < 10_000 else { throw .invalid }
    actions.append(try session.readAction(&packet))
  }
  try packet.expectEnd()
  return try session.resume(actions)
}

/// `c`
let resumeAll: PacketHandler = { (session, packet) throws(TargetError) in
  try session.resumeOldStyle(&packet, .run, hasSignal: false)
}

/// `C SIGNAL`
let resumeAllWithSignal: PacketHandler = { (session, packet) throws(TargetError) in
  try session.resumeOldStyle(&packet, .run, hasSignal: true)
}

/// `s`
let step: PacketHandler = { (session, packet) throws(TargetError) in
  try session.resumeOldStyle(&packet, .instruction, hasSignal: false)
}

/// `S SIGNAL`
let stepWithSignal: PacketHandler = { (session, packet) throws(TargetError) in
  try session.resumeOldStyle(&packet, .instruction, hasSignal: true)
}

extension Session {
  fileprivate func readAction(_ packet: inout PacketReader) throws(TargetError) -> ResumeAction {
    var action = ResumeAction(threads: .all, step: .run)
    if packet.take("c") {
    } else if packet.take("s") {
      action.step = .instruction
    } else if packet.take("C") {
      action.signal = try readSignal(&packet)
    } else if packet.take("S") {
      action.step = .instruction
      action.signal = try readSignal(&packet)
    } else {
      try packet.expect("r")
      let start = try packet.number()
      try packet.expect(",")
      action.step = .range(start: start, end: try packet.number())
    }
    if packet.take(":") { action.threads = try readSelector(&packet) }
    return action
  }

  fileprivate func readSignal(_ packet: inout PacketReader) throws(TargetError) -> Int {
    guard let signal = linuxSignal(try packet.number()) else { throw TargetError(code: 22, "No such signal") }
    return signal
  }

  /// Steps step one thread, and let the others run unless `Hc` named it.
  fileprivate func resumeOldStyle(
    _ packet: inout PacketReader, _ step: ResumeStep, hasSignal: Bool
  ) throws(TargetError) -> Reply {
    guard target.resumption != nil else { return .unknown }
    let signal = hasSignal ? try readSignal(&packet) : 0
    guard packet.isAtEnd else { throw TargetError(code: 95, "Set $pc to go on elsewhere") }
    var actions: [ResumeAction] = []
    if case .thread = resumeSelector {
      actions = [ResumeAction(threads: resumeSelector, step: step, signal: signal)]
    } else {
      actions = [
        ResumeAction(threads: .thread(try requireThread()), step: step, signal: signal),
        ResumeAction(threads: .all, step: .run),
      ]
    }
    return try resume(actions)
  }

  fileprivate func resume(_ actions: [ResumeAction]) throws(TargetError) -> Reply {
    guard let resumption = target.resumption, !actions.isEmpty else { throw .invalid }
    return try afterRun { () throws(TargetError) in
      try resumption.resume(actions) { line.isInterrupted }
    }
  }

  /// Runs the target by `body` and tells why it stopped.
  func afterRun(_ body: () throws(TargetError) -> StopReply) throws(TargetError) -> Reply {
    transfer = nil
    pendingThreads = []
    let stop = try body()
    stopped(stop)
    return reply(to: stop)
  }

  /// What gdb looks at from now on.
  func stopped(_ stop: StopReply) {
    chosenThread = stop.thread
    transfer = nil
  }
}
