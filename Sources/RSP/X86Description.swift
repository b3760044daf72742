// The registers of x86-64 Linux in gdb's order. Names, sizes and types are those of gdb/features/i386/64bit-*.xml
// (gdb 13; the same since 7.12), but for two fields of vec128 that gdb before 11 cannot read (half floats).

extension TargetDescription {
  /// An x86-64 Linux process with these register sets. AVX-512 needs AVX.
  public static func x86_64(_ features: X86Features) -> TargetDescription {
    var description = TargetDescription(architecture: "i386:x86-64", osABI: "GNU/Linux", features: [], registers: [])
    description.add("core", types: eflagsXML, core)
    description.add("sse", types: vectorXML + mxcsrXML, sse)
    description.add("linux", [Row("orig_rax", 64, "int")])
    description.add("segments", [Row("fs_base", 64, "int"), Row("gs_base", 64, "int")])
    if !features.isDisjoint(with: [.avx, .avx512]) {
      description.add("avx", numbered("ymm", 0..<16, "h", 128, "uint128"))
    }
    if features.contains(.avx512) { description.add("avx512", types: vectorXML + wideVectorXML, avx512) }
    if features.contains(.pkeys) { description.add("pkeys", [Row("pkru", 32, "int")]) }
    description.expedited = ["rip", "rsp", "rbp"].compactMap { description.index(of: $0) }
    return description
  }

  private mutating func add(_ feature: String, types: String = "", _ rows: [Row]) {
    let name = "org.gnu.gdb.i386.\(feature)"
    features.append(Feature(name: name, typesXML: types))
    registers += rows.map {
      Register(name: $0.name, bitSize: $0.bitSize, type: $0.type, group: $0.group, feature: name)
    }
  }
}

private struct Row {
  let name: String
  let bitSize: Int
  let type: String
  let group: String?

  init(_ name: String, _ bitSize: Int, _ type: String, group: String? = nil) {
    (self.name, self.bitSize, self.type, self.group) = (name, bitSize, type, group)
  }
}

private func numbered(_ prefix: String, _ numbers: Range<Int>, _ suffix: String, _ bitSize: Int, _ type: String)
  -> [Row]
{
  numbers.map { Row("\(prefix)\($0)\(suffix)", bitSize, type) }
}

private let core: [Row] = {
  var rows = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi"].map { Row($0, 64, "int64") }
  rows += ["rbp", "rsp"].map { Row($0, 64, "data_ptr") }
  rows += numbered("r", 8..<16, "", 64, "int64")
  rows += [Row("rip", 64, "code_ptr"), Row("eflags", 32, "i386_eflags")]
  rows += ["cs", "ss", "ds", "es", "fs", "gs"].map { Row($0, 32, "int32") }
  rows += numbered("st", 0..<8, "", 80, "i387_ext")
  rows += ["fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"].map {
    Row($0, 32, "int", group: "float")
  }
  return rows
}()

private let sse: [Row] =
  numbered("xmm", 0..<16, "", 128, "vec128") + [Row("mxcsr", 32, "i386_mxcsr", group: "vector")]

private let avx512: [Row] = {
  var rows = numbered("xmm", 16..<32, "", 128, "vec128")
  rows += numbered("ymm", 16..<32, "h", 128, "uint128")
  rows += numbered("k", 0..<8, "", 64, "uint64")
  rows += numbered("zmm", 0..<32, "h", 256, "v2ui128")
  return rows
}()

private func flagsXML(_ id: String, _ fields: [(String, Int)]) -> String {
  let lines = fields.map { name, bit in "<field name=\"\(name)\" start=\"\(bit)\" end=\"\(bit)\"/>" }
  return "<flags id=\"\(id)\" size=\"4\">\(lines.joined())</flags>\n"
}

private let eflagsXML = flagsXML(
  "i386_eflags",
  [
    ("CF", 0), ("", 1), ("PF", 2), ("AF", 4), ("ZF", 6), ("SF", 7), ("TF", 8), ("IF", 9), ("DF", 10), ("OF", 11),
    ("NT", 14), ("RF", 16), ("VM", 17), ("AC", 18), ("VIF", 19), ("VIP", 20), ("ID", 21),
  ])

private let mxcsrXML = flagsXML(
  "i386_mxcsr",
  [
    ("IE", 0), ("DE", 1), ("ZE", 2), ("OE", 3), ("UE", 4), ("PE", 5), ("DAZ", 6), ("IM", 7), ("DM", 8), ("ZM", 9),
    ("OM", 10), ("UM", 11), ("PM", 12), ("FZ", 15),
  ])

private let vectorXML = """
  <vector id="v4f" type="ieee_single" count="4"/>
  <vector id="v2d" type="ieee_double" count="2"/>
  <vector id="v16i8" type="int8" count="16"/>
  <vector id="v8i16" type="int16" count="8"/>
  <vector id="v4i32" type="int32" count="4"/>
  <vector id="v2i64" type="int64" count="2"/>
  <union id="vec128">
  <field name="v4_float" type="v4f"/>
  <field name="v2_double" type="v2d"/>
  <field name="v16_int8" type="v16i8"/>
  <field name="v8_int16" type="v8i16"/>
  <field name="v4_int32" type="v4i32"/>
  <field name="v2_int64" type="v2i64"/>
  <field name="uint128" type="uint128"/>
  </union>

  """

private let wideVectorXML = "<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>\n"
