// RDTSC never runs backwards.
#include "guest.inc"
begin
  xor r12d, r12d
  mov r14d, 5000
1: rdtsc
  shl rdx, 32
  or rax, rdx
  cmp rax, r12
  jae 2f
  finish 1
2: mov r12, rax
  dec r14d
  jnz 1b
  section "grows"
  finish
