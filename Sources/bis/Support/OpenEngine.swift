import Replay

/// The engine that replays a tape, at its first moment.
func openEngine(_ options: ReplayOptions, tape: UInt64) throws(ReplayError) -> any Engine {
  try TranslateEngine(options, tape: tape)
}
