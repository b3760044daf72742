// Positions as people write them: EVENT, EVENT+TICKS, EVENT+TICKS@0xADDRESS, N%.

/// Where to go.
public enum Place: Hashable, Sendable {
  case start
  case end
  /// Right after event number `event - 1`.
  case event(UInt64)
  /// So many ticks after that; with an address the instruction there, else the first one.
  case ticks(UInt64, after: UInt64, address: UInt64?)
  /// Of the ticks of the whole tape, 0 to 100.
  case percent(Double)

  /// nil: not a position.
  public init?(_ text: some StringProtocol) {
    if text == "start" || text == "end" {
      self = text == "start" ? .start : .end
    } else if text.hasSuffix("%") {
      guard let value = Double(String(text.dropLast())), (0...100).contains(value) else { return nil }
      self = .percent(value)
    } else {
      let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
      let counts = parts[0].split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
      guard let event = Self.decimal(counts[0]) else { return nil }
      var ticks: UInt64 = 0
      if counts.count == 2 {
        guard let number = Self.decimal(counts[1]) else { return nil }
        ticks = number
      }
      var address: UInt64?
      if parts.count == 2 {
        guard parts[1].hasPrefix("0x"), let number = UInt64(parts[1].dropFirst(2), radix: 16) else { return nil }
        address = number
      }
      self = ticks == 0 && address == nil ? .event(event) : .ticks(ticks, after: event, address: address)
    }
  }

  /// Digits only: `UInt64("+5")` would be a number, too.
  private static func decimal(_ text: some StringProtocol) -> UInt64? {
    text.utf8.allSatisfy { (48...57).contains($0) } ? UInt64(text) : nil
  }

  public init(_ position: Position, of engine: any Engine) {
    self.init(position, ticksBefore: engine.ticksBefore(event: position.event))
  }

  /// - Parameter ticksBefore: ticks of the last event before the position.
  public init(_ position: Position, ticksBefore: UInt64) {
    self = .ticks(position.ticks &- ticksBefore, after: position.event, address: position.address)
  }
}

extension Place: CustomStringConvertible {
  public var description: String {
    switch self {
    case .start: "start"
    case .end: "end"
    case .event(let event): "\(event)"
    case .ticks(let ticks, let event, nil): "\(event)+\(ticks)"
    case .ticks(let ticks, let event, let address?): "\(event)+\(ticks)@0x\(String(address, radix: 16))"
    case .percent(let value): "\(value)%"
    }
  }
}

/// Why a place cannot be gone to.
public struct PlaceError: Error, Equatable, CustomStringConvertible, Sendable {
  public let description: String
  public init(_ description: String) { self.description = description }
}

extension Engine {
  /// Ticks at which the first moment with this event index comes.
  func ticksBefore(event: UInt64) -> UInt64 { event == 0 ? 0 : ticks(atEvent: event - 1) ?? 0 }

  /// Ticks of the whole tape.
  public var totalTicks: UInt64 { ticksBefore(event: eventCount) }

  /// How far to run for a place; the address is left to the caller.
  func limit(for place: Place) throws(PlaceError) -> RunLimit {
    switch place {
    case .start: return .event(0)
    case .end: return .end
    case .percent(let value):
      if totalTicks == 0 { return .event(UInt64(Double(eventCount) * value / 100)) }
      return value >= 100 ? .end : .ticks(UInt64(Double(totalTicks) * value / 100))
    case .event(let event):
      guard event <= eventCount else { throw PlaceError("there is no event \(event): the tape has \(eventCount)") }
      return event == eventCount ? .end : .event(event)
    case .ticks(let ticks, let event, _):
      guard event < eventCount, let next = self.ticks(atEvent: event) else {
        throw PlaceError("there is nothing after event \(event): the tape has \(eventCount)")
      }
      let (sum, overflow) = ticksBefore(event: event).addingReportingOverflow(ticks)
      guard !overflow, sum <= next else {
        throw PlaceError(
          "event \(event) happens \(next - ticksBefore(event: event)) ticks after the one before, not \(ticks)")
      }
      return ticks == 0 ? .event(event) : .ticks(sum)
    }
  }
}
