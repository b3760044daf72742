/// Files as the target had them, to be read by gdb (`set sysroot target:`).
public protocol FileAccess: AnyObject {
  /// Opens to read. `path` comes from gdb as it is: absolute as a rule; relative ones are of the process's directory.
  /// `process` nil: of the current one. Throws ENOENT (2), EACCES (13) and so on.
  func openFile(_ path: String, process: Int?) throws(TargetError) -> any TargetFile
  /// What a symbolic link holds; throws EINVAL (22) when it is none.
  func readLink(_ path: String, process: Int?) throws(TargetError) -> String
}

/// An open file; closed when gdb closes it or leaves (the session lets go of it).
public protocol TargetFile: AnyObject {
  var size: UInt64 { get }
  /// Type and permission bits (`st_mode`).
  var mode: UInt32 { get }
  /// Seconds since 1970.
  var modificationTime: UInt32 { get }
  /// The bytes at `offset`, at most `count`; empty at the end.
  func read(at offset: UInt64, count: Int) throws(TargetError) -> [UInt8]
}

extension TargetFile {
  /// A plain file, readable by all.
  public var mode: UInt32 { 0o100444 }
  public var modificationTime: UInt32 { 0 }
}
