// g G p P: registers of the chosen thread, in the order and sizes of the target description.

/// `g`: all; `xx` for bytes that are not known.
let readRegisters: PacketHandler = { (session, packet) throws(TargetError) in
  try packet.expectEnd()
  guard let registers = session.target.registers else { return .unknown }
  let values = try registers.registerValues(of: session.requireThread())
  var text: [UInt8] = []
  for (index, register) in session.target.targetDescription.registers.enumerated() {
    text += registerText(index < values.count ? values[index] : nil, register)
  }
  return .bytes(text)
}

/// `G DATA`: all, or as many as there are.
let writeRegisters: PacketHandler = { (session, packet) throws(TargetError) in
  guard let registers = session.target.registers else { return .unknown }
  let thread = try session.requireThread()
  let old = try registers.registerValues(of: thread)
  let data = packet.rest()
  var changed: [(index: Int, value: [UInt8])] = []
  var position = 0
  for (index, register) in session.target.targetDescription.registers.enumerated() {
    let end = position + register.byteCount * 2
    guard end <= data.count else { break }
    // "xx": leave as it is.
    if data[position] != UInt8(ascii: "x") {
      var part = PacketReader(Array(data[position..<end]))
      let value = try part.hexBytes()
      if index >= old.count || old[index] != value { changed.append((index, value)) }
    }
    position = end
  }
  guard position == data.count else { throw .invalid }
  try registers.setRegisterValues(changed, of: thread)
  return .ok
}

/// `p NUMBER`
let readRegister: PacketHandler = { (session, packet) throws(TargetError) in
  guard let registers = session.target.registers else { return .unknown }
  let index = try packet.smallNumber()
  try packet.expectEnd()
  let known = session.target.targetDescription.registers
  guard known.indices.contains(index) else { throw .invalid }
  return .bytes(registerText(try registers.registerValue(index, of: session.requireThread()), known[index]))
}

/// `P NUMBER=VALUE`
let writeRegister: PacketHandler = { (session, packet) throws(TargetError) in
  guard let registers = session.target.registers else { return .unknown }
  let index = try packet.smallNumber()
  try packet.expect("=")
  let value = try packet.hexBytes()
  let known = session.target.targetDescription.registers
  guard known.indices.contains(index), value.count == known[index].byteCount else { throw .invalid }
  try registers.setRegisterValue(index, of: session.requireThread(), to: value)
  return .ok
}

private func registerText(_ value: [UInt8]?, _ register: TargetDescription.Register) -> [UInt8] {
  guard let value, value.count == register.byteCount else {
    return Array(repeating: UInt8(ascii: "x"), count: register.byteCount * 2)
  }
  return hexText(value)
}
