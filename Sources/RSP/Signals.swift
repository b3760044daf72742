// Linux's signal numbers and those of packets, which are gdb's own (include/gdb/signals.def, gdb 13).

/// A signal gdb has no number for: Linux's SIGSTKFLT, and what is no signal.
private let unknownSignal: UInt8 = 143

/// gdb's numbers of Linux's 1 to 31.
private let classic: [UInt8] = [
  1, 2, 3, 4, 5, 6, 10, 8, 9, 30, 11, 31, 13, 14, 15, unknownSignal, 20, 19, 17, 18, 21, 22, 16, 24, 25, 26, 27, 28, 23,
  32, 12,
]

/// The packets' number of a signal of Linux (x86-64).
func gdbSignal(_ signal: Int) -> UInt8 {
  switch signal {
  case 0: return 0
  case 1...31: return classic[signal - 1]
  case 32: return 77
  case 33...63: return UInt8(signal + 12)
  case 64: return 78
  default: return unknownSignal
  }
}

/// The other way around; nil for signals that Linux has not.
func linuxSignal(_ signal: UInt64) -> Int? {
  if signal == 33 { return 29 }  // SIGPOLL is SIGIO
  return signal == UInt64(unknownSignal) ? nil : (0...64).first { UInt64(gdbSignal($0)) == signal }
}
