import Replay

/// The engine that replays a tape, at its first moment.
func openEngine(_ options: ReplayOptions, tape: UInt64) throws(ReplayError) -> any Engine {
  throw ReplayError("the debugger's engine is not in this build", hint: "replay without it: bis replay -a")
}
