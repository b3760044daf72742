// Hexadecimal, the way packets write everything.

func hexDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): return byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): return byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): return byte - UInt8(ascii: "A") + 10
  default: return nil
  }
}

/// Two digits a byte.
func hexText(_ bytes: some Collection<UInt8>) -> [UInt8] {
  var text: [UInt8] = []
  text.reserveCapacity(bytes.count * 2)
  for byte in bytes {
    for digit in [byte >> 4, byte & 15] {
      text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }
  return text
}

/// The bytes of a text, two digits each.
func hexText(_ text: String) -> String { String(decoding: hexText(Array(text.utf8)), as: UTF8.self) }

/// A number without leading zeros.
func hex(_ number: some BinaryInteger) -> String { String(number, radix: 16) }

/// One byte, with its leading zero.
func hexByte(_ number: UInt8) -> String { String(decoding: hexText([number]), as: UTF8.self) }
