public import Linux
public import RSP

/// A connected socket as the protocol's line.
public final class SocketConnection: Connection {
  private let descriptor: Descriptor

  public init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

  public func read(timeoutMilliseconds: Int?) -> ConnectionInput {
    do throws(Errno) {
      guard try descriptor.waitUntilReadable(milliseconds: timeoutMilliseconds) else { return .nothing }
      let bytes = try descriptor.read(count: 65536)
      return bytes.isEmpty ? .closed : .bytes(bytes)
    } catch {
      return .closed
    }
  }

  public func write(_ bytes: [UInt8]) -> Bool { (try? descriptor.sendFully(bytes)) != nil }
}
