/// Reads and writes registers.
public protocol RegisterAccess: AnyObject {
  /// The values of all registers of `targetDescription`, in its order, each in its size, little-endian; nil: not known.
  /// Gives one value per register.
  func registerValues(of thread: ThreadID) throws(TargetError) -> [[UInt8]?]
  /// One of them; `index` is in range.
  func registerValue(_ index: Int, of thread: ThreadID) throws(TargetError) -> [UInt8]?
  /// Sets one. `index` is in range and `value` has the register's size. A replay that may not be changed throws, or
  /// sets it in a throw-away copy: gdb calls functions that way.
  func setRegisterValue(_ index: Int, of thread: ThreadID, to value: [UInt8]) throws(TargetError)
  /// Sets several at once (`G`): by default one after the other; those that do not change are left out.
  func setRegisterValues(_ values: [(index: Int, value: [UInt8])], of thread: ThreadID) throws(TargetError)
}

extension RegisterAccess {
  public func registerValue(_ index: Int, of thread: ThreadID) throws(TargetError) -> [UInt8]? {
    let values = try registerValues(of: thread)
    return values.indices.contains(index) ? values[index] : nil
  }

  public func setRegisterValues(_ values: [(index: Int, value: [UInt8])], of thread: ThreadID) throws(TargetError) {
    for (index, value) in values { try setRegisterValue(index, of: thread, to: value) }
  }
}
