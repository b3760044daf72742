import RSP
import Testing

/// Register values at the stops of the toy.
private func expedited(_ rip: UInt8) -> String {
  "10:\(hex(rip))10000000000000;07:0020000000000000;06:0000000000000000;"
}
private func hex(_ byte: UInt8) -> String { String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }

@Suite struct PacketTests {
  @Test func `qSupported follows from what exists`() throws {
    let all = try #require(ToySession(client: nil).ask("qSupported:\(ToySession.standardClient)"))
    #expect(
      all == "PacketSize=20000;QStartNoAckMode+;multiprocess+;error-message+;qXfer:features:read+;qXfer:threads:read+;"
        + "binary-upload+;vContSupported+;ReverseContinue+;ReverseStep+;swbreak+;hwbreak+;ConditionalBreakpoints+;"
        + "QCatchSyscalls+;QPassSignals+;QThreadEvents+;no-resumed+;qXfer:auxv:read+;qXfer:siginfo:read+;"
        + "qXfer:osdata:read+;fork-events+;exec-events+")
    let bare = Bare()
    let session = Session(target: bare, line: TestLine())
    func ask(_ packet: String) -> String? {
      session.handle(Array(packet.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(ask("qSupported") == "PacketSize=20000;QStartNoAckMode+;multiprocess+;error-message+")
    for packet in [
      "g", "G00", "p0", "P0=00", "m0,1", "x0,1", "M0,1:00", "X0,1:0", "vCont?", "vCont;c", "c", "s", "bc", "bs",
      "Z0,1,1", "z0,1,1", "QPassSignals:", "QCatchSyscalls:0", "QThreadEvents:1", "qXfer:auxv:read::0,10", "vRun;", "!",
      "vFile:setfs:0", "qRcmd,00", "qXfer:features:read:target.xml:0,10", "qXfer:siginfo:read::0,10",
      "qSearch:memory:0;1;a",
    ] {
      #expect(ask(packet) == "", "\(packet)")
    }
  }

  @Test func `what is unknown is answered empty`() {
    let session = ToySession()
    for packet in ["", "qTStatus", "qOffsets", "vMustReplyEmpty", "vAttach;1", "vCtrlC", "~", "QNothing:1", "qP0"] {
      #expect(session.ask(packet) == "", "\(packet)")
    }
  }

  @Test func `threads are listed, chosen and named`() {
    let session = ToySession()
    #expect(session.ask("qC") == "QCpa.a")
    #expect(session.ask("qfThreadInfo") == "mpa.a,pa.b")
    #expect(session.ask("qsThreadInfo") == "l")
    #expect(session.ask("Tpa.b") == "OK")
    #expect(session.ask("Tpa.c") == "E03")
    #expect(session.ask("Hgpa.b") == "OK")
    #expect(session.ask("qC") == "QCpa.b")
    #expect(session.ask("Hgp0.0") == "OK")
    #expect(session.ask("qC") == "QCpa.a")
    #expect(session.ask("Hgpb.b") == "E03")
    #expect(session.ask("Hcp-1.-1") == "OK")
    #expect(session.ask("Hc-1") == "OK")
    #expect(session.ask("Hx0") == "E16")
    #expect(session.ask("qThreadExtraInfo,pa.a") == "746f792c207469636b2030")
    #expect(
      session.ask("qXfer:threads:read::0,1000")
        == "l<?xml version=\"1.0\"?>\n<threads>\n<thread id=\"pa.a\" name=\"toy\">tick 0"
        + "</thread>\n<thread id=\"pa.b\" name=\"&lt;&amp;&quot;&gt;\"></thread>\n</threads>\n")
    #expect(session.ask("qAttached:a") == "0")
    let plain = ToySession(client: "")
    #expect(plain.ask("qC") == "QCa")
    #expect(plain.ask("Hgb") == "OK")
    #expect(plain.ask("qC") == "QCb")
  }

  @Test func `registers are read and written`() {
    let session = ToySession([])
    #expect(session.ask("p10") == "0010000000000000")
    #expect(session.ask("p38") == "xxxxxxxx")
    #expect(session.ask("p3c") == "E16")
    #expect(session.ask("P0=0102030405060708") == "OK")
    #expect(session.toy.get("rax") == 0x0807_0605_0403_0201)
    #expect(session.ask("P0=01") == "E16")
    #expect(session.ask("P0") == "E16")
    let all = session.ask("g") ?? ""
    #expect(all.hasPrefix("01020304050607080000"))
    #expect(session.ask("G\(all.replacing("0102030405060708", with: "aa02030405060708"))") == "OK")
    #expect(session.toy.get("rax") == 0x0807_0605_0403_02aa)
    #expect(session.ask("G11") == "E16")
    session.toy.isFrozen = true
    #expect(session.ask("P0=0000000000000000") == "E1e")
    #expect(session.ask("G\(session.ask("g") ?? "")") == "OK")
    _ = session.ask("qSupported:error-message+")
    #expect(session.ask("P0=0000000000000000") == "E.A replay cannot be changed")
  }

  @Test func `memory is read, written, searched and summed`() {
    let session = ToySession()
    #expect(session.ask("m1000,3") == "909090")
    #expect(session.ask("m2ffe,10") == "9090")
    #expect(session.ask("m3000,1") == "E0e")
    #expect(session.ask("mffffffffffffffff,10") == "E0e")
    #expect(session.ask("m1000") == "E16")
    #expect(session.ask("m10000000000000000,1") == "E16")
    #expect(session.ask("M1010,2:2a23") == "OK")
    #expect(session.ask("x1010,2") == "b}\u{a}}\u{3}")
    #expect(session.ask("X1020,3:a}\u{3}b") == "OK")
    #expect(session.ask("m1020,3") == "612362")
    #expect(session.ask("X1000,0:") == "OK")
    #expect(session.ask("X1000,1:ab") == "E16")
    #expect(session.ask("M1000,2:00") == "E16")
    #expect(session.ask("qSearch:memory:1000;1000;a}\u{3}b") == "1,1020")
    #expect(session.ask("qSearch:memory:1000;20;a}\u{3}b") == "0")
    #expect(session.ask("qSearch:memory:1000;ffffffffffffffff;zz") == "0")
    #expect(session.ask("qSearch:memory:0;10;zz") == "E0e")
    #expect(session.ask("M1000,9:313233343536373839") == "OK")
    // CRC-32/MPEG-2 of "123456789".
    #expect(session.ask("qCRC:1000,9") == "C376e6e7")
    #expect(session.ask("qCRC:1000,3000") == "E0e")
  }

  @Test func `running and stopping`() {
    let session = ToySession()
    #expect(session.ask("?") == "T05thread:pa.a;" + expedited(0))
    #expect(session.ask("vCont?") == "vCont;c;C;s;S;r")
    #expect(session.ask("vCont;s:pa.a;c") == "T05thread:pa.a;" + expedited(1))
    #expect(
      session.toy.actions == [
        ResumeAction(threads: .thread(session.toy.main), step: .instruction), ResumeAction(threads: .all, step: .run),
      ])
    #expect(session.ask("vCont;r1000,1005:pa.-1") == "T05thread:pa.a;" + expedited(5))
    #expect(session.toy.actions == [ResumeAction(threads: .process(10), step: .range(start: 0x1000, end: 0x1005))])
    #expect(session.ask("Z0,1007,1") == "OK")
    #expect(session.ask("vCont;C1e:-1") == "T05thread:pa.a;swbreak:;" + expedited(7))
    #expect(session.toy.actions == [ResumeAction(threads: .all, step: .run, signal: 10)])
    #expect(session.ask("Z2,1100,1") == "OK")
    #expect(session.ask("c") == "T05thread:pa.a;watch:1100;" + expedited(9))
    #expect(session.ask("QCatchSyscalls:1;27") == "OK")
    #expect(session.ask("c") == "T05thread:pa.a;syscall_entry:27;" + expedited(0x21))
    session.line.isInterrupted = true
    #expect(session.ask("c") == "T02thread:pa.a;" + expedited(0x21))
    session.line.isInterrupted = false
    #expect(session.ask("bs") == "T05thread:pa.a;" + expedited(0x20))
    #expect(session.ask("bc") == "T05thread:pa.a;swbreak:;" + expedited(7))
    #expect(session.ask("z0,1007,1") == "OK")
    #expect(session.ask("bc") == "T05thread:pa.a;replaylog:begin;" + expedited(0))
    for packet in ["vCont;t", "vCont;C8f", "vCont", "vCont;", "vCont;s:", "c1000", "vCont;r1", "bc1"] {
      #expect(session.ask(packet)?.hasPrefix("E") == true, "\(packet)")
    }
  }

  @Test func `conditions are evaluated by the target`() {
    let session = ToySession()
    // rax == 5, rax == 9
    #expect(session.ask("Z0,1005,1;X8,260000220513272aX8,2600002209132727") == "OK")
    #expect(session.toy.points.first?.conditions.count == 2)
    #expect(session.ask("c") == "T05thread:pa.a;swbreak:;" + expedited(5))
    #expect(session.ask("bc")?.contains("replaylog:begin") == true)
    #expect(session.ask("Z0,1005,1;X7,26000022091327") == "OK")
    #expect(session.toy.points.count == 1)
    #expect(session.ask("Z0,1005,1;cmds:0,X1,27") == "E5f")
    #expect(session.ask("Z0,1005,1;X9,00") == "E16")
    #expect(session.ask("Z3,1000,1") == "")
    #expect(session.ask("Z100,1000,1") == "")
    #expect(session.ask("Z2,1000,0") == "E16")
    #expect(session.ask("c")?.contains("syscall") == false)
  }

  @Test func `every kind of stop`() {
    let session = ToySession()
    let main = session.toy.main
    func tell(_ stop: StopReply) -> String? {
      session.toy.nextStop = stop
      return session.ask("vCont;c")?.replacing(expedited(0), with: "")
    }
    #expect(tell(.stopped(main, signal: 11, nil)) == "T0bthread:pa.a;")
    #expect(tell(.stopped(main, signal: 10, nil)) == "T1ethread:pa.a;")
    #expect(tell(.stopped(main, signal: 5, .hardwareBreakpoint)) == "T05thread:pa.a;hwbreak:;")
    #expect(tell(.stopped(main, signal: 5, .watchpoint(.read, address: 0x20))) == "T05thread:pa.a;rwatch:20;")
    #expect(tell(.stopped(main, signal: 5, .watchpoint(.access, address: 0x20))) == "T05thread:pa.a;awatch:20;")
    #expect(tell(.stopped(main, signal: 5, .systemCallReturn(0))) == "T05thread:pa.a;syscall_return:0;")
    #expect(tell(.stopped(main, signal: 5, .fork(ThreadID(process: 20, thread: 20)))) == "T05thread:pa.a;fork:p14.14;")
    #expect(
      tell(.stopped(main, signal: 5, .vfork(ThreadID(process: 20, thread: 20)))) == "T05thread:pa.a;vfork:p14.14;")
    #expect(tell(.stopped(main, signal: 5, .vforkDone)) == "T05thread:pa.a;vforkdone:;")
    #expect(tell(.stopped(main, signal: 5, .exec("/x"))) == "T05thread:pa.a;exec:2f78;")
    #expect(tell(.stopped(session.toy.other, signal: 5, .threadCreated)) == "T05thread:pa.b;create:;")
    #expect(session.ask("qC") == "QCpa.b")
    #expect(tell(.stopped(main, signal: 5, .historyEnd)) == "T05thread:pa.a;replaylog:end;")
    #expect(tell(.exited(process: 10, status: 300)) == "W2c;process:a")
    #expect(tell(.killed(process: 10, signal: 7)) == "X0a;process:a")
    #expect(tell(.threadExited(session.toy.other, status: 1)) == "w01;pa.b")
    #expect(tell(.nothingLeft) == "N")
    let plain = ToySession(client: "")
    plain.toy.nextStop = .exited(process: 10, status: 3)
    #expect(plain.ask("c") == "W03")
    plain.toy.nextStop = .stopped(main, signal: 5, .softwareBreakpoint)
    #expect(plain.ask("c") == "T05thread:a;" + expedited(0))
  }

  @Test func `objects are read in parts`() throws {
    let session = ToySession()
    let xml = session.toy.targetDescription.xml
    var read = ""
    while true {
      let reply = try #require(session.ask("qXfer:features:read:target.xml:\(String(read.utf8.count, radix: 16)),400"))
      read += reply.dropFirst().replacing("}\u{3}", with: "#")
      if reply.hasPrefix("l") { break }
    }
    #expect(read == xml)
    #expect(session.ask("qXfer:features:read:other.xml:0,10") == "E02")
    #expect(session.ask("qXfer:auxv:read::0,8") == "m\u{6}\0\0\0\0\0\0\0")
    #expect(session.ask("qXfer:auxv:read::20,8") == "l")
    #expect(session.ask("qXfer:siginfo:read::0,1") == "m\u{b}")
    #expect(session.ask("qXfer:osdata:read::0,100") == "l<osdata type=\"types\"></osdata>")
    #expect(session.ask("qXfer:osdata:read:cpus:0,100") == "E02")
    #expect(session.ask("qXfer:siginfo:write::0:a") == "")
    #expect(session.ask("qXfer:exec-file:read::0,100") == "")
  }

  @Test func `files are read and not written`() {
    let session = ToySession()
    #expect(session.ask("vFile:setfs:0") == "F0")
    #expect(session.ask("vFile:open:2f746f79,0,0") == "F3")
    #expect(session.ask("vFile:pread:3,5,0") == "F5;}\u{3} a f")
    #expect(session.ask("vFile:pread:3,100,19") == "F0;")
    #expect(session.ask("vFile:fstat:3")?.hasPrefix("F40;\0\0\0\0\0\0\0\0\0\0\u{81}") != nil)
    #expect(session.ask("vFile:close:3") == "F0")
    #expect(session.ask("vFile:close:3") == "F-1,9")
    #expect(session.ask("vFile:open:2f,0,0") == "F-1,2")
    #expect(session.ask("vFile:open:2f746f79,2,0") == "F-1,1e")
    #expect(session.ask("vFile:unlink:2f") == "F-1,1e")
    #expect(session.ask("vFile:readlink:2f") == "F4;to /")
    for _ in 0..<64 { _ = session.ask("vFile:open:2f746f79,0,0") }
    #expect(session.ask("vFile:open:2f746f79,0,0") == "F-1,18")
  }

  @Test func `monitor prints`() {
    let session = ToySession()
    #expect(session.ask("qRcmd,68656c6c6f") == "OK")
    #expect(session.line.sent == ["O68656c6c6f0a", "O66726f6d2074686520746f790a"])
    #expect(session.ask("qRcmd,00") == "E16")
    #expect(session.line.sent.count == 3)
    _ = session.ask("qSupported:error-message+")
    #expect(session.ask("qRcmd,00") == "E.No such command  1")
  }

  @Test func `events are switched on`() {
    let session = ToySession()
    #expect(session.toy.events == [.fork, .exec])
    #expect(session.ask("QPassSignals:e;1e;21") == "OK")
    #expect(session.toy.passed == [14, 10, 29])
    #expect(session.ask("QPassSignals:") == "OK")
    #expect(session.toy.passed == [])
    #expect(session.ask("QThreadEvents:1") == "OK")
    #expect(session.toy.reportsThreads)
    #expect(session.ask("QCatchSyscalls:1") == "OK")
    #expect(session.toy.caught == [])
    #expect(session.ask("QCatchSyscalls:0") == "OK")
    #expect(session.toy.caught == nil)
    #expect(session.ask("QNonStop:0") == "OK")
    #expect(session.ask("QNonStop:1") == "E5f")
    #expect(session.session.acknowledges)
    #expect(session.ask("QStartNoAckMode") == "OK")
    #expect(!session.session.acknowledges)
    #expect(session.ask("qSymbol::") == "OK")
  }

  @Test func `ends and beginnings`() {
    let killed = ToySession()
    #expect(killed.ask("k") == nil)
    #expect(killed.session.isOver)
    #expect(killed.ask("?") == "W00;process:a")
    #expect(killed.ask("g") == "E03")
    let detached = ToySession()
    #expect(detached.ask("D;a") == "OK")
    #expect(detached.session.isOver)
    let extended = ToySession()
    #expect(extended.ask("!") == "OK")
    #expect(extended.ask("vCont;s") != nil)
    #expect(extended.ask("vKill;a") == "OK")
    #expect(!extended.session.isOver)
    #expect(extended.ask("vRun;2f78;61") == "T05thread:pa.a;" + expedited(0))
    #expect(extended.ask("R00") == nil)
  }
}

/// No capability at all.
private final class Bare: Target, ThreadAccess {
  let targetDescription = TargetDescription.x86_64([])
  var threads: any ThreadAccess { self }
  var allThreads: [ThreadID] { [ThreadID(process: 1, thread: 1)] }
  var currentThread: ThreadID? { allThreads.first }
  var lastStop: StopReply { .stopped(allThreads[0], signal: 5, nil) }
  func kill(process: Int?) {}
  func detach(process: Int?) {}
}
