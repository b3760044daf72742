// Which tapes belong together.

extension Manifest {
  /// The programs that the process of a tape was, in order: tapes that exec leads through. With the tape of its birth, if it
  /// was forked.
  public func programs(with tape: TapeInfo) -> [TapeInfo] {
    var programs = [tape]
    while let first = programs.first, first.origin == .exec, let parent = first.parent.flatMap({ self.tape($0) }),
      parent.pid == first.pid, parent.number < first.number
    {
      programs.insert(parent, at: 0)
    }
    while let last = programs.last,
      let next = tapes.first(where: {
        $0.origin == .exec && $0.parent == last.number && $0.pid == last.pid && $0.number > last.number
      })
    {
      programs.append(next)
    }
    return programs
  }

  /// The tape with which a process begins that was made by a program.
  public func birth(of pid: Int32, by tape: UInt64) -> TapeInfo? {
    tapes.first { $0.pid == pid && $0.parent == tape && self.tape(tape)?.pid != pid }
  }
}
