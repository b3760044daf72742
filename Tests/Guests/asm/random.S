// RDRAND and RDSEED in every operand size and register class, with their flags.
// bis: varies
// bis: needs=rdrand,rdseed
#include "guest.inc"
begin
  mov r14d, 100
1:
  .irp op, rdrand, rdseed
  mov rax, -1
  \op rax
  fold_flags
  fold rax
  mov rbx, -1
  \op ebx
  fold_flags
  fold rbx
  mov rcx, -1
  \op cx
  fold_flags
  fold rcx
  .irp r, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r15
  \op \r
  fold_flags
  fold \r
  .endr
  .endr
  dec r14d
  jnz 1b
  section "random"
  finish
