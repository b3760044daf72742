#!/usr/bin/env python3
"""Writes random guest programs as assembly: `gen.py SEED COUNT > fuzz.s`. Every program ends in int3.

Layout of the flat binary: u32 count, u32 offsets of the programs. Data is at +DATA from the base, and rbx points to it.
Registers: rbx data, rsp stack, r15 loop counter; the others are free.
"""
import random, sys

seed, count = int(sys.argv[1]), int(sys.argv[2])
R = random.Random(seed)
avx512 = "avx512f" in open("/proc/cpuinfo").read()
FREE = ["rax", "rcx", "rdx", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14"]
R32 = {"rax": "eax", "rcx": "ecx", "rdx": "edx", "rbp": "ebp", "rsi": "esi", "rdi": "edi", "rbx": "ebx"}
R8 = {"rax": "al", "rcx": "cl", "rdx": "dl", "rbp": "bpl", "rsi": "sil", "rdi": "dil"}
CC = ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"]
out, label = [], [0]
def r32(r): return R32.get(r, r + "d")
def r8(r): return R8.get(r, r + "b")
def r16(r): return (r + "w") if r[1].isdigit() else r[1:]
def new():
    label[0] += 1
    return f"L{label[0]}"
def e(s): out.append("  " + s)
def reg(): return R.choice(FREE)
def mem():
    k = R.randrange(5)
    o = R.randrange(0, 256) * 8
    if k < 2: return f"[rbx+{o}]"
    if k == 2: return f"[rip+data+{o}]"
    if k == 3: return f"[rip+data+{R.randrange(0,2000)}]"
    return f"[rbx+r15*8+{o}]"
def rip(align=8): return f"[rip+data+{R.randrange(0, 64) * align}]"
def imm(): return R.choice([0, 1, -1, 127, -128, 128, 0x7FFFFFFF, R.randrange(-2**31, 2**31), R.randrange(-200, 200)])

def alu():
    op = R.choice(["add", "sub", "cmp", "and", "or", "xor", "test", "adc", "sbb"])
    a = reg()
    w = R.randrange(4)
    f = [lambda r: r, r32, r16, r8][w]
    size = ["qword", "dword", "word", "byte"][w]
    k = R.randrange(4)
    if k == 0: e(f"{op} {f(a)}, {f(reg())}")
    elif k == 1: e(f"{op} {f(a)}, {imm() if w < 2 else R.randrange(-100, 100)}")
    elif k == 2 and op != "test": e(f"{op} {f(a)}, {size} ptr {mem()}")
    elif k == 3: e(f"{op} {size} ptr {mem()}, {f(a)}")
    else: e(f"{op} {size} ptr {mem()}, {R.randrange(-100, 100)}")
def misc():
    a, b = reg(), reg()
    e(R.choice([
        f"mov {a}, {mem()}", f"mov {r32(a)}, {mem()}", f"mov {mem()}, {a}", f"mov qword ptr {mem()}, {imm()}",
        f"lea {a}, {rip()}", f"lea {r32(a)}, {rip()}", f"lea {r16(a)}, {rip()}", f"lea {a}, [{b}+{reg()}*4+{R.randrange(-500,500)}]",
        f"movzx {r32(a)}, byte ptr {mem()}", f"movsx {a}, word ptr {mem()}", f"movsxd {a}, dword ptr {mem()}",
        f"inc {a}", f"dec {r32(a)}", f"neg {a}", f"not {a}", f"shl {a}, {R.randrange(0,70)}", f"sar {r32(a)}, cl",
        f"shr {a}, 1", f"rol {a}, {R.randrange(0,40)}", f"rcl {r32(a)}, 1", f"imul {a}, {b}", f"imul {a}, qword ptr {mem()}, {R.randrange(-99,99)}",
        f"imul {r32(a)}, dword ptr {rip()}, 100000",
        f"mul {b}", f"mul qword ptr {rip()}", f"bt {a}, {R.randrange(64)}", f"bts qword ptr {rip()}, {R.randrange(64)}",
        f"bsf {a}, {b}", f"popcnt {a}, qword ptr {rip()}", f"xadd qword ptr {rip()}, {a}",
        f"lock cmpxchg qword ptr {rip()}, {a}", f"lock add dword ptr {rip()}, {R.randrange(99)}", f"xchg {a}, {rip()}", f"bswap {a}",
        f"cmov{R.choice(CC)} {a}, {rip()}", f"set{R.choice(CC)} {r8(a)}", f"set{R.choice(CC)} byte ptr {rip()}",
        f"movbe {a}, {rip()}", f"crc32 {a}, qword ptr {rip()}", f"andn {a}, {b}, {rip()}", f"shlx {a}, {rip()}, {b}",
        f"adcx {a}, {rip()}", f"cqo", f"cdqe", "stc", "clc", "cmc", "lahf", "cld", f"mov ah, {rip(1)}", f"add {rip(1)}, ch",
        f"push qword ptr {rip()}\n  pop {a}", f"push {a}\n  pop qword ptr {rip()}", f"push {a}\n  pop {b}",
        f"push {imm()}\n  pop {a}", "pushfq\n  pop rax\n  and eax, 0x8d5\n  mov [rsp-8], rax", f"mov {a}, fs:[0]", f"mov {a}, fs:[0x28]",
        f"mov {a}, gs:[0x380]", f"mov gs:[0x388], {a}", f"add {r32(a)}, gs:[0x390]", f"add qword ptr gs:[0x398], {imm()}",
        f"mov {r32(a)}, 0x380\n  mov {b}, gs:[{a}+8]", f"mov {r32(a)}, 0x388\n  xchg {b}, gs:[{a}]", f"push qword ptr gs:[0x380]\n  pop {a}",
        f"movups xmm{R.randrange(8)}, {rip(16)}", f"movaps xmm{R.randrange(16)}, {rip(16)}", f"paddd xmm1, {rip(16)}",
        f"pshufd xmm2, {rip(16)}, 0x1b", f"ucomisd xmm0, {rip()}", f"movups {rip(16)}, xmm{R.randrange(12)}",
        f"cmpltps xmm3, {rip(16)}", f"pblendvb xmm2, {rip(16)}, xmm0", f"palignr xmm4, {rip(16)}, 5", f"pinsrq xmm5, {rip()}, 1",
        f"vpaddd ymm1, ymm2, {rip(32)}", f"vpshufd xmm9, {rip(16)}, 7", f"vpermq ymm10, {rip(32)}, 0x4e", f"vmovdqu {rip(32)}, ymm9",
        f"cvtsi2sd xmm6, qword ptr {rip()}", f"fld qword ptr {rip()}\n  fstp qword ptr {rip()}", f"cmpxchg16b {rip(16)}",
        f"ptest xmm1, {rip(16)}", f"pextrq {rip()}, xmm2, 1",
        f"shld {a}, {b}, {R.randrange(64)}", f"shrd {rip()}, {a}, cl", "endbr64", "nop dword ptr [rip+data]", "nop",
        ] + ([f"vpaddd zmm3, zmm4, {rip(64)}", f"vpaddd zmm3, zmm4, dword ptr {rip()}{{1to16}}", f"vpternlogd zmm5, zmm3, {rip(64)}, 0x96",
              f"vmovdqu64 {rip(64)}, zmm5", "vpaddd zmm17, zmm18, " + rip(64)] if avx512 else [])))
def strings():
    e(f"lea rdi, {rip()}"); e(f"lea rsi, {rip()}"); e(f"mov ecx, {R.randrange(0, 20)}")
    e(R.choice(["rep movsb", "rep stosq", "repe cmpsb", "repne scasb", "rep movsq", "lodsq", "stosd", "scasd"]))
def skip(depth):
    l = new()
    e(f"j{R.choice(CC)} {l}")
    body(R.randrange(1, 5), depth + 1)
    out.append(f"{l}:")
def fwd(depth):
    l = new()
    e(f"jmp {l}")
    if R.random() < .5: body(2, depth + 1)
    out.append(f"{l}:")
def loop(depth):
    l = new()
    e("push r15"); e(f"mov r15d, {R.randrange(1, 6)}")
    if R.random() < .3:
        m = new(); e(f"jmp {m}"); out.append(f"{l}:"); body(R.randrange(1, 5), depth + 1); out.append(f"{m}:")
        e("dec r15"); e(f"jns {l}"); e("pop r15"); return
    if R.random() < .3: out.append(".balign 16")
    out.append(f"{l}:")
    if R.random() < .3: e(f"mov {reg()}, rsp")
    body(R.randrange(1, 5), depth + 1)
    e(R.choice(["dec r15", "sub r15, 1"])); e(f"jnz {l}"); e("pop r15")
def count_loop():
    l = new()
    e(f"mov ecx, {R.randrange(1, 6)}"); out.append(f"{l}:")
    for _ in range(R.randrange(0, 3)):
        a, b = R.choice([("rax", "rdx"), ("rsi", "r8"), ("rdx", "r9")])
        e(R.choice([f"add {a}, {b}", f"lea {a}, [{a}+{b}]", f"test {a}, {b}", f"xor {a}, rcx"]))
    e(R.choice([f"loop {l}", f"loope {l}", f"loopne {l}", f"addr32 loop {l}"]))
def rcxz():
    a, b, c = new(), new(), new()
    j = R.choice(["jrcxz", "jecxz"])
    if R.random() < .5:
        e(f"{R.choice(['xor ecx, ecx', 'and ecx, 1', 'mov ecx, 5'])}"); e(f"{j} {a}"); e("inc rdx"); e("add r8, rdx"); out.append(f"{a}:")
    else:
        e(f"jmp {b}"); out.append(f"{a}:"); e("inc rdx"); e(f"jmp {c}"); out.append(f"{b}:"); e("and ecx, 1"); e(f"{j} {a}"); out.append(f"{c}:")
def call():
    f = R.choice(funcs)
    k = R.randrange(11)
    r = reg()
    if k < 4: e(f"call {f}")
    elif k == 4: e(f"lea {r}, [rip+{f}]"); e(f"call {r}")
    elif k == 5: e(f"call qword ptr [rip+table_{f}]")
    elif k == 6: e(f"lea {r}, [rip+{f}]"); e(f"push {r}"); e("call qword ptr [rsp]"); e("lea rsp, [rsp+8]")
    elif k == 7: e(f"lea rcx, [rip+table_{f}]"); e("mov eax, 0"); e(R.choice(["call qword ptr [rcx+rax*8]", "call qword ptr [rax+rcx]", "call [rcx]"]))
    elif k == 8: e("push 77"); e(f"call n_{f}")
    elif k == 9:
        e(f"lea {r}, [rip+{f}]"); e(f"mov gs:[0x3a0], {r}"); e("call qword ptr gs:[0x3a0]")
    else:
        l = new(); e(f"call {l}"); out.append(f"{l}:"); e(f"pop {r}")
def ijump():
    l, r = new(), reg()
    k = R.randrange(4)
    if k == 0: e(f"lea {r}, [rip+{l}]"); e(f"jmp {r}")
    elif k == 1: e(f"lea {r}, [rip+{l}]"); e(f"push {r}"); e("ret")
    elif k == 2: e(f"lea {r}, [rip+{l}]"); e(f"push {r}"); e("lea rsp, [rsp+8]"); e("jmp qword ptr [rsp-8]")
    else: e(f"lea {r}, [rip+{l}]"); e(f"mov [rbx+0x700], {r}"); e("jmp qword ptr [rip+data+0x700]")
    if R.random() < .3: e("ud2")
    out.append(f"{l}:")
    if R.random() < .3: e(f"set{R.choice(CC)} {r8(reg())}")
def redzone(depth):
    r = reg(); e(f"mov [rsp-{8 * R.randrange(1, 16)}], {r}")
    l = new(); e(f"j{R.choice(CC)} {l}"); e(f"mov {reg()}, [rsp-{8 * R.randrange(1, 16)}]"); out.append(f"{l}:")
    e(f"add {reg()}, [rsp-{8 * R.randrange(1, 16)}]")
def body(n, depth):
    for _ in range(n):
        x = R.random()
        if x < .34: alu()
        elif x < .62: misc()
        elif x < .64: strings()
        elif x < .76: skip(depth) if depth < 5 else alu()
        elif x < .80: fwd(depth) if depth < 5 else alu()
        elif x < .86: loop(depth) if depth < 3 else misc()
        elif x < .88: count_loop()
        elif x < .90: rcxz()
        elif x < .95: call()
        elif x < .98: ijump()
        else: redzone(depth)

funcs = [f"f{i}" for i in range(12)]
real_body = body
def functions(fs):
    global call, ijump
    keep = call
    call = lambda: alu()
    for f in fs:
        for name in (f, "n_" + f):
            if R.random() < .5: out.append(".balign 16")
            out.append(name + ":")
            body(R.randrange(0, 6), 3)
            if R.random() < .3: e(f"cmp {reg()}, {reg()}")
            e("ret 8" if name[0] == "n" else R.choice(["ret", "rep ret", "repz ret"]))
    call = keep
print(".intel_syntax noprefix\n.text\n.globl start\nstart:")
print(f".long {count}")
for i in range(count): print(f".long p{i}-start")
functions(funcs[:6])
for i in range(count):
    out.append(f"p{i}:")
    e("vzeroall"); e("fninit")
    body(R.randrange(3, 25), 0)
    for k in range(0, 12): e(f"vmovdqu [rip+data+{0x1000 + 32 * k}], ymm{k}")
    e("int3")
functions(funcs[6:])
print("\n".join(out))
print(".org start+0x80000\ndata: .zero 0x2000")
print(".balign 8")
for f in funcs: print(f"table_{f}: .quad {f} - start")
