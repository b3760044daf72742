// Every packet that is known, by name. What is not here gets the empty answer.

let packetHandlers: [String: PacketHandler] = [
  "qSupported": supported, "QStartNoAckMode": startNoAckMode, "QNonStop": nonStop, "!": extended,
  "vMustReplyEmpty": unknown,
  "?": lastStop, "qAttached": attached, "k": kill, "vKill": killProcess, "D": detach, "vRun": run, "R": restart,
  "H": chooseThread, "T": isThreadAlive, "qC": currentThread, "qfThreadInfo": firstThreads, "qsThreadInfo": moreThreads,
  "qThreadExtraInfo": threadDetails,
  "g": readRegisters, "G": writeRegisters, "p": readRegister, "P": writeRegister,
  "m": readMemory, "x": readMemoryBinary, "M": writeMemory, "X": writeMemoryBinary, "qSearch": searchMemory,
  "qCRC": checksumMemory,
  "vCont?": resumeActions, "vCont": resume, "c": resumeAll, "C": resumeAllWithSignal, "s": step, "S": stepWithSignal,
  "b": reverse,
  "Z": insertBreakpoint, "z": removeBreakpoint,
  "QPassSignals": passSignals, "QCatchSyscalls": catchSystemCalls, "QThreadEvents": threadEvents,
  "QThreadSuffixSupported": threadSuffix, "qHostInfo": hostInformation, "qProcessInfo": processInformation,
  "qXfer": transfer, "vFile": file, "qRcmd": monitor, "qSymbol": symbols,
]
