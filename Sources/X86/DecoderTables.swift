// Mnemonic -> treatment. Everything not named here is copied.

internal import CZydis

/// Row numbers of the shape table.
enum Row {
  static let plain: UInt8 = 0
  static let jcc: UInt8 = 1
  static let jmp: UInt8 = 2
  static let call: UInt8 = 3
  static let ret: UInt8 = 4
  static let loop: UInt8 = 5
  static let lea: UInt8 = 6
  static let syscall: UInt8 = 7
  static let undefined: UInt8 = 8
  static let trap: UInt8 = 9
  static let xbegin: UInt8 = 10
  static let nothing: UInt8 = 11
  /// `int n`: 80h is special, the others fault by themselves.
  static let int: UInt8 = 14
  /// mov/pop to a segment register: fs and gs cannot be allowed.
  static let mov: UInt8 = 15
  static let pop: UInt8 = 16
  /// 64 + enum bis_special.
  static let special: UInt8 = 64
}

func makeShapeTable() -> UnsafeMutablePointer<UInt8> {
  let count = Int(ZYDIS_MNEMONIC_MAX_VALUE.rawValue) + 1
  let table = UnsafeMutablePointer<UInt8>.allocate(capacity: count)
  table.initialize(repeating: Row.plain, count: count)
  func set(_ row: UInt8, _ mnemonics: [ZydisMnemonic]) {
    for m in mnemonics { table[Int(m.rawValue)] = row }
  }
  setBranches(set)
  setSpecials(set)
  setUndefined(set)
  return table
}

private func setBranches(_ set: (UInt8, [ZydisMnemonic]) -> Void) {
  set(
    Row.jcc,
    [
      ZYDIS_MNEMONIC_JO, ZYDIS_MNEMONIC_JNO, ZYDIS_MNEMONIC_JB, ZYDIS_MNEMONIC_JNB, ZYDIS_MNEMONIC_JZ,
      ZYDIS_MNEMONIC_JNZ, ZYDIS_MNEMONIC_JBE, ZYDIS_MNEMONIC_JNBE,
    ])
  set(
    Row.jcc,
    [
      ZYDIS_MNEMONIC_JS, ZYDIS_MNEMONIC_JNS, ZYDIS_MNEMONIC_JP, ZYDIS_MNEMONIC_JNP, ZYDIS_MNEMONIC_JL,
      ZYDIS_MNEMONIC_JNL, ZYDIS_MNEMONIC_JLE, ZYDIS_MNEMONIC_JNLE,
    ])
  set(Row.jmp, [ZYDIS_MNEMONIC_JMP])
  set(Row.call, [ZYDIS_MNEMONIC_CALL])
  set(Row.ret, [ZYDIS_MNEMONIC_RET])
  set(
    Row.loop,
    [
      ZYDIS_MNEMONIC_LOOP, ZYDIS_MNEMONIC_LOOPE, ZYDIS_MNEMONIC_LOOPNE, ZYDIS_MNEMONIC_JECXZ, ZYDIS_MNEMONIC_JRCXZ,
    ])
  set(Row.lea, [ZYDIS_MNEMONIC_LEA])
  set(Row.syscall, [ZYDIS_MNEMONIC_SYSCALL])
  set(Row.trap, [ZYDIS_MNEMONIC_UD0, ZYDIS_MNEMONIC_UD1, ZYDIS_MNEMONIC_UD2, ZYDIS_MNEMONIC_HLT])
  set(Row.xbegin, [ZYDIS_MNEMONIC_XBEGIN])
  set(Row.nothing, [ZYDIS_MNEMONIC_XABORT])
  set(Row.int, [ZYDIS_MNEMONIC_INT])
  set(Row.mov, [ZYDIS_MNEMONIC_MOV])
  set(Row.pop, [ZYDIS_MNEMONIC_POP])
}

/// Numbers are `enum bis_special` of bis_abi.h.
private func setSpecials(_ set: (UInt8, [ZydisMnemonic]) -> Void) {
  let s = Row.special
  set(s + 1, [ZYDIS_MNEMONIC_CPUID])
  set(s + 2, [ZYDIS_MNEMONIC_RDTSC])
  set(s + 3, [ZYDIS_MNEMONIC_RDTSCP])
  set(s + 4, [ZYDIS_MNEMONIC_XGETBV])
  set(s + 5, [ZYDIS_MNEMONIC_RDRAND])
  set(s + 6, [ZYDIS_MNEMONIC_RDSEED])
  set(s + 7, [ZYDIS_MNEMONIC_RDPID])
  set(s + 8, [ZYDIS_MNEMONIC_RDPKRU])
  set(s + 9, [ZYDIS_MNEMONIC_WRPKRU])
  set(s + 10, [ZYDIS_MNEMONIC_XSAVE, ZYDIS_MNEMONIC_XSAVE64])
  set(s + 11, [ZYDIS_MNEMONIC_XSAVEC, ZYDIS_MNEMONIC_XSAVEC64])
  set(s + 12, [ZYDIS_MNEMONIC_XSAVEOPT, ZYDIS_MNEMONIC_XSAVEOPT64])
  set(s + 13, [ZYDIS_MNEMONIC_XRSTOR, ZYDIS_MNEMONIC_XRSTOR64])
  set(s + 14, [ZYDIS_MNEMONIC_FXSAVE, ZYDIS_MNEMONIC_FXSAVE64])
  set(s + 15, [ZYDIS_MNEMONIC_FNSTENV])
  set(s + 16, [ZYDIS_MNEMONIC_FNSAVE])
  set(s + 17, [ZYDIS_MNEMONIC_FXRSTOR, ZYDIS_MNEMONIC_FXRSTOR64])
  set(s + 18, [ZYDIS_MNEMONIC_RDGSBASE])
  set(s + 19, [ZYDIS_MNEMONIC_WRGSBASE])
  set(s + 27, [ZYDIS_MNEMONIC_PAUSE])
}

private func setUndefined(_ set: (UInt8, [ZydisMnemonic]) -> Void) {
  set(
    Row.undefined,
    [
      ZYDIS_MNEMONIC_SYSENTER, ZYDIS_MNEMONIC_IRET, ZYDIS_MNEMONIC_IRETD, ZYDIS_MNEMONIC_IRETQ, ZYDIS_MNEMONIC_LFS,
      ZYDIS_MNEMONIC_LGS, ZYDIS_MNEMONIC_XTEST, ZYDIS_MNEMONIC_RDPRU, ZYDIS_MNEMONIC_MONITORX,
    ])
  set(
    Row.undefined,
    [
      ZYDIS_MNEMONIC_MWAITX, ZYDIS_MNEMONIC_UMONITOR, ZYDIS_MNEMONIC_UMWAIT, ZYDIS_MNEMONIC_TPAUSE,
      ZYDIS_MNEMONIC_ENQCMD, ZYDIS_MNEMONIC_ENQCMDS, ZYDIS_MNEMONIC_SENDUIPI, ZYDIS_MNEMONIC_UIRET,
      ZYDIS_MNEMONIC_CLUI, ZYDIS_MNEMONIC_STUI, ZYDIS_MNEMONIC_TESTUI,
    ])
  set(
    Row.undefined,
    [
      ZYDIS_MNEMONIC_AESDEC128KL, ZYDIS_MNEMONIC_AESDEC256KL, ZYDIS_MNEMONIC_AESDECWIDE128KL,
      ZYDIS_MNEMONIC_AESDECWIDE256KL, ZYDIS_MNEMONIC_AESENC128KL, ZYDIS_MNEMONIC_AESENC256KL,
      ZYDIS_MNEMONIC_AESENCWIDE128KL, ZYDIS_MNEMONIC_AESENCWIDE256KL, ZYDIS_MNEMONIC_ENCODEKEY128,
      ZYDIS_MNEMONIC_ENCODEKEY256,
    ])
  // Knights Corner and 16-bit leftovers.
  set(Row.undefined, [ZYDIS_MNEMONIC_JKZD, ZYDIS_MNEMONIC_JKNZD, ZYDIS_MNEMONIC_JCXZ])
}

extension Decoder {
  /// Sets shape and special number from a non-zero table row.
  func classify(_ i: inout Instruction, _ row: UInt8) {
    if row >= Row.special {
      i.shape = .special
      i.special = row - Row.special
      return
    }
    switch row {
    case Row.jcc: i.shape = i.isShortOperandBranch ? .undefined : .jcc
    case Row.jmp, Row.call: classifyTransfer(&i, isCall: row == Row.call)
    case Row.ret: i.shape = i.isShortOperandBranch || (i.opcode != 0xC3 && i.opcode != 0xC2) ? .undefined : .ret
    case Row.loop: i.shape = i.isShortOperandBranch ? .undefined : .loop
    case Row.lea: i.shape = .lea
    case Row.syscall: i.shape = .syscall
    case Row.undefined: i.shape = .undefined
    case Row.trap: i.shape = .trap
    case Row.xbegin: i.shape = i.has66 ? .undefined : .xbegin
    case Row.nothing: i.shape = .nothing
    case Row.int:
      if i.imm & 0xFF == 0x80 {
        i.shape = .special
        i.special = 20
      }
    case Row.mov: if i.opcodeMap == 0 && i.opcode == 0x8E && (i.reg == 4 || i.reg == 5) { i.shape = .undefined }
    case Row.pop: if i.opcodeMap == 1 && (i.opcode == 0xA1 || i.opcode == 0xA9) { i.shape = .undefined }
    default: break
    }
  }

  /// E8/E9/EB direct, FF /2 /4 indirect, FF /3 /5 far (refused).
  private func classifyTransfer(_ i: inout Instruction, isCall: Bool) {
    if i.isShortOperandBranch {
      i.shape = .undefined
    } else if i.opcode == 0xFF {
      if i.reg == 3 || i.reg == 5 { i.shape = .undefined } else { i.shape = isCall ? .callIndirect : .jmpIndirect }
    } else {
      i.shape = isCall ? .call : .jmp
    }
  }
}
