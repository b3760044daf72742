// MMX, and its aliasing with the x87 registers.
#include "guest.inc"
begin
  mov ecx, 100
  movq mm0, [rip + a]
  movq mm1, [rip + b]
1: paddw mm0, mm1
  pmullw mm1, mm0
  pxor mm1, [rip + a]
  psllq mm0, 3
  packsswb mm0, mm1
  punpcklbw mm1, mm0
  pmaddwd mm0, [rip + b]
  pavgb mm0, mm1
  psadbw mm1, mm0
  paddd mm1, [rip + a]
  pshufw mm2, mm1, 0x1b
  movq rax, mm0
  fold rax
  movq rax, mm2
  fold rax
  pmovmskb eax, mm1
  fold rax
  dec ecx
  jnz 1b
  movd eax, mm1
  fold rax
  movq2dq xmm0, mm1
  movdq2q mm3, xmm0
  movntq [rip + out], mm3
  sfence
  fold [rip + out]
  emms
  section "mmx"
  finish
  .data
  .balign 16
a: .quad 0x0102030405060708
b: .quad 0x1112f3f41516f7f8
out: .quad 0
