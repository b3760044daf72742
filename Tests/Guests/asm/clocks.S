// RDTSC, RDTSCP, RDPID: readings that the tape holds.
// bis: varies
// bis: needs=rdtscp
#include "guest.inc"
begin
  mov r14d, 500
1: rdtsc
  shl rdx, 32
  or rax, rdx
  fold rax
  mov rcx, -1
  rdtscp
  fold rcx
  shl rdx, 32
  or rax, rdx
  fold rax
  lfence
  stc
  rdtsc
  fold_flags 1
  dec r14d
  jnz 1b
  section "tsc"
  mov eax, 7
  xor ecx, ecx
  cpuid
  bt ecx, 22
  jnc 2f
  rdpid rax
  fold rax
  rdpid r13
  fold r13
2: section "rdpid"
  finish
