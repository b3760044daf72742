/// The line to gdb. Made elsewhere (a socket, a pipe): this module does no I/O.
public protocol Connection: AnyObject {
  /// Waits at most so long (0: not at all; nil: until something comes) and gives what came, in any fragmentation.
  func read(timeoutMilliseconds: Int?) -> ConnectionInput
  /// Sends all of it; false when the other side is gone.
  func write(_ bytes: [UInt8]) -> Bool
}

public enum ConnectionInput: Equatable, Sendable {
  /// Not empty.
  case bytes([UInt8])
  /// Nothing came in time.
  case nothing
  /// gdb is gone.
  case closed
}
