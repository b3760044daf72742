# Programs with a known purpose. Order is used by Harness.swift.
.intel_syntax noprefix
.text
.globl start
start:
.long 10
.long fib-start, tight-start, interp-start, specials-start, sys-start, faults-start, undef-start, outside-start
.long lastone-start, mid-start
fib:
  mov edi, [rbx]
  call fibf
  int3
fibf:
  cmp edi, 2
  jge 1f
  mov eax, edi
  ret
1: push rbx
  push rdi
  lea edi, [rdi-1]
  call fibf
  mov ebx, eax
  pop rdi
  lea edi, [rdi-2]
  call fibf
  add eax, ebx
  pop rbx
  ret
tight:
  mov ecx, [rbx]
  xor eax, eax
1: add eax, ecx
  xor edx, eax
  lea rsi, [rdx+rax*2]
  add r8, rsi
  dec ecx
  jnz 1b
  int3
interp:
  mov ecx, [rbx]
  lea r9, [rip+tab]
  lea r10, [rip+ops]
  xor eax, eax
  xor r8d, r8d
inext:
  movzx edx, byte ptr [r10+r8]
  inc r8
  and r8d, 7
  movsxd rdx, dword ptr [r9+rdx*4]
  add rdx, r9
  jmp rdx
op0: add eax, 3
  jmp inext
op1: xor eax, ecx
  jmp inext
op2: dec ecx
  jz 9f
  jmp inext
op3: rol eax, 3
  jmp inext
9: int3
tab: .long op0-tab, op1-tab, op2-tab, op3-tab
ops: .byte 0,1,3,2,1,0,3,2
specials:
  mov rcx, 5
  cpuid
  rdtsc
  rdrand r9
  rdseed eax
  rdpid rdx
  xgetbv
  xsave64 [rsp+rcx*8+0x100]
  xsavec [rip+data]
  fxsave [rcx+0x10]
  fnstenv [rsp-64]
  rdgsbase r13
  int 0x80
  rdtscp
  int3
sys:
  mov eax, 39
  mov ecx, 7
  syscall
  add rax, 1
  int3
faults:
  # each fault site is listed in the table at the end; r14 = bad address
  nop
f0: mov rax, [r14]
f1: jmp [r14]
f2: call [r14+rcx]
f3: ret
f4: ret 16
f5: call fibf
f6: call rax
f7: add qword ptr gs:[r14], 5
f8: mov rdx, [rip+data+0x8000000]
f9: add dword ptr [rip+data+0x8000000], 99
f10: push [r14]
f11: movups xmm0, [rip+data+0x8000000]
f12: call [rip+data+0x8000000]
  int3
undef:
  .byte 0x0f, 0x0b
outside:
  xor eax, eax
  jmp start-0x100
lastone:
  int3
mid:
  int3
.org start+0x60000
faulttable: .quad 13
.quad f0-start,f1-start,f2-start,f3-start,f4-start,f5-start,f6-start,f7-start,f8-start,f9-start,f10-start,f11-start,f12-start
.org start+0x80000
data: .zero 0x2000
