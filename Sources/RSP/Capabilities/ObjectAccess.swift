// What gdb reads whole (`qXfer`).

public protocol AuxiliaryVectorAccess: AnyObject {
  /// The ELF auxiliary vector as it is in memory: pairs of 8 bytes, with AT_NULL at the end.
  func auxiliaryVector(of process: Int) throws(TargetError) -> [UInt8]
}

public protocol SignalInfoAccess: AnyObject {
  /// The 128 bytes of siginfo_t of the signal that the thread stopped for; throws when there is none.
  func signalInfo(of thread: ThreadID) throws(TargetError) -> [UInt8]
}

public protocol ExecutableAccess: AnyObject {
  /// Absolute path of the program.
  func executablePath(of process: Int) throws(TargetError) -> String
}

public protocol LibraryAccess: AnyObject {
  /// The `<library-list-svr4>` document. Without this capability gdb walks the list in memory itself.
  func libraryListXML(of process: Int) throws(TargetError) -> String
}

public protocol SystemInformationAccess: AnyObject {
  /// The `<osdata>` document of a kind ("processes", "threads", …; "": the list of kinds), or nil.
  func systemInformationXML(_ kind: String) -> String?
}
