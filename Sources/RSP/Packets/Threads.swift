// Which threads there are, and which one is meant.

/// `Hg THREAD`, `Hc THREAD`: what later packets are about.
let chooseThread: PacketHandler = { (session, packet) throws(TargetError) in
  let isGeneral = packet.take("g")
  if !isGeneral { try packet.expect("c") }
  let selector = try session.readSelector(&packet)
  try packet.expectEnd()
  if case .thread(let thread) = selector, !session.target.threads.isAlive(thread) { throw .noSuchThread }
  guard isGeneral else {
    session.resumeSelector = selector
    return .ok
  }
  session.chosenThread = try session.anyThread(of: selector)
  return .ok
}

/// `T THREAD`: is it there?
let isThreadAlive: PacketHandler = { (session, packet) throws(TargetError) in
  guard session.target.threads.isAlive(try session.readThread(&packet)) else { throw .noSuchThread }
  return .ok
}

/// `qC`: the thread that gdb starts with.
let currentThread: PacketHandler = { (session, packet) throws(TargetError) in
  try packet.expectEnd()
  guard let thread = session.generalThread else { return .unknown }
  return .text("QC\(session.name(thread))")
}

/// `qfThreadInfo`: all threads, in parts.
let firstThreads: PacketHandler = { (session, _) throws(TargetError) in
  session.pendingThreads = session.target.threads.allThreads
  return session.nextThreads()
}

/// `qsThreadInfo`: the next part.
let moreThreads: PacketHandler = { (session, _) throws(TargetError) in session.nextThreads() }

/// `qThreadExtraInfo,THREAD`: what `info threads` shows.
let threadDetails: PacketHandler = { (session, packet) throws(TargetError) in
  try packet.expect(",")
  let thread = try session.readThread(&packet)
  guard session.target.threads.isAlive(thread) else { throw .noSuchThread }
  let text = [session.target.threads.name(of: thread), session.target.threads.details(of: thread)].compactMap { $0 }
  return .text(hexText(String(text.joined(separator: ", ").prefix(1000))))
}

extension Session {
  /// What registers and memory are of.
  var generalThread: ThreadID? {
    if let chosenThread, target.threads.isAlive(chosenThread) { return chosenThread }
    return target.threads.currentThread
  }

  func requireThread() throws(TargetError) -> ThreadID {
    guard let thread = generalThread else { throw .noSuchThread }
    return thread
  }

  /// The thread's name, as this gdb reads it.
  func name(_ thread: ThreadID) -> String {
    client.contains("multiprocess") ? thread.description : hex(thread.thread)
  }

  func readSelector(_ packet: inout PacketReader) throws(TargetError) -> ThreadSelector {
    try packet.threadSelector { number in target.threads.allThreads.first { $0.thread == number } }
  }

  func readThread(_ packet: inout PacketReader) throws(TargetError) -> ThreadID {
    let selector = try readSelector(&packet)
    try packet.expectEnd()
    guard let thread = try anyThread(of: selector) else { throw .noSuchThread }
    return thread
  }

  /// One thread of these; nil: the target's choice.
  func anyThread(of selector: ThreadSelector) throws(TargetError) -> ThreadID? {
    switch selector {
    case .thread(let thread): return thread
    case .any, .all: return nil
    case .process(let process):
      if let current = target.threads.currentThread, current.process == process { return current }
      guard let first = target.threads.allThreads.first(where: { $0.process == process }) else { throw .noSuchThread }
      return first
    }
  }

  fileprivate func nextThreads() -> Reply {
    guard !pendingThreads.isEmpty else { return .text("l") }
    let part = pendingThreads.prefix(1000)
    pendingThreads.removeFirst(part.count)
    return .text("m" + part.map { name($0) }.joined(separator: ","))
  }
}
