// Folded records: what zstd gets instead of the records themselves.
//
// A program makes the same calls over and over, so most words of a record are what the record that followed last time, after
// the same ones, had there. Folding leaves those out: of 100 bytes of an event it keeps some 10 to 20, in a tenth of the time
// that zstd takes to find out by itself. Docs/tape-format.md has the format ("Folded content").
//
// Encoder and decoder make the same forecasts from the records so far; a chunk begins with none.

/// What a folder and an unfolder remember of the records so far.
struct Forecasts {
  /// The record that came last after the same records as now.
  struct Entry: BitwiseCopyable {
    /// Where it is, bytes from the start of the content, and how many words it has; 0: there was none.
    var offset: UInt32 = 0
    var words: UInt32 = 0
    /// Of an event: by how much its tick count was more than that of the event before.
    var ticks: UInt64 = 0
  }

  private let table: UnsafeMutablePointer<Entry>
  private static let bits = 11
  /// Stands for the records that came before the next one.
  private var context: UInt64 = 0
  private var site: UInt64 = 0
  /// Of the event before.
  var stamp: UInt64 = 0
  var time: UInt64 = 0
  var ticks: UInt64 = 0

  /// Uses the room that `allocateTable` has made.
  init(_ table: UnsafeMutablePointer<Entry>) {
    self.table = table
    table.initialize(repeating: Entry(), count: 1 << Self.bits)
  }

  static func allocateTable() -> UnsafeMutablePointer<Entry> { .allocate(capacity: 1 << bits) }

  /// The forecast for the next record; to be overwritten with the record itself.
  @inline(__always)
  var entry: UnsafeMutablePointer<Entry> {
    table + Int(truncatingIfNeeded: (context &* Self.multiplier) &>> UInt64(64 - Self.bits))
  }

  /// A head has been passed: its words 1 (number, thread) and 5 (address).
  @inline(__always)
  mutating func pass(head identity: UInt64, address: UInt64) {
    context = (address ^ identity &<< 32) &+ site &* Self.multiplier
    site = address
  }

  /// An effect has been passed.
  @inline(__always)
  mutating func pass(effect kind: UInt8) { context = context &* 31 &+ UInt64(kind) }

  private static let multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15
}

/// Numbers of the layout. A word is 8 bytes.
enum Folded {
  /// Four lengths in front: masks, numbers, payload, hashes.
  static let headerSize = 16
  /// Words of a head at least and at most.
  static let headWords = 9...15
  /// Word of a head that no forecast gets right unless the whole event is the same: the hash of the registers.
  static let hashWord = 8
  /// Words of records that a mask has a bit for.
  static let maskedWords = 16
  /// Words of records with a payload before it.
  static let payloadStart = 3
  /// Longest payload that is compared with the forecast's, in words.
  static let comparedWords = 64

  static func hasPayload(_ kind: UInt8) -> Bool { kind == 64 || kind == 71 || kind == 72 || kind == 77 }
}
