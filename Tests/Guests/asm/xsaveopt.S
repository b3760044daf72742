// XSAVEOPT where CPUID shows it (bis hides it: what it leaves out is not repeatable), XSAVE elsewhere; the state comes back.
// bis: needs=xsave
#include "guest.inc"
begin
  mov eax, 0xd
  mov ecx, 1
  cpuid
  mov r12d, eax
  movdqu xmm3, [rip + a]
  mov eax, 3
  xor edx, edx
  bt r12d, 0
  jnc 1f
  xsaveopt [rip + image]
  jmp 2f
1: xsave [rip + image]
2: pxor xmm3, xmm3
  mov eax, 3
  xor edx, edx
  xrstor [rip + image]
  movdqu [rip + out], xmm3
  fold [rip + out]
  fold [rip + out + 8]
  section "xsaveopt"
  finish
  .data
  .balign 64
a: .quad 0x1111111122222222, 0x3333333344444444
out: .quad 0, 0
  .balign 64
image: .space 8192
