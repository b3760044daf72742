// Instructions that fault, each with a handler that sees the exact registers and address and steps over it: memory,
// undefined, privileged, divide, breakpoint; in the middle of a block, with live flags.
#include "guest.inc"
.macro faulting length, insn:vararg
  mov rax, 0x1111
  mov rbx, 0x2222
  mov rdx, 0x3333
  mov r9, 0x4444
  mov qword ptr [rip + step], \length
  lea rsi, [rip + 7f]
  mov [rip + expected], rsi
  cmp rax, rbx
7: \insn
  fold_flags
  fold rax
  fold rdx
.endm
begin
  .irp sig, 4, 5, 7, 8, 11
  mov edi, \sig
  lea rsi, [rip + action]
  xor edx, edx
  mov r10d, 8
  mov eax, 13
  syscall
  .endr
  xor r8d, r8d
  faulting 3, mov rax, [r8]
  section "load"
  faulting 3, mov [r8], rax
  section "store"
  faulting 3, add [r8], rax
  faulting 3, push [r8]
  faulting 4, movups xmm0, [r8]
  section "other accesses"
  mov r10, 0x8000000000000000
  faulting 3, mov rax, [r10]
  section "non-canonical"
  faulting 2, ud2
  section "ud2"
  faulting 1, hlt
  faulting 1, cli
  faulting 1, sti
  faulting 2, wrmsr
  faulting 2, in al, dx
  section "privileged"
  faulting 0, int3
  section "int3"
  xor ecx, ecx
  faulting 2, div ecx
  faulting 3, idiv rcx
  section "divide"
  faulting 7, movaps xmm0, [rip + action + 1]
  section "alignment"
  lea r8, [rip + leaf]
  faulting 3, mov [r8], eax
  section "text is read-only"
  finish
leaf: ret
handler:                           // rdi signal, rsi siginfo, rdx ucontext
  fold rdi
  mov eax, [rsi + 8]               // si_code
  fold rax
  mov rax, [rdx + 40 + 16*8]       // rip
  sub rax, [rip + expected]
  fold rax
  .irp at, 0, 1, 10, 11, 12, 13
  fold [rdx + 40 + 8*\at]
  .endr
  mov rax, [rdx + 40 + 17*8]
  and eax, 0x8d5
  fold rax
  mov rax, [rip + step]
  add [rdx + 40 + 16*8], rax
  ret
restorer:
  mov eax, 15
  syscall
  .data
step: .quad 0
expected: .quad 0
  .balign 16
action: .quad handler, 0x04000004, restorer, 0  // SA_RESTORER | SA_SIGINFO
