// Stream sockets, to talk to a debugger.
import Glibc

/// A socket that waits for somebody to connect.
public struct Listener: ~Copyable {
  public let descriptor: Descriptor

  /// At a path in the file system, which must not exist; only this user can connect when the directory is his alone. unix(7)
  public static func unix(path: String) throws(Errno) -> Listener {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw .invalid }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return try withUnsafePointer(to: &address) { (pointer) throws(Errno) in
      try listening(AF_UNIX, UnsafeRawPointer(pointer), MemoryLayout<sockaddr_un>.size)
    }
  }

  /// At a port (0: any) of an address in numbers, or "localhost". tcp(7)
  public static func tcp(host: String, port: UInt16) throws(Errno) -> Listener {
    var v4 = sockaddr_in()
    v4.sin_family = sa_family_t(AF_INET)
    v4.sin_port = port.bigEndian
    if inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host, &v4.sin_addr) == 1 {
      return try withUnsafePointer(to: &v4) { (pointer) throws(Errno) in
        try listening(AF_INET, UnsafeRawPointer(pointer), MemoryLayout<sockaddr_in>.size)
      }
    }
    var v6 = sockaddr_in6()
    v6.sin6_family = sa_family_t(AF_INET6)
    v6.sin6_port = port.bigEndian
    guard inet_pton(AF_INET6, host, &v6.sin6_addr) == 1 else { throw .invalid }
    return try withUnsafePointer(to: &v6) { (pointer) throws(Errno) in
      try listening(AF_INET6, UnsafeRawPointer(pointer), MemoryLayout<sockaddr_in6>.size)
    }
  }

  /// The port, when it is a TCP socket.
  public var port: UInt16 {
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    _ = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor.raw, $0, &length) }
    }
    // sin_port and sin6_port are at the same place.
    return withUnsafeBytes(of: &address) { UInt16($0[2]) << 8 | UInt16($0[3]) }
  }

  /// The next connection; nil: nobody came in time. accept(2)
  public func accept(timeoutMilliseconds: Int?) throws(Errno) -> Descriptor? {
    guard try descriptor.waitUntilReadable(milliseconds: timeoutMilliseconds) else { return nil }
    let raw = Glibc.accept(descriptor.raw, nil, nil)
    guard raw >= 0 else { throw Errno(code: errno) }
    _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
    var on: Int32 = 1  // packets are small and answers are waited for; no TCP: no matter
    setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    return Descriptor(owning: raw)
  }

  private static func listening(_ family: Int32, _ address: UnsafeRawPointer, _ size: Int) throws(Errno) -> Listener {
    let raw = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard raw >= 0 else { throw Errno(code: errno) }
    let descriptor = Descriptor(owning: raw)
    var on: Int32 = 1
    setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &on, 4)
    let bound = bind(raw, address.assumingMemoryBound(to: sockaddr.self), socklen_t(size))
    guard bound == 0, listen(raw, 1) == 0 else { throw Errno(code: errno) }
    return Listener(descriptor: descriptor)
  }
}

extension Descriptor {
  /// Whether there is something to read, or the other side is gone; nil: waits as long as it takes. poll(2)
  public func waitUntilReadable(milliseconds: Int?) throws(Errno) -> Bool {
    var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
    while true {
      let count = poll(&entry, 1, milliseconds.map { Int32(clamping: $0) } ?? -1)
      if count >= 0 { return count > 0 }
      if errno != EINTR { throw Errno(code: errno) }
    }
  }

  /// What has come, at most `count` bytes; empty: the other side is gone.
  public func read(count: Int) throws(Errno) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let got = try bytes.withMutableBytes { (buffer) throws(Errno) in try read(into: buffer) }
    bytes.removeLast(count - got)
    return bytes
  }

  /// All of it to a socket, without SIGPIPE when the other side is gone. send(2)
  public func sendFully(_ bytes: [UInt8]) throws(Errno) {
    var done = 0
    while done < bytes.count {
      let sent = bytes.withUnsafeBytes { send(raw, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL)) }
      if sent < 0, errno != EINTR { throw Errno(code: errno) }
      done += max(sent, 0)
    }
  }
}
