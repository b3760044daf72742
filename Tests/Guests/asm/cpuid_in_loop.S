// CPUID as a serialising instruction in a loop: results must be the same each time.
#include "guest.inc"
begin
  xor eax, eax
  cpuid
  mov r12d, ebx
  mov r14d, 300
1: xor eax, eax
  xor ecx, ecx
  cpuid
  cmp ebx, r12d
  je 2f
  ud2
2: dec r14d
  jnz 1b
  fold r14
  section "cpuid"
  finish
