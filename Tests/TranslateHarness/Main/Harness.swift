import CABI
import CHarness
import Translate

@main struct Main {
  static func main() {
    let arguments = CommandLine.arguments
    precondition(h_setup() == 0, "setup")
    precondition(h_map(stackBase, stackSize) == 0, "stack")
    let directory = arguments[1]
    switch arguments[2] {
    case "fuzz": fuzz(directory, arguments.dropFirst(3).map { $0 })
    case "fixed": fixed(directory)
    case "garbage": garbage()
    case "bench": bench(directory)
    default: print("?")
    }
    print(failures == 0 ? "ok" : "FAILED: \(failures)")
    if failures != 0 { exitNow(1) }
  }
}

let bases: [UInt64] = [0x5555_5555_4000, 0x40_0000, 0x7FFF_1230_0000]

func fuzz(_ directory: String, _ names: [String]) {
  var totals = FuzzTotals()
  var random = SystemRandomNumberGenerator()
  var first = true
  for name in names {
    for base in bases {
      let guest = Guest(path: "\(directory)/\(name)", base: base, map: first)
      for (i, p) in guest.programs.enumerated() {
        if i % 8 == 3 { guest.lookahead = 0 } else if i % 8 == 5 { guest.lookahead = 12 }
        if i % 16 == 7 { guest.setDomains([guest.programs[i] - base]) }
        if i % 16 == 11 { guest.setDomains([]) }
        if i % 3 == 1 { guest.reload() }
        guest.compare(p, "\(name)@\(hex(base)) #\(i)", &totals, random: &random)
      }
      if guest.translator.statistics.unsupported != 0 {
        print("unsupported: \(guest.translator.unsupported.prefix(3))")
      }
    }
    first = false
  }
  print(totals)
  print("reloads: \(reloads)")
}
